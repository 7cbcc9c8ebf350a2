// Makes the corpus that the fuzzer of stored blocks begins with, after a change of the format:
// weir_store_make_corpus tests/fuzz/corpus/store
#include <filesystem>
#include <fstream>
#include <string>

#include "lmdb-store/rollup.h"
#include "tests/unit/lmdb-store/support.h"

namespace {

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;
namespace fs = std::filesystem;

void put(std::ofstream& out, const Block& block) {
    out.put(static_cast<char>(block.size() & 0xff));
    out.put(static_cast<char>(block.size() >> 8));
    out.write(reinterpret_cast<const char*>(block.data()), static_cast<std::streamsize>(block.size()));
}

// One batch, as many files as there are parts, and one of its rows by endpoint.
void make(const fs::path& directory, const std::string& name, std::size_t rows, std::size_t samples) {
    Random random(rows);
    const Shape shape{
        .l4_rows = rows, .l7_rows = rows, .dns_rows = rows, .slow_rows = rows, .samples = samples};
    Encoded encoded(*make_batch(random, kStart, shape));
    for (std::size_t i = 0; i < kRowParts.size(); i++) {
        std::ofstream out(directory / (name + "-" + std::to_string(i)), std::ios::binary);
        out.put(static_cast<char>(i));
        for (const auto& block : encoded.segment) put(out, block.block);
        for (const Block& block : encoded.blocks(kRowParts[i])) put(out, block);
    }
    Rollup rollup;
    EndpointRollup hour;
    const auto batch = make_batch(random, kStart, shape);
    SegmentWriter segment(1, *batch, {kStart, std::uint64_t{1} << 30});
    RowRuns runs = make_runs(*batch, segment.number_rows(*batch));
    const NewEntry interval = make_entry(*batch, runs, 1);
    rollup.add(std::move(runs), interval.header);
    rollup.encode(2 * rows * kRowParts.size() + 1);
    ClosedPart part = rollup.take();
    hour.add(part.minute.header, 1, *part.by_endpoint);
    const NewEntry entry = hour.take();
    SegmentWriter::Marks marks;
    for (std::size_t i = 0; i < kRowParts.size(); i++) {
        if (entry.blocks[i].empty()) continue;
        std::ofstream out(directory / (name + "-endpoints-" + std::to_string(i)), std::ios::binary);
        out.put(static_cast<char>(0x80 | i));
        for (const auto& block : segment.unwritten(marks)) put(out, block.block);
        for (const Block& block : entry.blocks[i]) put(out, block);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    make(argv[1], "one", 1, 1);
    make(argv[1], "few", 7, 4);
    make(argv[1], "some", 40, 9);
    return 0;
}
