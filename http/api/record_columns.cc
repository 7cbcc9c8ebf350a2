#include "http/api/record_columns.h"

#include <array>
#include <type_traits>
#include <variant>

#include "plugin/query/field_values.h"

namespace weir::http {
namespace {

// 0 where the kernel side could not know.
Json known(std::uint64_t value) { return value == 0 ? Json(nullptr) : Json(value); }

constexpr std::array kEvidence = {
    RecordColumn{.name = "total", .evidence = [](const SlowRow& row) { return known(row.total); }},
    RecordColumn{.name = "server_time",
                 .evidence = [](const SlowRow& row) { return Json(row.latency - row.network_stall); }},
    RecordColumn{.name = "network_stall", .evidence = [](const SlowRow& row) { return Json(row.network_stall); }},
    RecordColumn{.name = "retransmits", .evidence = [](const SlowRow& row) { return Json(row.retransmits); }},
    RecordColumn{.name = "rtt", .evidence = [](const SlowRow& row) { return known(row.rtt); }},
    RecordColumn{.name = "unread_bytes", .evidence = [](const SlowRow& row) { return Json(row.unread_bytes); }},
    RecordColumn{.name = "unsent_bytes", .evidence = [](const SlowRow& row) { return Json(row.unsent_bytes); }},
    RecordColumn{.name = "connection_age",
                 .evidence = [](const SlowRow& row) { return known(row.connection_age); }},
};

// What adds up over requests says nothing of one.
bool is_of_many(Field field) {
    switch (field) {
        case Field::bytes_read:
        case Field::bytes_written:
        case Field::client_sent:
        case Field::server_sent:
        case Field::grpc_status:
        case Field::count:
        case Field::latency_p50:
        case Field::latency_p95:
        case Field::latency_p99:
        case Field::latency_max: return true;
        default: return false;
    }
}

std::uint8_t measurement_of(RecordKind kind) {
    switch (kind) {
        case RecordKind::l4: return kNetflow;
        case RecordKind::dns: return kDnsflow;
        default: return kHttpflow;
    }
}

Json json_of(const FieldValue& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return json_text_or_null(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    return nullptr;
}

Json cell(const RecordColumn& column, const Batch& batch, const auto& row, std::int64_t time_ns,
          const SlowRow* slow) {
    FieldScratch scratch;
    if (column.field) return json_of(field_value(batch, row, *column.field, scratch));
    if (column.evidence == nullptr) return json_time(time_ns);
    return slow != nullptr ? column.evidence(*slow) : Json(nullptr);
}

}  // namespace

RecordKind record_kind(query::Layer layer, bool slow) {
    if (slow) return RecordKind::slow;
    switch (layer) {
        case query::Layer::l4: return RecordKind::l4;
        case query::Layer::l7: return RecordKind::l7;
        case query::Layer::dns: break;
    }
    return RecordKind::dns;
}

std::vector<RecordColumn> record_columns(RecordKind kind) {
    std::vector<RecordColumn> out = {{.name = "time"}};
    for (std::size_t i = 0; i < kFieldCount; i++) {
        const auto field = static_cast<Field>(i);
        if ((kPointSchema[i].measurements & measurement_of(kind)) == 0) continue;
        if (kind == RecordKind::slow && is_of_many(field)) continue;
        out.push_back({.name = kPointSchema[i].name, .field = field});
    }
    if (kind == RecordKind::slow) out.insert(out.end(), kEvidence.begin(), kEvidence.end());
    return out;
}

template <typename Row>
void add_record(Table& table, const Batch& batch, const Row& row, std::int64_t time_ns,
                std::span<const RecordColumn> columns) {
    auto& cells = table.rows.emplace_back();
    cells.reserve(columns.size());
    if constexpr (std::is_same_v<Row, SlowRow>) {
        const L7Row request = query::request_of(row);
        for (const RecordColumn& column : columns)
            cells.push_back(cell(column, batch, request, row.time_ns, &row));
    } else {
        for (const RecordColumn& column : columns) cells.push_back(cell(column, batch, row, time_ns, nullptr));
    }
}

template void add_record(Table&, const Batch&, const L4Row&, std::int64_t, std::span<const RecordColumn>);
template void add_record(Table&, const Batch&, const L7Row&, std::int64_t, std::span<const RecordColumn>);
template void add_record(Table&, const Batch&, const DnsRow&, std::int64_t, std::span<const RecordColumn>);
template void add_record(Table&, const Batch&, const SlowRow&, std::int64_t, std::span<const RecordColumn>);

}  // namespace weir::http
