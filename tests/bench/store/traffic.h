// Made-up traffic for the comparison of stores: a thousand hosts' worth of flows, the same in every run.
//
// Each of the flows belongs to a pod on one of the hosts (its local address) and goes to a backend of a
// service. Sizes are spread as in real traffic, delays vary around what is usual for the flow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/flow/batch.h"

namespace weir::bench {

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kBegin = 1'735'689'600 * kSecond;  // a whole minute

struct Endpoints {
    std::uint32_t host = 0;  // numbers
    std::uint32_t pod = 0;
    std::uint32_t service = 0;
    std::uint32_t backend = 0;
    std::uint32_t base_rtt = 0;  // us

    std::string host_ip() const;
    std::string backend_ip() const;
    std::uint16_t port() const;
    std::string name_space() const;
    std::string pod_name() const;
    std::string service_name() const;
};

struct Row {
    std::uint32_t flow = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_read = 0;
    std::uint32_t retransmits = 0;
    std::uint32_t established = 0;
    std::uint32_t closed = 0;
    std::vector<std::uint32_t> rtt;  // us
};

struct Shape {
    std::size_t intervals = 0;
    std::int64_t length_ns = 0;
    std::size_t rows = 0;  // of all intervals
};

class Traffic {
public:
    static constexpr std::size_t kHosts = 1000;
    static constexpr std::size_t kPods = 5000;
    static constexpr std::size_t kServices = 500;
    static constexpr std::size_t kBackends = 8;  // of a service
    static constexpr std::size_t kFlows = 100'000;

    Traffic(const Shape& shape, std::uint64_t seed);

    const Shape& shape() const { return shape_; }
    const std::vector<Endpoints>& flows() const { return flows_; }
    std::int64_t end_of(std::size_t interval) const {
        return kBegin + static_cast<std::int64_t>(interval + 1) * shape_.length_ns;
    }
    std::int64_t end() const { return end_of(shape_.intervals - 1); }

    // The rows of an interval, one a flow.
    std::vector<Row> rows(std::size_t interval) const;
    // The same as Weir's flow layer hands it on.
    BatchPtr batch(std::size_t interval) const;
    // All rows as tab-separated text, one a line, for other databases.
    void write(const std::string& path) const;

private:
    Shape shape_;
    std::uint64_t seed_;
    std::vector<Endpoints> flows_;
};

}  // namespace weir::bench
