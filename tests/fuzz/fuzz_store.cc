// Stored blocks, the subjects of a segment and rows that refer to them, from any bytes.
//
// Input: u8 which part of rows, 0x80 more for those of the endpoint table; then blocks, each with its length
// (u16, little-endian) in front. Their checksums are made right, and they are read as what they say they are.
#include <algorithm>
#include <vector>

#include "lmdb-store/block_rows.h"
#include "lmdb-store/bytes.h"
#include "lmdb-store/histogram_column.h"
#include "tests/fuzz/input.h"
#include "tests/unit/lmdb-store/mend_block.h"

namespace {

using namespace weir;
using namespace weir::store;
using fuzz::check;

template <typename Row>
void check_rows(const Batch& batch, const std::vector<std::uint8_t>& lost) {
    const auto& rows = RowColumns<Row>::rows(batch);
    check(lost.size() == rows.size(), "a mark for each row");
    for (const Row& row : rows) {
        check(row.flow < batch.flows.size(), "a flow in range");
        if constexpr (requires { row.path; }) {
            check(std::max({row.method, row.path, row.route}) < batch.strings.size(), "texts in range");
        }
        for (const auto& column : RowColumns<Row>::kHistograms)
            check(is_storable(row.*column.of_row), "a sound histogram");
    }
}

// Some rows must be read as they are among all.
void read_some(const BlockReader& block) {
    std::vector<std::uint32_t> wanted;
    for (std::uint32_t row = 0; row < block.rows(); row += 7) wanted.push_back(row);
    std::vector<std::uint64_t> all, some;
    const bool is_readable = block.numbers(Section::bytes_read, all).has_value();
    if (is_readable && block.numbers(Section::bytes_read, some, &wanted)) {
        for (const std::uint32_t row : wanted) check(all[row] == some[row], "the same number");
    }
    HistogramColumn every, few;
    if (block.histograms(Section::rtt, every) && block.histograms(Section::rtt, few, &wanted)) {
        for (const std::uint32_t row : wanted) check(every.at(row) == few.at(row), "the same histogram");
    }
}

std::vector<std::vector<std::uint8_t>> read_input(ByteReader& in) {
    std::vector<std::vector<std::uint8_t>> blocks;
    while (!in.at_end() && blocks.size() < 64) {
        const std::size_t length = in.fixed<std::uint16_t>();
        const Bytes bytes = in.take(std::min(length, in.remaining()));
        blocks.emplace_back(bytes.begin(), bytes.end());
        test::mend(blocks.back());
    }
    return blocks;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in(Bytes(data, size));
    const auto kind = in.fixed<std::uint8_t>();
    const bool by_endpoint = (kind & 0x80) != 0;
    const Part part = kRowParts[(kind & 0x7f) % kRowParts.size()];
    const auto blocks = read_input(in);
    Segment segment;
    segment.begin(by_endpoint ? Part::endpoints : part);
    for (const auto& block : blocks) {
        const auto reader = BlockReader::open(block);
        if (reader) segment.add({1, reader->part(), reader->first()}, block);
    }
    segment.end();
    AttributeColumn column;
    for (std::size_t i = 0; i < kAttributeCount; i++) segment.attribute(static_cast<Attribute>(i), column);
    for (const auto& block : blocks) {
        const auto reader = BlockReader::open(block);
        if (!reader || reader->part() != part) continue;
        read_some(*reader);
        if (by_endpoint) {
            const auto rows = check_endpoint_rows(*reader, segment);
            check(!rows || *rows <= reader->rows(), "no more rows than there are");
            continue;
        }
        Batch batch;
        std::vector<std::uint8_t> lost;
        if (!read_rows(*reader, segment, batch, lost)) continue;
        with_row_type(part, [&]<typename Row>() { check_rows<Row>(batch, lost); });
    }
    return 0;
}
