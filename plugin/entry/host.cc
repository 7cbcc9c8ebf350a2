#include "plugin/entry/host.h"

#include <algorithm>
#include <cstring>

namespace weir::entry {

weir_code to_code(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return WEIR_E_INVALID_ARGUMENT;
        case ErrorCode::bad_state: return WEIR_E_STATE;
        case ErrorCode::bad_config: return WEIR_E_CONFIG;
        case ErrorCode::no_privilege: return WEIR_E_PRIVILEGE;
        case ErrorCode::unsupported: return WEIR_E_UNSUPPORTED;
        case ErrorCode::address_in_use: return WEIR_E_ADDRESS_IN_USE;
        case ErrorCode::storage: return WEIR_E_STORAGE;
        case ErrorCode::timeout: return WEIR_E_TIMEOUT;
        case ErrorCode::no_memory: return WEIR_E_NO_MEMORY;
        case ErrorCode::cancelled: return WEIR_E_CANCELLED;
        case ErrorCode::internal: break;
    }
    return WEIR_E_INTERNAL;
}

Result<Host> Host::copy(const weir_host_v1* table) {
    if (table == nullptr) return fail(ErrorCode::invalid_argument, "the host table is NULL");
    constexpr std::size_t kNeeded = offsetof(weir_host_v1, now_ns) + sizeof(table->now_ns);
    if (table->struct_size < kNeeded) {
        return fail(ErrorCode::invalid_argument, "the host table is too small: it must reach to now_ns");
    }
    Host host;
    std::memcpy(&host.table_, table, std::min<std::size_t>(table->struct_size, sizeof(host.table_)));
    host.table_.name = host.table_.version = {};  // borrowed
    if (host.table_.log == nullptr || host.table_.emit_points == nullptr || host.table_.now_ns == nullptr) {
        return fail(ErrorCode::invalid_argument, "log, emit_points and now_ns must not be NULL");
    }
    return host;
}

std::optional<PointFormat> Host::points_format() const {
    switch (table_.points_format) {
        case WEIR_FORMAT_LINE_PROTOCOL: return PointFormat::line_protocol;
        case WEIR_FORMAT_PROTOBUF: return PointFormat::protobuf;
        default: return std::nullopt;
    }
}

weir_emit_result Host::emit(std::string_view bytes, std::uint64_t point_count) const {
    return table_.emit_points(table_.ctx, table_.points_format,
                              reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), point_count);
}

void Host::report_status(weir_code code, std::string_view text) const {
    if (table_.emit_status != nullptr) table_.emit_status(table_.ctx, code, text.data(), text.size());
}

bool Host::should_stop() const {
    return table_.should_stop != nullptr && table_.should_stop(table_.ctx) != 0;
}

std::uint64_t Host::global_tags_version() const {
    return table_.global_tags == nullptr ? 0 : table_.global_tags(table_.ctx, nullptr, 0, nullptr);
}

std::vector<Tag> Host::global_tags() const {
    std::vector<Tag> out;
    if (table_.global_tags == nullptr) return out;
    constexpr std::uint64_t kMaxBytes = 1 << 20;
    std::string text;
    std::uint64_t length = 0;
    table_.global_tags(table_.ctx, nullptr, 0, &length);
    text.resize(std::min(length, kMaxBytes));
    table_.global_tags(table_.ctx, text.data(), text.size(), &length);
    text.resize(std::min<std::uint64_t>(length, text.size()));
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        out.push_back({std::string(line.substr(0, equals)), std::string(line.substr(equals + 1))});
    }
    return out;
}

}  // namespace weir::entry
