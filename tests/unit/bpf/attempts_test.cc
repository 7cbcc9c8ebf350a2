#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "plugin/source/unsent_connects.h"
#include "tests/unit/bpf/attempts_native.h"

namespace {

constexpr std::uint64_t kSock = 0xffff888100000000, kOther = kSock + 4096;
using Ports = std::vector<std::uint16_t>;

Ports failed() {
    std::array<std::uint16_t, 16> ports{};
    const int n = native_attempts_failed(ports.data(), static_cast<int>(ports.size()));
    return {ports.begin(), ports.begin() + n};
}

}  // namespace

TestSuite(attempts, .init = native_attempts_reset);

Test(attempts, one_whose_syn_follows_has_not_failed) {
    for (std::uint16_t port = 1; port < 100; port++) {
        native_attempt_begin(7, kSock, port);
        native_attempt_sent(7, kSock);
    }
    cr_assert(failed().empty());
    cr_assert_eq(native_attempt_at(7)->since, 0u);
}

Test(attempts, the_next_one_of_a_thread_says_that_the_last_one_failed) {
    native_attempt_begin(7, kSock, 1);
    native_attempt_begin(7, kSock, 2);  // the same socket, or another one at its address
    native_attempt_begin(7, kOther, 3);
    native_attempt_sent(7, kOther);
    native_attempt_begin(7, kSock, 4);
    cr_assert(failed() == (Ports{1, 2}));
}

Test(attempts, another_threads_syn_says_nothing) {
    native_attempt_begin(7, kSock, 1);
    native_attempt_sent(8, kSock);
    native_attempt_sent(7, kOther);
    cr_assert(native_attempt_at(7)->since > WEIR_ATTEMPT_CLAIMED);
}

// Their threads' numbers lead to the same note.
Test(attempts, those_of_several_threads_do_not_meet) {
    for (int i = 0; i < NATIVE_ATTEMPT_WAYS; i++)
        native_attempt_begin(7 + i * WEIR_ATTEMPTS, kSock + i * 8, static_cast<std::uint16_t>(i));
    for (int i = 0; i < NATIVE_ATTEMPT_WAYS; i++) native_attempt_sent(7 + i * WEIR_ATTEMPTS, kSock + i * 8);
    for (int way = 0; way < NATIVE_ATTEMPT_WAYS; way++) cr_assert_eq(native_attempt_at(7 + way)->since, 0u);
    cr_assert(failed().empty());
    cr_assert_eq(native_attempts_unnoted(), 0u);
}

Test(attempts, where_there_is_no_room_it_is_said_and_what_is_old_makes_room) {
    for (int i = 0; i <= NATIVE_ATTEMPT_WAYS; i++)
        native_attempt_begin(7 + i * WEIR_ATTEMPTS, kSock, static_cast<std::uint16_t>(i));
    cr_assert(failed().empty(), "they may be under way");
    cr_assert_eq(native_attempts_unnoted(), 1u);
    native_attempts_pass(WEIR_ATTEMPT_OLD);
    native_attempt_begin(7 + 9 * WEIR_ATTEMPTS, kSock, 9);
    cr_assert(failed() == Ports{0});
    cr_assert_eq(native_attempts_unnoted(), 1u);
}

Test(attempts, what_user_space_is_at_work_on_is_passed_by) {
    native_attempt_at(7)->since = WEIR_ATTEMPT_CLAIMED;
    native_attempt_begin(7, kSock, 1);
    native_attempt_sent(7, kSock);
    cr_assert_eq(native_attempt_at(7)->since, WEIR_ATTEMPT_CLAIMED);
    cr_assert_eq(native_attempt_at(8)->since, 0u);
    cr_assert(failed().empty());
}

namespace {

struct Sink final : weir::RecordSink {
    Ports ports;

    void on_tcp(const weir_tcp_record& record) override {
        cr_assert_eq(record.flags, WEIR_TCP_FAILED | WEIR_TCP_UNSENT);
        ports.push_back(record.id.remote_port);
    }
    void on_http(const weir_http_record&, std::string_view) override {}
    void on_udp(const weir_udp_record&) override {}
    void on_dns(const weir_dns_record&, std::span<const std::uint8_t>) override {}
};

// Notes that user space shares with nobody.
struct Shared {
    static constexpr std::size_t kSize = WEIR_ATTEMPTS * sizeof(weir_attempt);
    const int fd = memfd_create("attempts", MFD_CLOEXEC);
    weir_attempt* notes = nullptr;

    Shared() {
        cr_assert_eq(ftruncate(fd, kSize), 0);
        notes = static_cast<weir_attempt*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
        cr_assert_neq(notes, MAP_FAILED);
    }
    ~Shared() {
        munmap(notes, kSize);
        close(fd);
    }
    void note(std::size_t at, std::uint64_t since, std::uint16_t port) const {
        notes[at].id.remote_port = port;
        notes[at].since = since;
    }
};

}  // namespace

Test(attempts, the_sweep_takes_what_is_old_and_the_last_one_waits_for_the_rest) {
    const Shared shared;
    weir::UnsentConnects connects;
    cr_assert(connects.map(shared.fd));
    Sink sink;
    __u64 ticks = WEIR_TICK_FIRST + WEIR_ATTEMPT_OLD;
    shared.note(0, WEIR_TICK_FIRST, 1);
    shared.note(5, ticks, 2);
    shared.note(6, WEIR_ATTEMPT_CLAIMED, 4);
    shared.note(WEIR_ATTEMPTS - 1, WEIR_TICK_FIRST, 3);
    connects.sweep(sink, ticks, false);
    cr_assert(sink.ports == (Ports{1, 3}));
    connects.sweep(sink, ticks, true);
    cr_assert(sink.ports == (Ports{1, 3, 2}));
    connects.sweep(sink, ticks, true);
    cr_assert_eq(sink.ports.size(), 3u, "once");
}
