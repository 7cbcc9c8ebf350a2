#include "lmdb-store/block_rows.h"

#include <algorithm>

namespace weir::store {
namespace {

// Everything is read into these first, so that an error leaves the batch alone.
template <typename Row>
struct Decoded {
    std::vector<std::string_view> texts;
    std::vector<Flow> flows;
    std::vector<Row> rows;
};

template <typename Row>
Status set_attribute(const BlockReader& block, Attribute attribute, Decoded<Row>& out) {
    AttributeColumn column;
    if (auto ok = block.attribute(attribute, column); !ok) return ok;
    if (info(attribute).is_text) {
        const auto known = [&](std::uint64_t id) { return id < out.texts.size(); };
        if (!std::all_of(column.values.begin(), column.values.end(), known)) {
            return fail(ErrorCode::storage, "damaged block: a text that is not there");
        }
    }
    if (is_of_row(attribute)) {
        if constexpr (RowColumns<Row>::kAttributes != 0) {
            for (std::size_t i = 0; i < out.rows.size(); i++) {
                set_value(out.rows[i], attribute, column.values[column.codes[i]]);
            }
        }
        return {};
    }
    for (std::size_t i = 0; i < out.flows.size(); i++) {
        const std::uint32_t code = column.codes[i];
        switch (attribute) {
            case Attribute::local: out.flows[i].local = column.addresses[code]; break;
            case Attribute::remote: out.flows[i].remote = column.addresses[code]; break;
            default: set_value(out.flows[i], attribute, column.values[code]); break;
        }
    }
    return {};
}

template <typename Row>
Status decode(const BlockReader& block, Decoded<Row>& out) {
    using Columns = RowColumns<Row>;
    if (auto ok = block.texts(out.texts); !ok) return ok;
    std::vector<std::uint32_t> row_flow;
    if (auto ok = block.row_flow(row_flow); !ok) return ok;
    out.flows.resize(block.flows());
    out.rows.resize(block.rows());
    for (std::size_t i = 0; i < out.rows.size(); i++) out.rows[i].flow = row_flow[i];
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        const auto attribute = static_cast<Attribute>(i);
        if (is_of_row(attribute) && !has(Columns::kAttributes, attribute)) continue;
        if (auto ok = set_attribute(block, attribute, out); !ok) return ok;
    }
    std::vector<std::uint64_t> numbers;
    for (const auto& column : Columns::kNumbers) {
        if (auto ok = block.numbers(column.section, numbers); !ok) return ok;
        for (std::size_t i = 0; i < out.rows.size(); i++) out.rows[i].*column.of_row = numbers[i];
    }
    HistogramColumn histograms;
    for (const auto& column : Columns::kHistograms) {
        if (auto ok = block.histograms(column.section, histograms); !ok) return ok;
        for (std::size_t i = 0; i < out.rows.size(); i++) out.rows[i].*column.of_row = histograms.at(i);
    }
    return {};
}

template <typename Row>
void renumber_texts(Row& row, const std::vector<StringId>& id) {
    if constexpr (RowColumns<Row>::kAttributes != 0) {
        row.method = id[row.method];
        row.path = id[row.path];
        row.route = id[row.route];
    }
}

template <typename Row>
Status append(const BlockReader& block, Batch& into) {
    Decoded<Row> decoded;
    if (auto ok = decode(block, decoded); !ok) return ok;
    std::vector<StringId> id(decoded.texts.size(), 0);
    for (std::size_t i = 1; i < id.size(); i++) id[i] = into.strings.append(decoded.texts[i]);
    const auto first_flow = static_cast<std::uint32_t>(into.flows.size());
    for (Flow& flow : decoded.flows) {
        flow.process = id[flow.process];
        flow.peer_process = id[flow.peer_process];
        into.flows.push_back(flow);
    }
    auto& rows = RowColumns<Row>::rows(into);
    for (Row& row : decoded.rows) {
        row.flow += first_flow;
        renumber_texts(row, id);
        rows.push_back(std::move(row));
    }
    return {};
}

}  // namespace

Status append_rows(const BlockReader& block, Batch& into) {
    return block.layer() == query::Layer::l4 ? append<L4Row>(block, into) : append<L7Row>(block, into);
}

}  // namespace weir::store
