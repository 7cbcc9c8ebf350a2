#include "lmdb-store/sequence.h"

#include <criterion/criterion.h>

#include <limits>
#include <random>

using namespace weir::store;

namespace {

using Random = std::mt19937_64;

std::vector<std::uint64_t> round_trip(const std::vector<std::uint64_t>& values, std::size_t* size = nullptr) {
    std::vector<std::uint8_t> bytes;
    ByteWriter out(bytes);
    write_sequence(out, values);
    if (size != nullptr) *size = bytes.size();
    ByteReader in(bytes);
    std::vector<std::uint64_t> back;
    read_sequence(in, values.size(), back);
    cr_assert(!in.failed());
    cr_assert(in.at_end());
    return back;
}

std::vector<std::uint64_t> make_values(Random& random, std::size_t n) {
    const unsigned kind = static_cast<unsigned>(random() % 7);
    const unsigned width = static_cast<unsigned>(random() % 65);
    std::vector<std::uint64_t> out;
    for (std::size_t i = 0; i < n; i++) {
        const std::uint64_t any = random();
        const std::uint64_t narrow = width == 0 ? 0 : any >> (64 - width);
        switch (kind) {
            case 0: out.push_back(42); break;
            case 1: out.push_back(1000 + i); break;
            case 2: out.push_back(narrow); break;
            case 3: out.push_back(i == 0 ? 5 : out.back() + random() % 9); break;
            case 4: out.push_back(random() % 100 == 0 ? any : random() % 4); break;
            case 5: out.push_back(i % 2 == 0 ? 0 : std::numeric_limits<std::uint64_t>::max()); break;
            default: out.push_back(random() % 30 == 0 ? narrow : 0); break;
        }
    }
    return out;
}

}  // namespace

Test(sequence, round_trip_of_every_kind) {
    Random random(1);
    for (int round = 0; round < 3000; round++) {
        const auto values = make_values(random, random() % 1100);
        cr_assert(round_trip(values) == values, "round %d of %zu values", round, values.size());
    }
}

Test(sequence, every_width_is_exact) {
    for (unsigned width = 0; width <= 64; width++) {
        std::vector<std::uint64_t> values;
        for (std::uint64_t i = 0; i < 300; i++) {
            const std::uint64_t top =
                width == 0 ? 0 : std::numeric_limits<std::uint64_t>::max() >> (64 - width);
            values.push_back(i % 3 == 0 ? top : i % 3 == 1 ? 0 : top / 2);
        }
        cr_assert(round_trip(values) == values, "width %u", width);
    }
}

Test(sequence, is_small_where_values_are) {
    std::size_t size = 0;
    round_trip(std::vector<std::uint64_t>(10000, 7), &size);
    cr_assert_leq(size, 8);
    std::vector<std::uint64_t> mostly_zero(10000, 0);
    for (std::size_t i = 0; i < mostly_zero.size(); i += 500) mostly_zero[i] = 1'000'000'000'000;
    round_trip(mostly_zero, &size);
    cr_assert_leq(size, 400, "%zu", size);
    std::vector<std::uint64_t> ascending;
    for (std::uint64_t i = 0; i < 10000; i++) ascending.push_back(1'000'000'000 + 3 * i + i % 2);
    round_trip(ascending, &size);
    cr_assert_leq(size, 10000 / 3, "%zu", size);
}

Test(sequence, values_must_fit) {
    std::vector<std::uint8_t> bytes;
    ByteWriter out(bytes);
    write_sequence(out, std::vector<std::uint64_t>{1, std::uint64_t{1} << 32, 9});
    std::vector<std::uint32_t> narrow;
    ByteReader in(bytes);
    read_sequence(in, 3, narrow);
    cr_assert(in.failed());
    cr_assert(narrow.empty());
    ByteReader few(bytes);
    std::vector<std::uint64_t> wide;
    read_sequence(few, 2, wide);
    cr_assert(few.failed(), "three values where at most two may be");
}

// What an attacker could write: any bytes, and good ones with some changed.
Test(sequence, any_bytes_are_safe) {
    Random random(2);
    for (int round = 0; round < 20000; round++) {
        std::vector<std::uint8_t> bytes;
        if (round % 2 == 0) {
            ByteWriter out(bytes);
            write_sequence(out, make_values(random, 1 + random() % 600));
            for (int i = 0; i < 3; i++) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
            if (random() % 3 == 0) bytes.resize(random() % bytes.size());
        } else {
            bytes.resize(random() % 60);
            for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        }
        ByteReader in(bytes);
        std::vector<std::uint64_t> out;
        read_sequence(in, 1000, out);
        cr_assert_leq(out.size(), 1000);
        ByteReader again(bytes);
        std::vector<std::uint32_t> narrow;
        read_sequence(again, 1000, narrow);
        cr_assert_leq(narrow.size(), 1000);
    }
}
