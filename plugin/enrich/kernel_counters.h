// The kernel's own counters of a network namespace, as /proc/net/snmp and snmp6 have them.
//
// The files are held open: what they belong to is decided when they are opened, so they are read from any
// thread later, and once more when the namespace is given up.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/flow/batch.h"

namespace weir::enrich {

using KernelCounts = std::array<std::uint64_t, kKernelCounters>;

// From the text of the two files; snmp6 may be empty, where there is no IPv6. Nothing when a counter is
// missing.
std::optional<KernelCounts> parse_kernel_counts(std::string_view snmp, std::string_view snmp6);

// Thread-safe.
class CounterFiles {
public:
    // `directory` is the /proc/.../net of a thread or process in the namespace.
    CounterFiles(std::uint32_t netns, const std::string& directory);
    ~CounterFiles();
    CounterFiles(const CounterFiles&) = delete;
    CounterFiles& operator=(const CounterFiles&) = delete;

    std::uint32_t netns() const { return netns_; }
    // As they are now, or were when it was closed.
    std::optional<KernelCounts> read();
    // Lets go of the namespace.
    void close();

private:
    std::optional<KernelCounts> read_files() const;

    const std::uint32_t netns_;
    std::mutex mutex_;
    int snmp_ = -1, snmp6_ = -1;
    std::optional<KernelCounts> last_;
};

}  // namespace weir::enrich
