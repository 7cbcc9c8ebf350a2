// Header blocks of one direction of an HTTP/2 connection, decompressed (RFC 7541) by libnghttp2.
//
// A connection may be joined when it is already under way, or bytes of it may be lost. The dynamic table
// of the sender is unknown then, but it counts its entries from the newest one: whatever is added from
// now on is found, and only what was added before is not. So after a loss the table is filled with
// placeholders, as many as the sender's table can hold. They are the smallest entries there can be, so
// none leaves the table before the entry that it stands for, and a reference into the unknown past
// yields a placeholder instead of an error or, worse, of another header's value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "plugin/protocol/memory_budget.h"

struct nghttp2_hd_inflater;

namespace weir::protocol {

class HeaderSink {
public:
    virtual ~HeaderSink() = default;
    // Valid during the call; hostile bytes. A header that cannot be known has an empty name.
    virtual void on_header(std::string_view name, std::string_view value) = 0;
};

class HeaderInflater {
public:
    // The budget pays for the tables and must outlive the inflater.
    explicit HeaderInflater(MemoryBudget& budget);
    ~HeaderInflater();
    HeaderInflater(const HeaderInflater&) = delete;
    HeaderInflater& operator=(const HeaderInflater&) = delete;

    // What was sent before is unknown: from here on references to it are placeholders.
    void forget();
    // Nothing was sent before.
    void restart();

    // The next bytes of a block; `last` ends it. False when they make no sense or memory is used up:
    // the block is lost and the table forgotten, and the next call begins a new block.
    bool feed(std::string_view bytes, bool last, HeaderSink& sink);

private:
    struct Memory;
    struct Deleter {
        void operator()(nghttp2_hd_inflater* inflater) const;
    };

    void forget(std::size_t placeholders);
    bool make();
    bool inflate(std::string_view bytes, bool last, HeaderSink* sink);

    std::unique_ptr<Memory> memory_;  // before what is allocated from it
    std::unique_ptr<nghttp2_hd_inflater, Deleter> inflater_;
    std::size_t placeholders_ = 0;  // that a new table begins with
    std::size_t block_bytes_ = 0;   // of the block in work
};

}  // namespace weir::protocol
