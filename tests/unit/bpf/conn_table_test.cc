#include <criterion/criterion.h>

#include <array>
#include <cstdint>
#include <vector>

#include "tests/unit/bpf/conn_table_native.h"

namespace {

// So many sockets of one bucket.
std::vector<std::uint64_t> of_one_bucket(std::size_t n) {
    std::vector<std::uint64_t> out;
    for (std::uint64_t sock = 0xffff888100000000; out.size() < n; sock += 2304) {
        if (native_table_bucket(sock) == native_table_bucket(0xffff888100000000)) out.push_back(sock);
    }
    return out;
}

}  // namespace

TestSuite(conn_table, .init = native_table_reset);

Test(conn_table, a_place_is_found_by_its_socket_until_it_is_left) {
    const auto socks = of_one_bucket(2);
    const std::uint32_t first = native_table_take(socks[0]), second = native_table_take(socks[1]);
    cr_assert(first != 0 && second != 0 && first != second);
    cr_assert_eq(native_table_find(socks[0]), first);
    cr_assert_eq(native_table_find(socks[1]), second);
    native_table_leave(first);
    cr_assert_eq(native_table_find(socks[0]), 0u);
    cr_assert_eq(native_table_find(socks[1]), second);
}

Test(conn_table, a_full_bucket_has_no_room_and_others_have) {
    const auto socks = of_one_bucket(NATIVE_TABLE_WAYS + 1);
    for (std::size_t i = 0; i < NATIVE_TABLE_WAYS; i++) cr_assert(native_table_take(socks[i]) != 0);
    cr_assert_eq(native_table_take(socks[NATIVE_TABLE_WAYS]), 0u);
    std::uint64_t other = socks[0];
    while (native_table_bucket(other) == native_table_bucket(socks[0])) other += 2304;
    cr_assert(native_table_take(other) != 0);
}

// A program on another processor may be at work on what was there.
Test(conn_table, a_place_rests_before_another_socket_takes_it) {
    const auto socks = of_one_bucket(NATIVE_TABLE_WAYS + 1);
    std::array<std::uint32_t, NATIVE_TABLE_WAYS> places{};
    for (std::size_t i = 0; i < places.size(); i++) places[i] = native_table_take(socks[i]);
    native_table_leave(places[2]);
    const std::uint64_t other = socks[NATIVE_TABLE_WAYS];
    cr_assert_eq(native_table_take(other), 0u);
    native_table_pass(NATIVE_TABLE_REST - 1);
    cr_assert_eq(native_table_take(other), 0u);
    native_table_pass(1);
    cr_assert_eq(native_table_take(other), places[2]);
}

Test(conn_table, the_same_address_has_its_place_back_at_once) {
    const auto socks = of_one_bucket(NATIVE_TABLE_WAYS);
    std::array<std::uint32_t, NATIVE_TABLE_WAYS> places{};
    for (std::size_t i = 0; i < places.size(); i++) places[i] = native_table_take(socks[i]);
    for (const std::size_t i : std::array<std::size_t, 4>{3, 0, 1, 2}) {
        for (int again = 0; again < 3; again++) {
            native_table_leave(places[i]);
            cr_assert_eq(native_table_take(socks[i]), places[i]);
        }
    }
}

// Two processors may find at once that a connection is over.
Test(conn_table, what_was_left_twice_is_free_once) {
    const auto socks = of_one_bucket(1);
    const std::uint32_t place = native_table_take(socks[0]);
    native_table_leave(place);
    native_table_leave(place);
    cr_assert_eq(native_table_find(socks[0]), 0u);
    cr_assert_eq(native_table_take(socks[0]), place);
}

Test(conn_table, what_the_walk_looks_at_is_not_taken) {
    const auto socks = of_one_bucket(1);
    const std::uint32_t place = native_table_take(socks[0]);
    native_table_walk(place);
    native_table_leave(place);
    const std::uint32_t other = native_table_take(socks[0]);
    cr_assert_neq(other, place);
    cr_assert_neq(other, 0u);
    native_table_leave(other);
    native_table_walk(0);
    native_table_pass(NATIVE_TABLE_REST);
    cr_assert_eq(native_table_find(socks[0]), 0u);
    cr_assert_neq(native_table_take(socks[0]), 0u);
}

Test(conn_table, nothing_is_taken_before_it_opens) {
    native_table_open(0);
    cr_assert_eq(native_table_take(of_one_bucket(1)[0]), 0u);
}
