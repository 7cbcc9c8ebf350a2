#include "plugin/point/protobuf_writer.h"

#include <bit>
#include <cmath>
#include <protozero/pbf_builder.hpp>
#include <protozero/varint.hpp>

#include "plugin/point/wire_rules.h"

namespace weir {
namespace {

enum class PointsMember : protozero::pbf_tag_type { arr = 1 };
enum class PointMember : protozero::pbf_tag_type { name = 1, fields = 2, time = 3 };
enum class FieldMember : protozero::pbf_tag_type { key = 1, i = 2, u = 3, f = 4, b = 5, is_tag = 8, s = 11 };

using enum protozero::pbf_wire_type;

// The byte in front of a member; all numbers here are below 16, so it is one.
template <typename Message>
constexpr char key_byte(Message member, protozero::pbf_wire_type type) {
    return static_cast<char>((static_cast<std::uint32_t>(member) << 3) | static_cast<std::uint32_t>(type));
}

constexpr std::size_t kPointLength = 2;  // bytes kept free for a point's length
constexpr std::size_t kMaxVarint = 10;   // bytes

std::size_t varint_size(std::uint64_t value) {
    return static_cast<std::size_t>(protozero::length_of_varint(value));
}

char* write_varint(char* to, std::uint64_t value) { return to + protozero::add_varint_to_buffer(to, value); }

// A Field up to the length of its key's value: fields = 2 and the length of what follows.
char* begin_field(char* to, const Head& head, std::size_t value_size) {
    *to++ = key_byte(PointMember::fields, length_delimited);
    return head.copy_to(write_varint(to, head.size() + value_size));
}

constexpr std::size_t kFieldOverhead = 1 + kMaxVarint;  // of begin_field, besides head and value

char* write_text(char* to, std::string_view text) {
    *to++ = key_byte(FieldMember::s, length_delimited);
    return copy(write_varint(to, text.size()), text);
}

std::size_t text_size(std::string_view text) { return 1 + varint_size(text.size()) + text.size(); }

// A tag's Field up to its value.
std::string tag_start(std::string_view key) {
    std::string bytes;
    protozero::pbf_builder<FieldMember> builder(bytes);
    builder.add_string(FieldMember::key, key.data(), key.size());
    builder.add_bool(FieldMember::is_tag, true);
    return bytes;
}

}  // namespace

Head ProtobufWriter::measurement_head(std::string_view name) {
    std::string bytes;
    protozero::pbf_builder<PointMember>(bytes).add_string(PointMember::name, name.data(), name.size());
    return Head(bytes);
}

Head ProtobufWriter::tag_head(std::string_view key) { return Head(tag_start(key)); }

Head ProtobufWriter::field_head(std::string_view key) {
    std::string bytes;
    protozero::pbf_builder<FieldMember>(bytes).add_string(FieldMember::key, key.data(), key.size());
    return Head(bytes);
}

Head ProtobufWriter::whole_tag(std::string_view key, std::string_view value) {
    std::string field = tag_start(key);
    protozero::pbf_builder<FieldMember>(field).add_string(FieldMember::s, value.data(), value.size());
    std::string bytes;
    protozero::pbf_builder<PointMember>(bytes).add_message(PointMember::fields, field);
    return Head(bytes);
}

void ProtobufWriter::begin(const Head& measurement) {
    point_ = out_.size();
    has_fields_ = false;
    char* const to = out_.room(1 + kPointLength + measurement.size());
    *to = key_byte(PointsMember::arr, length_delimited);
    out_.advance_to(measurement.copy_to(to + 1 + kPointLength));
}

void ProtobufWriter::tag(const Head& head, std::string_view value) {
    const std::string_view clean = clean_tag_value(value, scratch_);
    if (!clean.empty()) tag(head, PlainText{clean});
}

void ProtobufWriter::tag(const Head& head, PlainText value) { write_text_field(head, value.text); }

void ProtobufWriter::field(const Head& head, std::string_view value) {
    field(head, PlainText{clean_string(value, scratch_)});
}

void ProtobufWriter::field(const Head& head, PlainText value) {
    write_text_field(head, value.text);
    has_fields_ = true;
}

void ProtobufWriter::write_text_field(const Head& head, std::string_view value) {
    const std::size_t size = text_size(value);
    char* const to = begin_field(out_.room(kFieldOverhead + head.size() + size), head, size);
    out_.advance_to(write_text(to, value));
}

void ProtobufWriter::varint_field(const Head& head, char key, std::uint64_t value) {
    char* to =
        begin_field(out_.room(kFieldOverhead + head.size() + 1 + kMaxVarint), head, 1 + varint_size(value));
    *to++ = key;
    out_.advance_to(write_varint(to, value));
    has_fields_ = true;
}

void ProtobufWriter::field(const Head& head, std::int64_t value) {
    varint_field(head, key_byte(FieldMember::i, varint), static_cast<std::uint64_t>(value));
}

void ProtobufWriter::field(const Head& head, std::uint64_t value) {
    varint_field(head, key_byte(FieldMember::u, varint), value);
}

void ProtobufWriter::boolean_field(const Head& head, bool value) {
    varint_field(head, key_byte(FieldMember::b, varint), value ? 1 : 0);
}

void ProtobufWriter::field(const Head& head, double value) {
    if (!std::isfinite(value)) return;
    char* to =
        begin_field(out_.room(kFieldOverhead + head.size() + 1 + sizeof(value)), head, 1 + sizeof(value));
    *to++ = key_byte(FieldMember::f, fixed64);
    static_assert(std::endian::native == std::endian::little, "Protobuf's byte order");
    std::memcpy(to, &value, sizeof(value));
    out_.advance_to(to + sizeof(value));
    has_fields_ = true;
}

bool ProtobufWriter::end(std::int64_t time_ns) {
    if (!has_fields_) {
        out_.cut(point_);
        return false;
    }
    char* to = out_.room(2 * kMaxVarint);
    if (time_ns != 0) {  // which is what its absence means
        *to++ = key_byte(PointMember::time, varint);
        to = write_varint(to, static_cast<std::uint64_t>(time_ns));
    }

    char* const length = out_.at(point_ + 1);
    char* const body = length + kPointLength;
    const auto size = static_cast<std::size_t>(to - body);
    const std::size_t needed = varint_size(size);
    if (needed != kPointLength) std::memmove(length + needed, body, size);
    write_varint(length, size);
    out_.advance_to(length + needed + size);
    return true;
}

}  // namespace weir
