#include <criterion/criterion.h>

#include <algorithm>

#include "lmdb-store/block_format.h"
#include "lmdb-store/block_reader.h"
#include "lmdb-store/histogram_column.h"
#include "tests/unit/lmdb-store/mend_block.h"
#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;

namespace {

void check_round_trip(const Batch& batch) {
    const auto back = Encoded(batch).decode();
    cr_assert(back.has_value());
    cr_assert(same_rows(*back, batch));
}

// Reads all that there is, whatever it is; true when all of it could be read.
bool read_all(const Encoded& encoded) {
    const auto batch = encoded.decode();
    if (!batch) return false;
    // Encoding again uses every member, so that a sanitizer sees what is wrong with it.
    if (check_batch(*batch)) static_cast<void>(Encoded(*batch));
    return true;
}

// Every block that decoding an encoded batch reads.
std::vector<Block*> all_blocks(Encoded& encoded) {
    std::vector<Block*> out;
    for (auto& block : encoded.segment) {
        if (block.key.part != Part::endpoints) out.push_back(&block.block);
    }
    for (auto& part : encoded.entry.blocks) {
        for (Block& block : part) out.push_back(&block);
    }
    return out;
}

}  // namespace

Test(block, round_trip_of_random_rows) {
    Random random(1);
    for (int round = 0; round < 60; round++) {
        Shape shape;
        shape.l4_rows = random() % 300;
        shape.l7_rows = random() % 300;
        shape.hosts = 1 + random() % 400;
        shape.processes = random() % 30;
        shape.paths = 1 + random() % 200;
        shape.samples = random() % 40;
        shape.max_value = random() % 2 == 0 ? 5000 : ~std::uint64_t{0} >> 8;
        check_round_trip(*make_batch(random, kStart, shape));
    }
}

Test(block, large_intervals_take_several_blocks) {
    Random random(2);
    Shape shape;
    shape.l4_rows = 3 * kBlockRows / 2;
    shape.l7_rows = 2000;
    shape.hosts = 60000;
    shape.samples = 1;
    const BatchPtr batch = make_batch(random, kStart, shape);
    cr_assert_gt(Encoded(*batch).blocks(Part::l4).size(), 1);
    check_round_trip(*batch);
}

Test(block, wide_histograms_and_long_texts_end_a_block) {
    Random random(3);
    Shape shape;
    shape.l4_rows = 400;
    shape.l7_rows = 0;
    shape.samples = 6000;
    shape.max_value = ~std::uint64_t{0} >> 16;
    cr_assert_gt(Encoded(*make_batch(random, kStart, shape)).blocks(Part::l4).size(), 1);
    check_round_trip(*make_batch(random, kStart, shape));

    Batch batch;
    batch.flows.emplace_back();
    for (int i = 0; i < 20; i++) {
        L7Row& row = batch.l7.emplace_back();
        row.path = batch.strings.append(std::string(60000, static_cast<char>('a' + i)));
        row.route = row.path;
    }
    cr_assert_gt(Encoded(batch).segment.size(), 3);
    check_round_trip(batch);
}

Test(block, extreme_values) {
    Batch batch;
    batch.host = std::string("h\0st", 4);
    Flow& flow = batch.flows.emplace_back();
    flow.local.bytes.fill(0xff);
    flow.netns = flow.pid = ~std::uint32_t{0};
    flow.local_port = flow.remote_port = 0xffff;
    flow.transport = Transport::udp;
    flow.direction = Direction::outgoing;
    flow.is_v6 = flow.peer_is_local = true;
    flow.process = batch.strings.append(std::string("\0\n\xff", 3));
    L4Row& row = batch.l4.emplace_back();
    row.bytes_written = row.tcp_closed = ~std::uint64_t{0};
    row.rtt.add(0);
    row.rtt.add(~std::uint64_t{0}, 3);
    row.rtt_var.add(Histogram::kMaxValue, kMaxBucketCount);
    // Put together by somebody whose maximum does not fit the buckets.
    batch.l4.emplace_back().rtt = Histogram::from_parts({{3, 0}, {5, 2}, {2000, 7}}, 1, 17);
    batch.l7.emplace_back().status = 0xffff;
    batch.l7.emplace_back().truncated = true;
    check_round_trip(batch);
}

Test(block, of_rows_without_anything) {
    Batch batch;
    batch.flows.resize(3);
    batch.l4.resize(5);
    batch.l4[4].flow = 2;
    batch.l7.resize(2);
    check_round_trip(batch);
    cr_assert(Encoded(Batch()).blocks(Part::l4).empty());
}

Test(block, damage_is_an_error) {
    Random random(4);
    Encoded encoded(*make_batch(random, kStart));
    cr_assert(read_all(encoded));
    for (Block* const block : all_blocks(encoded)) {
        const Block good = *block;
        for (std::size_t at = 0; at < good.size(); at++) {
            (*block)[at] ^= static_cast<std::uint8_t>(1u << random() % 8);
            cr_assert(!read_all(encoded), "byte %zu of %zu", at, good.size());
            (*block)[at] = good[at];
        }
        for (std::size_t size = 0; size < good.size(); size += 1 + size / 50) {
            block->resize(size);
            cr_assert(!read_all(encoded), "%zu bytes of %zu", size, good.size());
            *block = good;
        }
    }
}

// A value that its member cannot hold would become another one.
Test(block, values_must_fit_their_members) {
    Batch batch;
    batch.flows.emplace_back().local_port = 0xffff;
    batch.l4.emplace_back();
    Encoded encoded(batch);
    Block& block = *all_blocks(encoded)[0];
    const std::uint8_t dictionary[] = {1, 0, 0xff, 0xff, 0x03};  // one value, constant, 65535
    const auto at = std::search(block.begin(), block.end(), std::begin(dictionary), std::end(dictionary));
    cr_assert(at != block.end());
    *(at + 4) = 0x07;  // 131071
    mend(block);
    cr_assert(!read_all(encoded));
}

// With right checksums: only the checks of the decoder are left.
Test(block, hostile_bytes_are_safe) {
    Random random(5);
    Shape shape;
    shape.l4_rows = shape.l7_rows = 60;
    Encoded encoded(*make_batch(random, kStart, shape));
    int readable = 0;
    for (Block* const block : all_blocks(encoded)) {
        const Block good = *block;
        for (int round = 0; round < 2000; round++) {
            for (std::uint64_t i = 1 + random() % 4; i > 0; i--) {
                (*block)[random() % good.size()] =
                    random() % 3 == 0 ? 0xff : static_cast<std::uint8_t>(random());
            }
            mend(*block);
            readable += read_all(encoded) ? 1 : 0;
            *block = good;
        }
    }
    cr_assert_gt(readable, 0, "the test does not get past the checksums");
}

Test(block, rows_of_chosen_chunks_are_as_in_the_whole) {
    Random random(6);
    Shape shape{.l4_rows = 5000, .l7_rows = 0, .hosts = 4000, .samples = 5};
    Encoded encoded(*make_batch(random, kStart, shape));
    const auto reader = BlockReader::open(encoded.blocks(Part::l4)[0]);
    cr_assert(reader.has_value());
    HistogramColumn all, some;
    std::vector<std::uint64_t> numbers, some_numbers;
    cr_assert(reader->histograms(Section::rtt, all) && reader->numbers(Section::bytes_read, numbers));
    for (int round = 0; round < 200; round++) {
        std::vector<std::uint32_t> wanted;
        for (std::uint32_t row = 0; row < reader->rows(); row++) {
            if (random() % 900 == 0) wanted.push_back(row);
        }
        cr_assert(reader->histograms(Section::rtt, some, &wanted).has_value());
        cr_assert(reader->numbers(Section::bytes_read, some_numbers, &wanted).has_value());
        for (const std::uint32_t row : wanted) {
            cr_assert(some.at(row) == all.at(row), "row %u", row);
            cr_assert_eq(some_numbers[row], numbers[row]);
        }
    }
}
