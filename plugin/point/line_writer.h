// Line protocol as DataKit's dialect has it:
//   measurement,tag=value,... field=value,... timestamp
// Tags are sorted by key, and a tag without a value is left out. In measurements `,` and space are escaped
// with a backslash; in tag keys, tag values and field keys also `=`; in string fields `"` and `\`. Integers
// end in i, unsigned ones in u. A timestamp is in ns. What text may hold is in wire_rules.h.
//
// Not thread-safe. The same functions, with other heads, make Protobuf: protobuf_writer.h.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/point/out_buffer.h"
#include "plugin/point/plain_text.h"

namespace weir {

class LineWriter {
public:
    LineWriter() : ending_(ending(0)) {}

    // Made once for each key; names are clean.
    static Head measurement_head(std::string_view name);
    static Head tag_head(std::string_view key);
    static Head field_head(std::string_view key);
    // A tag that is the same on every point; its value is clean and not empty.
    static Head whole_tag(std::string_view key, std::string_view value);

    // A point: begin, tags in the order of their keys, fields, end.
    void begin(const Head& measurement);
    void tag(const Head& whole) { out_.advance_to(whole.copy_to(out_.room(whole.size()))); }
    void tag(const Head& head, std::string_view value);  // any text
    void tag(const Head& head, PlainText value);
    void field(const Head& head, std::string_view value);  // any text
    void field(const Head& head, PlainText value) { field(head, value.text); }
    void field(const Head& head, std::int64_t value);
    void field(const Head& head, std::uint64_t value);
    void field(const Head& head, double value);
    void field(const Head& head, std::same_as<bool> auto value) { raw_field(head, value ? "true" : "false"); }
    // False: no fields, or a series key that no receiver takes; the point is taken back.
    bool end(std::int64_t time_ns);

    std::string_view bytes() const { return out_.view(); }
    void clear() { out_.cut(0); }

private:
    static Head ending(std::int64_t time_ns);
    char* begin_field(const Head& head, std::size_t value_size);
    void raw_field(const Head& head, std::string_view value);

    static constexpr std::size_t kNone = ~std::size_t{0};

    OutBuffer out_;
    std::size_t point_ = 0;       // where the point begins
    std::size_t fields_ = kNone;  // where its fields begin
    std::string scratch_;
    // The end of a line, which is mostly that of the one before.
    std::int64_t ending_time_ = 0;
    Head ending_;
};

}  // namespace weir
