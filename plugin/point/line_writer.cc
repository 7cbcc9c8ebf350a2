#include "plugin/point/line_writer.h"

#include <array>
#include <charconv>
#include <cmath>

#include "plugin/point/wire_rules.h"

namespace weir {
namespace {

constexpr std::size_t kMaxNumber = 32;  // characters of any number

constexpr std::array<bool, 256> make_table(std::string_view special) {
    std::array<bool, 256> out{};
    for (const char c : special) out[static_cast<unsigned char>(c)] = true;
    return out;
}
constexpr auto kInMeasurement = make_table(", ");
constexpr auto kInTag = make_table(",= ");
constexpr auto kInString = make_table("\"\\");

// `to` has room for twice the text.
char* copy_escaped(char* to, std::string_view text, const std::array<bool, 256>& escape) {
    for (const char c : text) {
        *to = '\\';
        to += escape[static_cast<unsigned char>(c)];
        *to++ = c;
    }
    return to;
}

std::string escaped(std::string_view text, const std::array<bool, 256>& escape) {
    std::string out(2 * text.size(), '\0');
    out.resize(static_cast<std::size_t>(copy_escaped(out.data(), text, escape) - out.data()));
    return out;
}

template <typename Number>
char* write_number(char* to, Number value) {
    return std::to_chars(to, to + kMaxNumber, value).ptr;
}

}  // namespace

Head LineWriter::measurement_head(std::string_view name) { return Head(escaped(name, kInMeasurement)); }
Head LineWriter::tag_head(std::string_view key) { return Head("," + escaped(key, kInTag) + "="); }
Head LineWriter::field_head(std::string_view key) { return tag_head(key); }
Head LineWriter::whole_tag(std::string_view key, std::string_view value) {
    return Head("," + escaped(key, kInTag) + "=" + escaped(value, kInTag));
}

void LineWriter::begin(const Head& measurement) {
    point_ = out_.size();
    fields_ = kNone;
    tag(measurement);
}

void LineWriter::tag(const Head& head, std::string_view value) {
    const std::string_view clean = clean_tag_value(value, scratch_);
    if (clean.empty()) return;
    char* const to = head.copy_to(out_.room(head.size() + 2 * clean.size()));
    out_.advance_to(copy_escaped(to, clean, kInTag));
}

void LineWriter::tag(const Head& head, PlainText value) {
    out_.advance_to(copy(head.copy_to(out_.room(head.size() + value.text.size())), value.text));
}

// A field head begins with the comma that stands between two fields.
char* LineWriter::begin_field(const Head& head, std::size_t value_size) {
    char* const at = out_.room(head.size() + value_size);
    char* const value = head.copy_to(at);
    if (fields_ == kNone) {
        *at = ' ';
        fields_ = out_.size();
    }
    return value;
}

void LineWriter::field(const Head& head, std::string_view value) {
    const std::string_view clean = clean_string(value, scratch_);
    char* to = begin_field(head, 2 * clean.size() + 2);
    *to++ = '"';
    to = copy_escaped(to, clean, kInString);
    *to++ = '"';
    out_.advance_to(to);
}

void LineWriter::field(const Head& head, std::int64_t value) {
    char* to = write_number(begin_field(head, kMaxNumber), value);
    *to++ = 'i';
    out_.advance_to(to);
}

void LineWriter::field(const Head& head, std::uint64_t value) {
    char* to = write_number(begin_field(head, kMaxNumber), value);
    *to++ = 'u';
    out_.advance_to(to);
}

void LineWriter::field(const Head& head, double value) {
    if (std::isfinite(value)) out_.advance_to(write_number(begin_field(head, kMaxNumber), value));
}

void LineWriter::raw_field(const Head& head, std::string_view value) {
    out_.advance_to(copy(begin_field(head, value.size()), value));
}

Head LineWriter::ending(std::int64_t time_ns) { return Head(" " + std::to_string(time_ns) + "\n"); }

bool LineWriter::end(std::int64_t time_ns) {
    if (fields_ == kNone || fields_ - point_ > kMaxSeriesKey) {
        out_.cut(point_);
        return false;
    }
    if (time_ns != ending_time_) {
        ending_ = ending(time_ns);
        ending_time_ = time_ns;
    }
    out_.advance_to(ending_.copy_to(out_.room(ending_.size())));
    return true;
}

}  // namespace weir
