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

namespace weir::http {

enum class RecordKind : std::uint8_t { l4, l7, dns, slow };

// Without a field and evidence: the time in unix ms; the end of the interval, or the begin of a slow request.
struct RecordColumn {
    std::string_view name;
    std::optional<Field> field = std::nullopt;
    Json (*evidence)(const SlowRow& row) = nullptr;
};

// All that a kind of records has, the time first.
std::vector<RecordColumn> record_columns(RecordKind kind);

// Adds a row to the table, a cell for each column.
void add_record(Table& table, const Batch& batch, const L4Row& row, std::int64_t time_ns,
                std::span<const RecordColumn> columns);
void add_record(Table& table, const Batch& batch, const L7Row& row, std::int64_t time_ns,
                std::span<const RecordColumn> columns);
void add_record(Table& table, const Batch& batch, const DnsRow& row, std::int64_t time_ns,
                std::span<const RecordColumn> columns);
// A slow request has its own time.
void add_record(Table& table, const Batch& batch, const SlowRow& row, std::int64_t interval_end_ns,
                std::span<const RecordColumn> columns);

}  // namespace weir::http
