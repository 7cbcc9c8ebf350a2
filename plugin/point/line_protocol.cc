// Line protocol as DataKit's dialect has it:
//   name,tags fields timestamp
// Tags are sorted by key, and a tag without a value is left out. In measurements `,` and space are
// escaped with a backslash; in tag keys, tag values and field keys also `=`; in string fields `"` and
// `\`. Integers end in i. A newline becomes a space, a trailing backslash is dropped, a `.` in a key
// becomes `_`. Limits: keys 256 bytes, tag values 1024 bytes. A timestamp is in ns.
#include <algorithm>
#include <array>
#include <charconv>

#include "plugin/point/encoder.h"
#include "plugin/point/fields.h"

namespace weir {
namespace {

constexpr std::size_t kMaxKey = 256;
constexpr std::size_t kMaxTagValue = 1024;

// At most `limit` bytes, not cut inside a UTF-8 sequence, without trailing backslashes.
std::string_view clip(std::string_view text, std::size_t limit) {
    if (text.size() > limit) {
        while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) limit--;
        text = text.substr(0, limit);
    }
    while (!text.empty() && text.back() == '\\') text.remove_suffix(1);
    return text;
}

void append_escaped_tag(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (c == ',' || c == '=' || c == ' ') out.push_back('\\');
        if (c == '\n' || c == '\r') {
            out.append("\\ ");
        } else {
            out.push_back(c);
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    for (const char c : text) {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c == '\n' || c == '\r' ? ' ' : c);
    }
    out.push_back('"');
}

void append_integer(std::string& out, std::int64_t value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

std::string clean_key(std::string_view key) {
    std::string out(clip(key, kMaxKey));
    std::replace(out.begin(), out.end(), '.', '_');
    return out;
}

// A tag of a measurement, in the order of its key: from the row, or the same on every point.
struct TagSource {
    std::string key;  // escaped, with "," before and "=" behind
    bool is_constant = false;
    Field field = Field::host;
    std::string constant;  // escaped
};

struct FieldSource {
    Field field;
    std::string key;  // with "=" behind
};

struct Layout {
    std::string name;
    std::vector<TagSource> tags;
    std::vector<FieldSource> fields;
};

std::string escaped(std::string_view text) {
    std::string out;
    append_escaped_tag(out, text);
    return out;
}

Layout make_layout(std::string name, std::uint8_t measurement, const std::vector<Tag>& extra) {
    Layout layout{std::move(name), {}, {}};
    std::vector<std::pair<std::string, TagSource>> tags;
    for (std::size_t i = 0; i < kFieldCount; i++) {
        const FieldInfo& about = kPointSchema[i];
        const auto field = static_cast<Field>(i);
        if ((about.measurements & measurement) == 0) continue;
        if (about.type == ValueType::tag) {
            tags.emplace_back(about.name, TagSource{"", false, field, ""});
        } else {
            layout.fields.push_back({field, std::string(about.name) + "="});
        }
    }
    for (const Tag& tag : extra) {
        const std::string key = clean_key(tag.key);
        const std::string_view value = clip(tag.value, kMaxTagValue);
        const bool taken =
            std::any_of(tags.begin(), tags.end(), [&](const auto& t) { return t.first == key; });
        if (key.empty() || value.empty() || taken) continue;
        tags.emplace_back(key, TagSource{"", true, Field::host, escaped(value)});
    }
    std::sort(tags.begin(), tags.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [key, source] : tags) {
        source.key = "," + escaped(key) + "=";
        layout.tags.push_back(std::move(source));
    }
    return layout;
}

class LineProtocolEncoder final : public PointEncoder {
public:
    explicit LineProtocolEncoder(const std::vector<Tag>& tags)
        : netflow_(make_layout("netflow", kNetflow, tags)),
          httpflow_(make_layout("httpflow", kHttpflow, tags)),
          dnsflow_(make_layout("dnsflow", kDnsflow, tags)) {}

    void append(const Batch& batch, const L4Row& row) override { append_row(netflow_, batch, row); }
    void append(const Batch& batch, const L7Row& row) override { append_row(httpflow_, batch, row); }
    void append(const Batch& batch, const DnsRow& row) override { append_row(dnsflow_, batch, row); }
    std::string_view bytes() const override { return out_; }
    std::uint64_t point_count() const override { return count_; }
    void clear() override {
        out_.clear();
        count_ = 0;
    }

private:
    template <typename Row>
    void append_row(const Layout& layout, const Batch& batch, const Row& row) {
        FieldScratch scratch;
        out_.append(layout.name);
        for (const TagSource& tag : layout.tags) {
            if (tag.is_constant) {
                out_.append(tag.key).append(tag.constant);
                continue;
            }
            const FieldValue value = field_value(batch, row, tag.field, scratch);
            const auto* text = std::get_if<std::string_view>(&value);
            const std::string_view clipped = text == nullptr ? std::string_view() : clip(*text, kMaxTagValue);
            if (clipped.empty()) continue;
            out_.append(tag.key);
            append_escaped_tag(out_, clipped);
        }
        char separator = ' ';
        for (const FieldSource& field : layout.fields) {
            const FieldValue value = field_value(batch, row, field.field, scratch);
            if (std::holds_alternative<std::monostate>(value)) continue;
            out_.push_back(separator);
            out_.append(field.key);
            append_value(value);
            separator = ',';
        }
        out_.push_back(' ');
        append_integer(out_, batch.end_ns);
        out_.push_back('\n');
        count_++;
    }

    void append_value(const FieldValue& value) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            append_integer(out_, *number);
            out_.push_back('i');
        } else if (const auto* text = std::get_if<std::string_view>(&value)) {
            append_quoted(out_, *text);
        } else {
            out_.append(std::get<bool>(value) ? "true" : "false");
        }
    }

    const Layout netflow_, httpflow_, dnsflow_;
    std::string out_;
    std::uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<PointEncoder> make_line_protocol_encoder(std::vector<Tag> tags) {
    return std::make_unique<LineProtocolEncoder>(tags);
}

}  // namespace weir
