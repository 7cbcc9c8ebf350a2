// Turns rows of a batch into points in one of the wire formats, into a buffer that is used again.
//
// Not thread-safe: one encoder for one emitting thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/flow/batch.h"

namespace weir {

struct Tag {
    std::string key;
    std::string value;
    bool operator==(const Tag&) const = default;
};

enum class PointFormat : std::uint8_t { line_protocol, protobuf };

class PointEncoder {
public:
    virtual ~PointEncoder() = default;

    virtual void append(const Batch& batch, const L4Row& row) = 0;   // a netflow point
    virtual void append(const Batch& batch, const L7Row& row) = 0;   // an httpflow point
    virtual void append(const Batch& batch, const DnsRow& row) = 0;  // a dnsflow point

    // What has been appended since the last clear(), ready to be handed to the host.
    virtual std::string_view bytes() const = 0;
    virtual std::uint64_t point_count() const = 0;
    // Of these points, those that no receiver would take and that were left out: their tags are too long.
    virtual std::uint64_t refused() const = 0;
    virtual void clear() = 0;
};

// `tags` are put on every point, where the point has no tag or field of that name itself.
std::unique_ptr<PointEncoder> make_encoder(PointFormat format, const std::vector<Tag>& tags);

}  // namespace weir
