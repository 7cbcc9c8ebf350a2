#include "http/api/table.h"

#include <array>

#include "plugin/base/utf8.h"

namespace weir::http {
namespace {

constexpr std::array<const char*, 3> kEndMembers = {"id", "kind", "name"};
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string_view kind_name(query::KeyPart::Kind kind) {
    switch (kind) {
        case query::KeyPart::Kind::host: return "host";
        case query::KeyPart::Kind::process: return "process";
        case query::KeyPart::Kind::ip: return "ip";
        case query::KeyPart::Kind::text: break;
    }
    return "text";
}

bool begins_formula(std::string_view text) {
    return !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
}

// `at` is moved over what was written: one byte, or the two of a control character above ASCII.
void append_character(std::string& out, std::string_view text, std::size_t& at) {
    const auto c = static_cast<unsigned char>(text[at]);
    const auto next = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0u;
    if (c == 0xC2 && next >= 0x80 && next <= 0x9F) {
        out += kReplacement;
        at++;
    } else if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F) {
        out += kReplacement;
    } else {
        if (c == '"') out += '"';
        out += text[at];
    }
}

std::string text_cell(std::string_view raw) {
    std::string scratch, out = "\"";
    const std::string_view text = to_utf8(raw, scratch);
    if (begins_formula(text)) out += '\'';
    for (std::size_t at = 0; at < text.size(); at++) append_character(out, text, at);
    return out + '"';
}

std::string cell(const Json& value) {
    if (value.is_null()) return {};
    if (value.is_string()) return text_cell(value.get_ref<const std::string&>());
    return to_text(value);
}

void append_line(std::string& out, const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); i++) (out += i == 0 ? "" : ",") += cells[i];
    out += "\r\n";
}

std::vector<std::string> header_cells(const Table& table) {
    std::vector<std::string> out;
    for (const auto& column : table.columns) {
        if (!column.is_end) {
            out.push_back(column.name);
            continue;
        }
        for (const auto* const member : kEndMembers) out.push_back(column.name + "." + member);
    }
    return out;
}

std::vector<std::string> row_cells(const Table& table, const std::vector<Json>& row) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < table.columns.size(); i++) {
        if (!table.columns[i].is_end) {
            out.push_back(cell(row[i]));
            continue;
        }
        for (const auto* const member : kEndMembers) out.push_back(cell(row[i].at(member)));
    }
    return out;
}

}  // namespace

std::string end_id(const query::KeyPart& end) {
    std::string scratch;
    return std::string(kind_name(end.kind)) + ":" + std::string(to_utf8(end.text, scratch));
}

Json end_json(const query::KeyPart& end) {
    return {{"id", end_id(end)}, {"kind", kind_name(end.kind)}, {"name", json_text(end.text)}};
}

Json rows_json(const Table& table) {
    Json out = Json::array();
    for (const auto& row : table.rows) {
        Json object = Json::object();
        for (std::size_t i = 0; i < row.size(); i++) object[table.columns[i].name] = row[i];
        out.push_back(std::move(object));
    }
    return out;
}

std::string to_csv(const Table& table) {
    std::string out;
    append_line(out, header_cells(table));
    for (const auto& row : table.rows) append_line(out, row_cells(table, row));
    return out;
}

}  // namespace weir::http
