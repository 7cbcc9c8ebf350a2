#include "plugin/query/field_values.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "plugin/point/fields.h"

namespace weir::query {
namespace {

// A value as text, in the value itself or in `scratch`; empty when there is none.
std::string_view text_of(const FieldValue& value, FieldScratch& scratch) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return *text;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        const auto end = std::to_chars(scratch.data(), scratch.data() + scratch.size(), *number).ptr;
        return {scratch.data(), static_cast<std::size_t>(end - scratch.data())};
    }
    return {};
}

std::optional<double> number_of(const FieldValue& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    const auto* text = std::get_if<std::string_view>(&value);
    if (text == nullptr || text->empty()) return std::nullopt;
    double number = 0;
    const char* const last = text->data() + text->size();
    const auto [end, error] = std::from_chars(text->data(), last, number);
    if (error != std::errc() || end != last) return std::nullopt;
    return number;
}

// A value that is not there matches only the empty pattern, so that `field:*` asks for a value.
bool matches_text(std::string_view pattern, std::string_view text) {
    return text.empty() ? pattern.empty() : matches_pattern(pattern, text);
}

template <typename Row>
bool matches_field(const Filter& filter, const Batch& batch, const Row& row) {
    FieldScratch scratch, digits;
    const FieldValue value = field_value(batch, row, filter.field, scratch);
    if (filter.comparison == Comparison::matches) {
        return matches_text(filter.pattern, text_of(value, digits));
    }
    const auto number = number_of(value);
    return number && compares(*number, filter.comparison, filter.number);
}

// The names of one end, told to `is_it` until it says yes.
template <typename Row, typename Predicate>
bool any_name_of_end(const Batch& batch, const Row& row, bool local_end, Predicate is_it) {
    FieldScratch scratch;
    const Flow& flow = batch.flows[row.flow];
    const auto named = [&](Field field) {
        const FieldValue value = field_value(batch, row, field, scratch);
        const auto* text = std::get_if<std::string_view>(&value);
        return text != nullptr && !text->empty() && is_it(*text);
    };
    const StringId process = local_end ? flow.process : flow.peer_process;
    if (process != 0 && is_it(batch.strings[process])) return true;
    if ((local_end || flow.peer_is_local) && named(Field::host)) return true;
    if (local_end) return named(Field::src_ip);
    return named(Field::dst_ip) || named(Field::dst_domain);
}

template <typename Row>
bool matches_end(const Filter& filter, const Batch& batch, const Row& row, bool local_end) {
    return any_name_of_end(batch, row, local_end,
                           [&](std::string_view name) { return matches_text(filter.pattern, name); });
}

template <typename Row>
bool matches_row(const Filter& filter, const Batch& batch, const Row& row) {
    const auto matches_one = [&](const Filter& operand) { return matches_row(operand, batch, row); };
    const auto& operands = filter.operands;
    const bool is_client = batch.flows[row.flow].is_client();
    switch (filter.kind) {
        case Filter::Kind::all: return true;
        case Filter::Kind::conjunction: return std::all_of(operands.begin(), operands.end(), matches_one);
        case Filter::Kind::disjunction: return std::any_of(operands.begin(), operands.end(), matches_one);
        case Filter::Kind::negation: return std::none_of(operands.begin(), operands.end(), matches_one);
        case Filter::Kind::field: return matches_field(filter, batch, row);
        case Filter::Kind::any_field:
            return matches_end(filter, batch, row, true) || matches_end(filter, batch, row, false);
        case Filter::Kind::client: return matches_end(filter, batch, row, is_client);
        case Filter::Kind::server: return matches_end(filter, batch, row, !is_client);
    }
    return false;
}

KeyPart address_part(const Address& address) { return {KeyPart::Kind::ip, address.to_string()}; }

KeyPart process_part(const Batch& batch, StringId process, const Address& address) {
    const std::string_view name = batch.strings[process];
    if (name.empty()) return address_part(address);
    return {KeyPart::Kind::process, std::string(name)};
}

KeyPart end_part(View view, const Batch& batch, const Flow& flow, bool local_end) {
    const Address& address = local_end ? flow.local : flow.remote;
    switch (view) {
        case View::host:
            if (local_end || flow.peer_is_local) return {KeyPart::Kind::host, batch.host};
            break;
        case View::process: return process_part(batch, local_end ? flow.process : flow.peer_process, address);
        case View::ip: break;
    }
    return address_part(address);
}

template <typename Row>
KeyPart part_of_row(const Dimension& dimension, const Batch& batch, const Row& row) {
    const Flow& flow = batch.flows[row.flow];
    switch (dimension.kind) {
        case Dimension::Kind::client: return end_part(dimension.view, batch, flow, flow.is_client());
        case Dimension::Kind::server: return end_part(dimension.view, batch, flow, !flow.is_client());
        case Dimension::Kind::field: break;
    }
    FieldScratch scratch, digits;
    const FieldValue value = field_value(batch, row, dimension.field, scratch);
    return {KeyPart::Kind::text, std::string(text_of(value, digits))};
}

// Fields that say the same of a flow from both of its ends.
bool is_same_from_both_ends(Field field) {
    switch (field) {
        case Field::host:
        case Field::service:
        case Field::family:
        case Field::transport:
        case Field::client_ip:
        case Field::client_port:
        case Field::client_ip_type:
        case Field::server_ip:
        case Field::server_port:
        case Field::server_ip_type:
        case Field::method:
        case Field::path:
        case Field::route:
        case Field::http_version:
        case Field::status_code:
        case Field::grpc_status:
        case Field::rcode:
        case Field::truncated: return true;
        default: return false;
    }
}

}  // namespace

// The names of both ends are known to the client's row (peer_process), so terms over them need no care.
bool tells_sides_apart(const Filter& filter) {
    if (filter.kind == Filter::Kind::field) return !is_same_from_both_ends(filter.field);
    return std::any_of(filter.operands.begin(), filter.operands.end(), tells_sides_apart);
}

bool matches(const Filter& filter, const Batch& batch, const L4Row& row) {
    return matches_row(filter, batch, row);
}

bool matches(const Filter& filter, const Batch& batch, const L7Row& row) {
    return matches_row(filter, batch, row);
}

bool matches(const Filter& filter, const Batch& batch, const DnsRow& row) {
    return matches_row(filter, batch, row);
}

bool matches(const Filter& filter, const Batch& batch, const SlowRow& row) {
    return matches_row(filter, batch, request_of(row));
}

bool compares(double value, Comparison comparison, double bound) {
    switch (comparison) {
        case Comparison::less: return value < bound;
        case Comparison::less_equal: return value <= bound;
        case Comparison::greater: return value > bound;
        case Comparison::greater_equal: return value >= bound;
        case Comparison::matches: break;
    }
    return false;
}

L7Row request_of(const SlowRow& row) {
    L7Row out;
    out.flow = row.flow;
    out.method = row.method;
    out.path = row.path;
    out.route = row.route;
    out.status = row.status;
    out.version = row.version;
    out.truncated = row.truncated;
    out.count = 1;
    out.latency.add(row.latency);
    return out;
}

KeyPart key_part(const Dimension& dimension, const Batch& batch, const L4Row& row) {
    return part_of_row(dimension, batch, row);
}

KeyPart key_part(const Dimension& dimension, const Batch& batch, const L7Row& row) {
    return part_of_row(dimension, batch, row);
}

KeyPart key_part(const Dimension& dimension, const Batch& batch, const DnsRow& row) {
    return part_of_row(dimension, batch, row);
}

}  // namespace weir::query
