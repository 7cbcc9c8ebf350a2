// Points as DataKit's Protobuf, package point (com.guance.Point):
//   PBPoints: repeated PBPoint arr = 1
//   PBPoint:  string name = 1, repeated Field fields = 2, int64 time = 3 (ns)
//   Field:    string key = 1, oneof { int64 i = 2, uint64 u = 3, double f = 4, bool b = 5, string s = 11 },
//   bool is_tag = 8
// A tag is a Field with s and is_tag, and one without a value is left out. What text may hold is in
// wire_rules.h. The members of a oneof are written even when they are 0: that is how they are set at all.
//
// Every message is written in one go, without a copy, in its shortest form: of a Field everything but the
// value is a head made before, so its length is known; a PBPoint has room for a length of two bytes and is
// moved in the rare case that it needs another.
//
// Not thread-safe. The same functions, with other heads, make line protocol: line_writer.h.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/point/out_buffer.h"
#include "plugin/point/plain_text.h"

namespace weir {

class ProtobufWriter {
public:
    // Made once for each key; names are clean.
    static Head measurement_head(std::string_view name);
    static Head tag_head(std::string_view key);
    static Head field_head(std::string_view key);
    // A tag that is the same on every point; its value is clean and not empty.
    static Head whole_tag(std::string_view key, std::string_view value);

    // A point: begin, tags, fields, end.
    void begin(const Head& measurement);
    void tag(const Head& whole) { out_.advance_to(whole.copy_to(out_.room(whole.size()))); }
    void tag(const Head& head, std::string_view value);  // any text
    void tag(const Head& head, PlainText value);
    void field(const Head& head, std::string_view value);  // any text
    void field(const Head& head, PlainText value);
    void field(const Head& head, std::int64_t value);
    void field(const Head& head, std::uint64_t value);
    void field(const Head& head, double value);
    void field(const Head& head, std::same_as<bool> auto value) { boolean_field(head, value); }
    // False: no fields; the point is taken back.
    bool end(std::int64_t time_ns);

    // A PBPoints.
    std::string_view bytes() const { return out_.view(); }
    void clear() { out_.cut(0); }

private:
    void write_text_field(const Head& head, std::string_view value);
    void boolean_field(const Head& head, bool value);
    void varint_field(const Head& head, char key, std::uint64_t value);

    OutBuffer out_;
    std::size_t point_ = 0;  // where the point begins
    bool has_fields_ = false;
    std::string scratch_;
};

}  // namespace weir
