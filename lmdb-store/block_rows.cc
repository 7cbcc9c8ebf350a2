#include "lmdb-store/block_rows.h"

#include <tsl/robin_map.h>

#include <algorithm>

namespace weir::store {
namespace {

// Gives the flows and texts of a segment new numbers, in a batch, as they come up.
class Renumbering {
public:
    Renumbering(Segment& segment, Batch& out) : segment_(segment), out_(out) {}

    // False when the flow is lost.
    bool flow(std::uint32_t& number) {
        const auto [at, is_new] = flows_.try_emplace(number, static_cast<std::uint32_t>(out_.flows.size()));
        if (is_new) {
            const Flow* const known = segment_.flow(number);
            if (known == nullptr) {
                flows_.erase(number);
                number = 0;
                return false;
            }
            Flow copy = *known;
            for (const auto member : {&Flow::process, &Flow::peer_process, &Flow::container, &Flow::domain})
                text(copy.*member);
            out_.flows.push_back(copy);
        }
        number = at->second;
        return true;
    }
    void text(StringId& number) {
        if (number == 0) return;
        const auto [at, is_new] = texts_.try_emplace(number, static_cast<StringId>(out_.strings.size()));
        if (is_new) out_.strings.append(segment_.text(number));
        number = at->second;
    }

private:
    Segment& segment_;
    Batch& out_;
    tsl::robin_map<std::uint32_t, std::uint32_t> flows_;
    tsl::robin_map<StringId, StringId> texts_;
};

template <typename Row>
Status read_measures(const BlockReader& block, std::vector<Row>& rows) {
    using Columns = RowColumns<Row>;
    std::vector<std::uint64_t> numbers;
    for (const auto& column : Columns::kNumbers) {
        if (auto ok = block.numbers(column.section, numbers); !ok) return ok;
        for (std::size_t i = 0; i < rows.size(); i++) rows[i].*column.of_row = numbers[i];
    }
    if constexpr (std::is_same_v<Row, SlowRow>) {
        if (auto ok = block.numbers(Section::slow_time, numbers); !ok) return ok;
        for (std::size_t i = 0; i < rows.size(); i++) rows[i].time_ns = static_cast<std::int64_t>(numbers[i]);
    }
    HistogramColumn histograms;
    for (const auto& column : Columns::kHistograms) {
        if (auto ok = block.histograms(column.section, histograms); !ok) return ok;
        for (std::size_t i = 0; i < rows.size(); i++) rows[i].*column.of_row = histograms.at(i);
    }
    return {};
}

template <typename Row>
Status read(const BlockReader& block, Segment& segment, Batch& out, std::vector<std::uint8_t>& lost) {
    std::vector<std::uint32_t> subjects;
    if (auto ok = block.subjects(subjects); !ok) return ok;
    auto& rows = RowColumns<Row>::rows(out);
    rows.assign(block.rows(), Row());
    lost.assign(rows.size(), 0);
    if (auto ok = read_measures(block, rows); !ok) return ok;
    segment.load_texts();
    Renumbering renumbering(segment, out);
    for (std::size_t i = 0; i < rows.size(); i++) {
        if (!segment.set_subject(subjects[i], rows[i]) || !renumbering.flow(rows[i].flow)) {
            rows[i] = Row();
            lost[i] = 1;
            continue;
        }
        if constexpr (requires { rows[i].path; }) {
            renumbering.text(rows[i].method);
            renumbering.text(rows[i].path);
            renumbering.text(rows[i].route);
        }
    }
    // A row that is lost refers to the first flow, whatever it is.
    if (out.flows.empty()) out.flows.emplace_back();
    return {};
}

}  // namespace

Status read_rows(const BlockReader& block, Segment& segment, Batch& out, std::vector<std::uint8_t>& lost) {
    out.strings = StringTable();
    out.flows.clear();
    return with_row_type(block.part(), [&]<typename Row>() { return read<Row>(block, segment, out, lost); });
}

Result<std::uint64_t> check_endpoint_rows(const BlockReader& block, Segment& segment) {
    AttributeColumn column;
    for (std::size_t a = 0; a < kAttributeCount; a++) {
        if (has(kEndpointAttributes, static_cast<Attribute>(a)))
            segment.attribute(static_cast<Attribute>(a), column);
    }
    std::vector<std::uint32_t> endpoints;
    if (auto ok = block.subjects(endpoints); !ok) return tl::unexpected(ok.error());
    std::vector<std::uint64_t> numbers;
    for (const Section section : {Section::minute, Section::rows}) {
        if (auto ok = block.numbers(section, numbers); !ok) return tl::unexpected(ok.error());
    }
    const Status measures = with_row_type(block.part(), [&]<typename Row>() {
        std::vector<Row> rows(block.rows());
        return read_measures(block, rows);
    });
    if (!measures) return tl::unexpected(measures.error());
    return static_cast<std::uint64_t>(std::count_if(
        endpoints.begin(), endpoints.end(),
        [&](std::uint32_t endpoint) { return endpoint < segment.subjects() && !segment.is_lost(endpoint); }));
}

}  // namespace weir::store
