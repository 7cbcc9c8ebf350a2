#include "lmdb-store/run_merge.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <map>
#include <utility>

#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;

namespace {

template <typename Row>
using Sums = std::map<std::uint32_t, Row>;  // by subject

template <typename Row>
void add(Sums<Row>& sums, std::uint32_t subject, const Row& row) {
    Row& into = sums[subject];
    for (const auto& column : RowColumns<Row>::kNumbers) into.*column.of_row += row.*column.of_row;
    for (const auto& column : RowColumns<Row>::kHistograms) (into.*column.of_row).merge(row.*column.of_row);
}

template <typename Row>
Row unpacked(const RunRow<Row>& packed) {
    Row out;
    packed.visit(
        [&](std::size_t c, std::uint64_t number) {
            if (c < RowColumns<Row>::kNumbers.size()) out.*RowColumns<Row>::kNumbers[c].of_row = number;
        },
        [&](std::size_t c, const PackedHistogram& histogram) {
            if constexpr (!std::is_same_v<Row, SlowRow>) {
                std::vector<Histogram::Bucket> buckets;
                for (const std::uint64_t bucket : histogram.buckets()) buckets.push_back(unpack(bucket));
                out.*RowColumns<Row>::kHistograms[c].of_row =
                    Histogram::from_parts(std::move(buckets), histogram.sum(), histogram.max());
            }
        });
    return out;
}

template <typename Row>
bool same(const Row& a, const Row& b) {
    const auto equal = [&](const auto& column) { return a.*column.of_row == b.*column.of_row; };
    return std::all_of(RowColumns<Row>::kNumbers.begin(), RowColumns<Row>::kNumbers.end(), equal) &&
           std::all_of(RowColumns<Row>::kHistograms.begin(), RowColumns<Row>::kHistograms.end(), equal);
}

template <typename Row>
void check(const RowRun<Row>& run, const Sums<Row>& sums) {
    cr_assert_eq(run.size(), sums.size());
    std::size_t at = 0;
    for (const auto& [subject, row] : sums) {
        cr_assert_eq(run[at].subject(), subject);
        cr_assert(same(unpacked(run[at]), row));
        at++;
    }
    cr_assert_not(run.has_repeated());
}

template <typename Row>
RowRun<Row> merge(std::vector<RowRun<Row>> runs, std::size_t step) {
    RowRun<Row> out;
    for (RunMerge<Row> all(std::move(runs)); !all.is_done();) {
        const std::size_t before = out.size();
        all.take(step, out);
        cr_assert(out.size() == before + step || all.is_done());
    }
    return out;
}

template <typename Row>
void check_merge(const std::vector<BatchPtr>& batches, std::size_t step) {
    SegmentWriter segment(1, *batches.front(), {kStart, std::uint64_t{1} << 30});
    std::vector<RowRun<Row>> early, runs;
    Sums<Row> sums;
    for (const BatchPtr& batch : batches) {
        const RowSubjects& subjects = segment.number_rows(*batch);
        const auto& rows = RowColumns<Row>::rows(*batch);
        for (std::size_t i = 0; i < rows.size(); i++) add(sums, subjects.of<Row>()[i], rows[i]);
        auto& to = early.size() < batches.size() / 2 ? early : runs;
        to.push_back(std::move(make_runs(*batch, subjects).template of<Row>()));
    }
    // what was added up before adds up like anything else
    runs.insert(runs.begin(), merge(std::move(early), 1));
    check(merge(std::move(runs), step), sums);
}

}  // namespace

Test(run_merge, says_what_the_rows_say) {
    Random random(7);
    for (std::size_t round = 0; round < 20; round++) {
        Shape shape;
        shape.l4_rows = random() % 300;
        shape.l7_rows = random() % 300;
        shape.hosts = 1 + random() % 20;
        shape.paths = 1 + random() % 20;
        shape.samples = random() % 40;
        std::vector<BatchPtr> batches;
        for (std::size_t i = 0; i < 2 + round % 9; i++) batches.push_back(make_batch(random, kStart, shape));
        check_merge<L4Row>(batches, 1 + round);
        check_merge<L7Row>(batches, 1000);
        check_merge<DnsRow>(batches, 3);
    }
}

Test(run_merge, slow_requests_stay_by_themselves) {
    Random random(8);
    const auto batch = make_batch(random, kStart, {});
    cr_assert_gt(batch->slow.size(), 0u);
    SegmentWriter segment(1, *batch, {kStart, std::uint64_t{1} << 30});
    const RowSubjects& subjects = segment.number_rows(*batch);
    std::vector<RowRun<SlowRow>> twice;
    for (int i = 0; i < 2; i++) twice.push_back(std::move(make_runs(*batch, subjects).of<SlowRow>()));
    const auto out = merge(std::move(twice), batch->slow.size() * 2);
    cr_assert_eq(out.size(), 2 * batch->slow.size());
    std::vector<std::int64_t> times, back;
    for (const SlowRow& row : batch->slow) times.insert(times.end(), 2, row.time_ns);
    for (std::size_t i = 0; i < out.size(); i++) {
        out[i].visit(
            [&](std::size_t c, std::uint64_t number) {
                if (c == RowColumns<SlowRow>::kNumbers.size())
                    back.push_back(static_cast<std::int64_t>(number));
            },
            [](auto&&...) {});
    }
    std::sort(times.begin(), times.end());
    std::sort(back.begin(), back.end());
    cr_assert(times == back);
}
