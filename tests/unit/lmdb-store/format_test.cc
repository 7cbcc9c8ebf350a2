#include "lmdb-store/format.h"

#include <criterion/criterion.h>

#include <random>

using namespace weir;
using namespace weir::store;

Test(format, keys_are_in_the_order_of_writing) {
    const Key keys[] = {
        {0, 1, Part::header, 0}, {0, 1, Part::l4, 0},   {0, 1, Part::l4, 1},
        {0, 1, Part::l4, 256},   {0, 1, Part::l7, 0},   {0, 2, Part::header, 0},
        {1, 1, Part::header, 0}, {256, 0, Part::l4, 0}, {~std::uint64_t{0}, 0, Part::header, 0}};
    for (std::size_t i = 1; i < std::size(keys); i++) {
        cr_assert(encode_key(keys[i - 1]) < encode_key(keys[i]), "key %zu", i);
        const auto back = decode_key(encode_key(keys[i]));
        cr_assert(back && back->time == keys[i].time && back->sequence == keys[i].sequence &&
                  back->part == keys[i].part && back->block == keys[i].block);
    }
    cr_assert(!decode_key(Bytes(encode_key(keys[0])).first(18)));
}

Test(format, segment_keys_are_in_the_order_of_numbers) {
    const SegmentKey keys[] = {{1, Part::header, 0},   {1, Part::texts, 1}, {1, Part::flows, 0},
                               {1, Part::flows, 4096}, {2, Part::texts, 1}, {256, Part::texts, 1}};
    for (std::size_t i = 1; i < std::size(keys); i++) {
        cr_assert(encode_segment_key(keys[i - 1]) < encode_segment_key(keys[i]), "key %zu", i);
        const auto back = decode_segment_key(encode_segment_key(keys[i]));
        cr_assert(back && back->segment == keys[i].segment && back->part == keys[i].part &&
                  back->first == keys[i].first);
    }
    cr_assert(!decode_segment_key(Bytes(encode_segment_key(keys[0])).first(12)));
}

Test(format, header_round_trip_and_damage) {
    EntryHeader header;
    header.begin_ns = -5;
    header.end_ns = kMaxTime;
    header.host = std::string("h\0x", 3);
    header.service = "s";
    header.segment = 77;
    header.size(Part::l4) = {~std::uint64_t{0}, 3};
    header.size(Part::slow) = {1, 0xffff};
    header.reconciled[1] = Reconciled{5, 0};
    header.first_sequence = 3;
    header.last_sequence = 9;
    header.losses[2] = 7;
    header.losses[kLossCount - 1] = ~std::uint64_t{0};
    std::vector<std::uint8_t> bytes;
    encode_header(header, bytes);
    const auto back = decode_header(bytes);
    cr_assert(back.has_value());
    cr_assert(back->begin_ns == header.begin_ns && back->end_ns == header.end_ns &&
              back->host == header.host && back->service == header.service && back->segment == 77 &&
              back->size(Part::l4).rows == header.size(Part::l4).rows && back->size(Part::l4).blocks == 3 &&
              back->size(Part::slow).blocks == 0xffff && back->size(Part::l7).rows == 0 &&
              back->reconciled[1]->kernel == 5 && !back->reconciled[0] && back->first_sequence == 3 &&
              back->last_sequence == 9 && back->losses == header.losses);
    for (std::size_t i = 0; i < bytes.size(); i++) {
        auto bad = bytes;
        bad[i] ^= 1;
        cr_assert(!decode_header(bad), "byte %zu", i);
        cr_assert(!decode_header(Bytes(bytes).first(i)));
    }
}

Test(format, state_and_format_round_trip_and_damage) {
    State state{1, 2, 3, 4, -5};
    auto bytes = encode_state(state);
    const auto back = decode_state(bytes);
    cr_assert(back && back->store_id == 1 && back->next_sequence == 2 && back->next_minute_sequence == 3 &&
              back->rolled_through == 4 && back->detail_dropped_ns == -5);
    for (std::uint8_t& byte : bytes) {
        byte ^= 0x10;
        cr_assert(!decode_state(bytes));
        byte ^= 0x10;
    }
    auto format = encode_format(kFormatVersion);
    cr_assert_eq(decode_format(format), kFormatVersion);
    for (std::uint8_t& byte : format) {
        byte ^= 0x10;
        cr_assert(!decode_format(format));
        byte ^= 0x10;
    }
}

Test(format, minutes_end_with_their_last_interval) {
    constexpr std::int64_t kAt = 100 * kMinute;
    cr_assert_eq(minute_end(kAt), kAt);
    cr_assert_eq(minute_end(kAt + 1), kAt + kMinute);
    cr_assert_eq(minute_end(kAt - 1), kAt);
    cr_assert_eq(floor_to(-1, 10), -10);
    cr_assert_eq(floor_to(-10, 10), -10);
    cr_assert_eq(floor_to(9, 10), 0);
}
