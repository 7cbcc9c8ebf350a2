#include "plugin/source/ring_folds.h"

#include <bpf/bpf.h>
#include <linux/membarrier.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "plugin/base/clock.h"

namespace weir {
namespace {

// Numbers of sums that the kernel side does not reach.
constexpr std::uint32_t kFallbackNumbers = 0xffffff00;
constexpr std::array kDirections = {WEIR_INCOMING, WEIR_OUTGOING};
constexpr std::array<std::uint8_t, 4> kFlags = {0, WEIR_HTTP_SERVER, WEIR_HTTP_TLS,
                                                WEIR_HTTP_SERVER | WEIR_HTTP_TLS};
constexpr std::array<std::uint16_t, 6> kClasses = {0, 100, 200, 300, 400, 500};

Status failed(const char* what) {
    return fail(ErrorCode::internal, std::string("cannot ") + what + ": " + std::strerror(errno));
}

// Waits until no program works with what it read before this call: the kernel's own grace period.
void wait_for_programs() {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
    constexpr unsigned kLongestProgramUs = 50'000;
    usleep(kLongestProgramUs);
}

// Takes everything out of a hash map, some thousand entries at once.
template <typename Key, typename Value, typename Take>
Status empty_map(int fd, Take take) {
    constexpr std::uint32_t kAtOnce = 4096;
    std::vector<Key> keys(kAtOnce);
    std::vector<Value> values(kAtOnce);
    std::uint64_t from = 0, to = 0;  // opaque
    bool first = true;
    for (;;) {
        std::uint32_t n = kAtOnce;
        const int error = bpf_map_lookup_and_delete_batch(fd, first ? nullptr : &from, &to, keys.data(),
                                                          values.data(), &n, nullptr);
        if (error != 0 && errno != ENOENT) return failed("read what found the ring full");
        for (std::uint32_t i = 0; i < n; i++) take(keys[i], values[i]);
        if (error != 0) return {};
        from = to;
        first = false;
    }
}

Status add_tcp_fallbacks(int map) {
    for (const auto direction : kDirections) {
        weir_tcp_fold_key key{};
        key.id.direction = static_cast<__u8>(direction);
        key.id.transport = IPPROTO_TCP;
        for (key.flags = 0; key.flags < WEIR_TCP_FLAGS_END; key.flags++) {
            const weir_tcp_fold fold{};
            if (bpf_map_update_elem(map, &key, &fold, BPF_ANY) != 0) {
                return failed("prepare for connections that find the ring full");
            }
        }
    }
    return {};
}

// The first brings what was added up.
void hand_over_connections(const weir_tcp_fold_key& key, const weir_tcp_fold& fold, RecordSink& sink) {
    const bool is_of_all = key.id.netns == 0;
    weir_tcp_record record{};
    record.kind = WEIR_RECORD_TCP;
    record.id = key.id;
    record.time = static_cast<__u64>(system_clock().boot_ns());
    record.flags = key.flags | (is_of_all ? WEIR_TCP_FOLDED : 0);
    record.error = key.error;
    record.bytes_sent = fold.bytes_sent;
    record.bytes_received = fold.bytes_received;
    record.retransmits = static_cast<__u32>(fold.retransmits);
    for (std::uint64_t i = 0; i < fold.count; i++) {
        sink.on_tcp(record);
        record.bytes_sent = record.bytes_received = record.retransmits = 0;
    }
}

}  // namespace

Status RingFolds::attach(std::span<const Maps, 2> sets, std::uint32_t* active) {
    sets_.assign(sets.begin(), sets.end());
    active_ = active;
    return add_fallbacks(sets_[0]).and_then([this] { return add_fallbacks(sets_[1]); });
}

// Where flows are added that find no room of their own.
Status RingFolds::add_fallbacks(const Maps& set) {
    if (Status added = add_tcp_fallbacks(set.tcp); !added) return added;
    std::uint32_t number = kFallbackNumbers;
    for (const auto direction : kDirections) {
        for (const auto flags : kFlags) {
            for (const auto status : kClasses) {
                weir_fold_key key{};
                key.id.direction = static_cast<__u8>(direction);
                key.id.transport = IPPROTO_TCP;
                key.flags = flags;
                key.status = status;
                weir_fold fold{};
                fold.number = number++;
                if (bpf_map_update_elem(set.sums, &key, &fold, BPF_ANY) != 0) {
                    return failed("prepare for requests that find the ring full");
                }
            }
        }
    }
    return {};
}

Status RingFolds::read_latencies(const Maps& set) {
    latencies_.clear();
    Status done = empty_map<weir_fold_latency_key, std::uint64_t>(
        set.latencies, [this](const weir_fold_latency_key& key, std::uint64_t count) {
            latencies_.push_back({key.number, static_cast<std::uint16_t>(key.bucket), count});
        });
    std::sort(latencies_.begin(), latencies_.end(),
              [](const Latency& a, const Latency& b) { return a.number < b.number; });
    return done;
}

Status RingFolds::sweep(RecordSink& sink) {
    const Maps& set = sets_[*active_ != 0 ? 1 : 0];
    *active_ ^= 1;
    wait_for_programs();
    if (Status read = read_latencies(set); !read) return read;
    Status read = empty_map<weir_tcp_fold_key, weir_tcp_fold>(
        set.tcp, [&](const weir_tcp_fold_key& key, const weir_tcp_fold& fold) {
            hand_over_connections(key, fold, sink);
        });
    if (!read) return read;
    return empty_map<weir_fold_key, weir_fold>(
               set.sums, [&](const weir_fold_key& key, const weir_fold& fold) { hand_over(key, fold, sink); })
        .and_then([&] { return add_fallbacks(set); });
}

void RingFolds::hand_over(const weir_fold_key& key, const weir_fold& fold, RecordSink& sink) const {
    if (fold.count == 0 && fold.request_bytes == 0 && fold.response_bytes == 0) return;
    weir_http_record record{};
    record.kind = WEIR_RECORD_HTTP;
    record.id = key.id;
    record.time = static_cast<__u64>(system_clock().boot_ns());
    record.status = key.status;
    record.flags = key.flags | WEIR_HTTP_FOLDED;
    record.request_bytes = fold.request_bytes;
    record.response_bytes = fold.response_bytes;
    record.latency_sum = fold.latency_sum;
    record.latency_max = fold.latency_max;
    std::uint64_t left = fold.count;
    const auto number = static_cast<std::uint32_t>(fold.number);
    const auto send = [&](std::uint64_t count) {
        record.count = static_cast<std::uint32_t>(count);
        sink.on_http(record, {});
        left -= count;
        record.request_bytes = record.response_bytes = record.latency_sum = record.latency_max = 0;
    };
    record.latencies = 1;
    for (auto at = std::lower_bound(latencies_.begin(), latencies_.end(), number,
                                    [](const Latency&a, std::uint32_t b) { return a.number < b; });
         at != latencies_.end() && at->number == number; ++at) {
        record.latency[0] = at->bucket;
        send(std::min(at->count, left));
    }
    // without an answer, or its latency found no room
    record.latencies = 0;
    if (left != 0 || record.request_bytes != 0 || record.response_bytes != 0) send(left);
}

}  // namespace weir
