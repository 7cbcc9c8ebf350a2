// The columns of flow records: the time, the fields of the point schema and, of slow requests, what their
// sockets said.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "http/api/table.h"
#include "plugin/flow/batch.h"
#include "plugin/point/fields.h"
#include "plugin/query/query.h"

namespace weir::http {

enum class RecordKind : std::uint8_t { l4, l7, dns, slow };

// Slow requests are of layer l7.
RecordKind record_kind(query::Layer layer, bool slow);

// Without a field and evidence: the time in unix ms; the end of the interval, or the begin of a slow request.
struct RecordColumn {
    std::string_view name;
    std::optional<Field> field = std::nullopt;
    Json (*evidence)(const SlowRow& row) = nullptr;
};

// All that a kind of records has, the time first.
std::vector<RecordColumn> record_columns(RecordKind kind);

// Adds a row to the table, a cell for each column. A slow request has its own time. Row: L4Row, L7Row, DnsRow,
// SlowRow.
template <typename Row>
void add_record(Table& table, const Batch& batch, const Row& row, std::int64_t time_ns,
                std::span<const RecordColumn> columns);

extern template void add_record(Table&, const Batch&, const L4Row&, std::int64_t, std::span<const RecordColumn>);
extern template void add_record(Table&, const Batch&, const L7Row&, std::int64_t, std::span<const RecordColumn>);
extern template void add_record(Table&, const Batch&, const DnsRow&, std::int64_t, std::span<const RecordColumn>);
extern template void add_record(Table&, const Batch&, const SlowRow&, std::int64_t, std::span<const RecordColumn>);

}  // namespace weir::http
