#include "lmdb-store/block_encoder.h"

#include <criterion/criterion.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "lmdb-store/block_format.h"
#include "lmdb-store/block_reader.h"
#include "lmdb-store/block_rows.h"
#include "lmdb-store/histogram_column.h"
#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;

namespace {

constexpr query::Layer kLayers[] = {query::Layer::l4, query::Layer::l7};

Batch decode(const std::vector<Block>& blocks, const Batch& like) {
    Batch out;
    out.host = like.host;
    out.service = like.service;
    for (const Block& block : blocks) {
        const auto reader = BlockReader::open(block);
        cr_assert(reader.has_value());
        cr_assert(append_rows(*reader, out).has_value());
    }
    return out;
}

void check_round_trip(const Batch& batch) {
    for (const query::Layer layer : kLayers) {
        const Batch back = decode(encode_blocks(batch, layer), batch);
        cr_assert(describe_rows(back, layer) == describe_rows(batch, layer));
    }
}

// Makes the checksums right again after bytes were changed, as an attacker would.
void mend(Block& block) {
    const auto load = [&](std::size_t at, auto& value) {
        std::memcpy(&value, block.data() + at, sizeof(value));
    };
    if (block.size() < kBlockHeaderSize) return;
    std::uint16_t sections = 0;
    load(6, sections);
    const std::size_t end = kBlockHeaderSize + sections * kDirectoryEntrySize;
    if (end + 8 > block.size()) return;
    for (std::size_t at = kBlockHeaderSize; at < end; at += kDirectoryEntrySize) {
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
        load(at + 4, offset);
        load(at + 8, length);
        if (std::uint64_t{offset} + length > block.size()) continue;
        const auto checksum = static_cast<std::uint32_t>(XXH3_64bits(block.data() + offset, length));
        std::memcpy(block.data() + at + 12, &checksum, sizeof(checksum));
    }
    const std::uint64_t checksum = XXH3_64bits(block.data(), end);
    std::memcpy(block.data() + end, &checksum, sizeof(checksum));
}

// Reads all that there is in a block, whatever it is; true when all of it could be read.
bool read_all(const Block& block) {
    const auto reader = BlockReader::open(block);
    if (!reader) return false;
    Batch batch;
    const bool rows = append_rows(*reader, batch).has_value();
    for (const L4Row& row : batch.l4) cr_assert(is_storable(row.rtt) && is_storable(row.rtt_var));
    for (const L7Row& row : batch.l7) cr_assert(is_storable(row.latency));
    // Encoding again uses every member, so that a sanitizer sees what is wrong with it.
    if (rows) static_cast<void>(encode_blocks(batch, reader->layer()));
    return rows;
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
    cr_assert_gt(encode_blocks(*batch, query::Layer::l4).size(), 1);
    check_round_trip(*batch);
}

Test(block, wide_histograms_and_long_texts_end_a_block) {
    Random random(3);
    Shape shape;
    shape.l4_rows = 400;
    shape.l7_rows = 0;
    shape.samples = 6000;
    shape.max_value = ~std::uint64_t{0} >> 16;
    cr_assert_gt(encode_blocks(*make_batch(random, kStart, shape), query::Layer::l4).size(), 1);
    check_round_trip(*make_batch(random, kStart, shape));

    Batch batch;
    batch.flows.emplace_back();
    for (int i = 0; i < 20; i++) {
        L7Row& row = batch.l7.emplace_back();
        row.path = batch.strings.append(std::string(60000, static_cast<char>('a' + i)));
        row.route = row.path;
    }
    cr_assert_gt(encode_blocks(batch, query::Layer::l7).size(), 3);
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
    row.rtt_var.add(Histogram::kMaxValue, ~std::uint64_t{0});
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
    cr_assert(encode_blocks(Batch(), query::Layer::l4).empty());
}

Test(block, damage_is_an_error) {
    Random random(4);
    const BatchPtr batch = make_batch(random, kStart);
    for (const query::Layer layer : kLayers) {
        const Block good = encode_blocks(*batch, layer)[0];
        cr_assert(read_all(good));
        for (std::size_t at = 0; at < good.size(); at++) {
            Block bad = good;
            bad[at] ^= static_cast<std::uint8_t>(1u << random() % 8);
            cr_assert(!read_all(bad), "byte %zu of %zu", at, good.size());
        }
        for (std::size_t size = 0; size < good.size(); size++) {
            cr_assert(!read_all(Block(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))));
        }
    }
}

// A value that its member cannot hold would become another one.
Test(block, values_must_fit_their_members) {
    Batch batch;
    batch.flows.emplace_back().local_port = 0xffff;
    batch.l4.emplace_back();
    Block block = encode_blocks(batch, query::Layer::l4)[0];
    const std::uint8_t dictionary[] = {1, 0, 0xff, 0xff, 0x03};  // one value, constant, 65535
    const auto at = std::search(block.begin(), block.end(), std::begin(dictionary), std::end(dictionary));
    cr_assert(at != block.end());
    *(at + 4) = 0x07;  // 131071
    mend(block);
    cr_assert(!read_all(block));
}

// With right checksums: only the checks of the decoder are left.
Test(block, hostile_bytes_are_safe) {
    Random random(5);
    Shape shape;
    shape.l4_rows = shape.l7_rows = 60;
    const BatchPtr batch = make_batch(random, kStart, shape);
    int readable = 0;
    for (const query::Layer layer : kLayers) {
        const Block good = encode_blocks(*batch, layer)[0];
        for (int round = 0; round < 8000; round++) {
            Block bad = good;
            for (std::uint64_t i = 1 + random() % 4; i > 0; i--) {
                bad[random() % bad.size()] = random() % 3 == 0 ? 0xff : static_cast<std::uint8_t>(random());
            }
            mend(bad);
            readable += read_all(bad) ? 1 : 0;
        }
    }
    cr_assert_gt(readable, 0, "the test does not get past the checksums");
}
