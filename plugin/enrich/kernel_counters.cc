#include "plugin/enrich/kernel_counters.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <string>

namespace weir::enrich {
namespace {

constexpr std::size_t kMaxFile = 64 * 1024;  // each has some 5 KiB

std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t at = std::min(text.find(separator), text.size());
    const std::string_view out = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return out;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return out;
}

// snmp has two lines for each protocol: "Tcp: Name Name ...", then "Tcp: 1 2 ...".
std::optional<std::uint64_t> find_in_snmp(std::string_view text, std::string_view protocol,
                                          std::string_view name) {
    while (!text.empty()) {
        std::string_view names = take_until(text, '\n');
        if (take_until(names, ':') != protocol) continue;
        std::string_view values = take_until(text, '\n');
        if (take_until(values, ':') != protocol) return std::nullopt;
        while (!names.empty()) {
            const std::string_view value = take_until(values, ' ');
            if (take_until(names, ' ') == name) return number(value);
        }
    }
    return std::nullopt;
}

// snmp6 has a line for each counter: "Udp6InDatagrams   12".
std::optional<std::uint64_t> find_in_snmp6(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        const std::size_t end = line.find_first_of(" \t");
        if (end == std::string_view::npos || line.substr(0, end) != name) continue;
        return number(line.substr(line.find_last_of(" \t") + 1));
    }
    return std::nullopt;
}

std::optional<std::string> read_whole(int fd) {
    std::string out;
    std::array<char, 8192> piece{};
    while (out.size() < kMaxFile) {
        const ssize_t n = pread(fd, piece.data(), piece.size(), static_cast<off_t>(out.size()));
        if (n < 0) return std::nullopt;
        if (n == 0) return out;
        out.append(piece.data(), static_cast<std::size_t>(n));
    }
    return std::nullopt;
}

}  // namespace

std::optional<KernelCounts> parse_kernel_counts(std::string_view snmp, std::string_view snmp6) {
    constexpr std::array<const char*, 5> kTcp = {"ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets",
                                                 "RetransSegs"};
    static_assert(static_cast<int>(KernelCounter::active_opens) == 0 &&
                  static_cast<int>(KernelCounter::retransmits) == 4 && kKernelCounters == 7);
    KernelCounts out{};
    for (std::size_t i = 0; i < kTcp.size(); i++) {
        const auto value = find_in_snmp(snmp, "Tcp", kTcp[i]);
        if (!value) return std::nullopt;
        out[i] = *value;
    }
    constexpr std::array<const char*, 2> kUdp = {"InDatagrams", "OutDatagrams"};
    for (std::size_t i = 0; i < kUdp.size(); i++) {
        const auto value = find_in_snmp(snmp, "Udp", kUdp[i]);
        if (!value) return std::nullopt;
        const auto six = find_in_snmp6(snmp6, std::string("Udp6") + kUdp[i]);
        out[kTcp.size() + i] = *value + six.value_or(0);
    }
    return out;
}

CounterFiles::CounterFiles(std::uint32_t netns, const std::string& directory)
    : netns_(netns),
      snmp_(open((directory + "/snmp").c_str(), O_RDONLY | O_CLOEXEC)),
      snmp6_(open((directory + "/snmp6").c_str(), O_RDONLY | O_CLOEXEC)) {}

CounterFiles::~CounterFiles() { close(); }

std::optional<KernelCounts> CounterFiles::read() {
    const std::lock_guard lock(mutex_);
    if (snmp_ >= 0) last_ = read_files();
    return last_;
}

void CounterFiles::close() {
    const std::lock_guard lock(mutex_);
    if (snmp_ >= 0) {
        last_ = read_files();
        ::close(snmp_);
    }
    if (snmp6_ >= 0) ::close(snmp6_);
    snmp_ = snmp6_ = -1;
}

std::optional<KernelCounts> CounterFiles::read_files() const {
    const auto snmp = read_whole(snmp_);
    if (!snmp) return std::nullopt;
    const auto snmp6 = snmp6_ >= 0 ? read_whole(snmp6_) : std::nullopt;
    return parse_kernel_counts(*snmp, snmp6.value_or(""));
}

}  // namespace weir::enrich
