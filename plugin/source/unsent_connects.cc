#include "plugin/source/unsent_connects.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "plugin/base/clock.h"

namespace weir {
namespace {

constexpr std::size_t kSize = WEIR_ATTEMPTS * sizeof(weir_attempt);

weir_tcp_record record_of(const weir_attempt& attempt) {
    weir_tcp_record record{};
    record.kind = WEIR_RECORD_TCP;
    record.flags = WEIR_TCP_FAILED | WEIR_TCP_UNSENT;
    record.time = static_cast<__u64>(system_clock().boot_ns());
    record.id = attempt.id;
    return record;
}

}  // namespace

Status UnsentConnects::map(int fd) {
    void* at = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        return fail(ErrorCode::no_memory,
                    std::string("cannot map the notes of connects: ") + std::strerror(errno));
    }
    attempts_ = static_cast<weir_attempt*>(at);
    return {};
}

void UnsentConnects::unmap() {
    if (attempts_ != nullptr) munmap(attempts_, kSize);
    attempts_ = nullptr;
}

void UnsentConnects::sweep(RecordSink& sink, __u64& ticks, bool last) {
    if (attempts_ == nullptr) return;
    bool all = take_old(sink, ticks);
    for (int i = 0; last && !all && i < WEIR_ATTEMPT_OLD; i++) {
        usleep(WEIR_TICK_NS / 1000);
        all = take_old(sink, ++ticks);
    }
}

// False when there are others, which may be under way.
bool UnsentConnects::take_old(RecordSink& sink, __u64 tick) {
    bool all = true;
    for (weir_attempt* attempt = attempts_; attempt != attempts_ + WEIR_ATTEMPTS; ++attempt) {
        const std::atomic_ref<__u64> owner(attempt->since);
        __u64 since = owner.load(std::memory_order_acquire);
        if (since <= WEIR_ATTEMPT_CLAIMED) continue;
        if (tick - since < WEIR_ATTEMPT_OLD) {
            all = false;
        } else if (owner.compare_exchange_strong(since, WEIR_ATTEMPT_CLAIMED)) {
            const weir_tcp_record record = record_of(*attempt);
            owner.store(0, std::memory_order_release);
            sink.on_tcp(record);
        }
    }
    return all;
}

}  // namespace weir
