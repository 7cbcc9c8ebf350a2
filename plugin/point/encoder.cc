// Both formats are written by the same walk over the point schema: for each kind of row a list of slots, in
// the order of the wire (tags sorted by key, fields as in the schema), each with the head that stands before
// its value and a function that was made for this one field, with nothing to look up or decide.
#include "plugin/point/encoder.h"

#include <array>
#include <utility>

#include "plugin/point/line_writer.h"
#include "plugin/point/protobuf_writer.h"
#include "plugin/point/row_values.h"
#include "plugin/point/wire_rules.h"

namespace weir {
namespace {

template <typename Writer, typename Row>
struct Slot {
    using Put = void (*)(Writer&, const Head&, const Batch&, const Row&);
    Head head;
    Put put;
};

template <typename Writer, typename Row, Field kField>
void put_field(Writer& writer, const Head& head, const Batch& batch, const Row& row) {
    FieldScratch scratch;
    const auto value = row_values::value_of(batch, row, kField, scratch);
    std::visit(
        [&](const auto& v) {
            using Value = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<Value, std::monostate>) {
                return;
            } else if constexpr (info(kField).type != ValueType::tag) {
                writer.field(head, v);
            } else if constexpr (std::is_same_v<Value, PlainText> ||
                                 std::is_same_v<Value, std::string_view>) {
                writer.tag(head, v);
            }
        },
        value);
}

template <typename Writer, typename Row>
void put_whole_tag(Writer& writer, const Head& head, const Batch&, const Row&) {
    writer.tag(head);
}

template <typename Writer, typename Row, std::size_t... kIndexes>
constexpr auto make_puts(std::index_sequence<kIndexes...>) {
    return std::array{&put_field<Writer, Row, static_cast<Field>(kIndexes)>...};
}

template <typename Writer, typename Row>
class RowLayout {
public:
    RowLayout(std::string_view measurement, std::uint8_t bit, const std::vector<Tag>& extra)
        : measurement_(Writer::measurement_head(clean_measurement(measurement))) {
        std::vector<Field> own_tags, own_fields;
        for (std::size_t i = 0; i < kFieldCount; i++) {
            if ((kPointSchema[i].measurements & bit) == 0) continue;
            (kPointSchema[i].type == ValueType::tag ? own_tags : own_fields).push_back(static_cast<Field>(i));
        }
        add_tags(own_tags, own_fields, extra);
        for (const Field field : own_fields) {
            slots_.push_back({Writer::field_head(info(field).name), put_of(field)});
        }
    }

    bool write(Writer& writer, const Batch& batch, const Row& row) const {
        writer.begin(measurement_);
        for (const auto& slot : slots_) slot.put(writer, slot.head, batch, row);
        return writer.end(batch.end_ns);
    }

private:
    static auto put_of(Field field) {
        static constexpr auto kPuts = make_puts<Writer, Row>(std::make_index_sequence<kFieldCount>());
        return kPuts[static_cast<std::size_t>(field)];
    }

    // The row's own tags and fields come first, so that no extra tag takes their names.
    void add_tags(const std::vector<Field>& own, const std::vector<Field>& fields,
                  const std::vector<Tag>& extra) {
        std::vector<std::string_view> keys;
        for (const Field field : own) keys.push_back(info(field).name);
        for (const Tag& tag : extra) {
            const std::string key = clean_key(tag.key);
            const bool is_field =
                std::any_of(fields.begin(), fields.end(), [&](Field f) { return info(f).name == key; });
            keys.push_back(is_field ? std::string_view() : std::string_view(tag.key));
        }
        std::string scratch;
        for (const PointShape::Key& key : make_shape("", keys, {}).tags) {
            if (key.source < own.size()) {
                slots_.push_back({Writer::tag_head(key.name), put_of(own[key.source])});
                continue;
            }
            const std::string_view value = clean_tag_value(extra[key.source - own.size()].value, scratch);
            if (!value.empty())
                slots_.push_back({Writer::whole_tag(key.name, value), put_whole_tag<Writer, Row>});
        }
    }

    const Head measurement_;
    std::vector<Slot<Writer, Row>> slots_;
};

template <typename Writer>
class RowEncoder final : public PointEncoder {
public:
    explicit RowEncoder(const std::vector<Tag>& tags)
        : netflow_("netflow", kNetflow, tags),
          httpflow_("httpflow", kHttpflow, tags),
          dnsflow_("dnsflow", kDnsflow, tags) {}

    void append(const Batch& batch, const L4Row& row) override { count(netflow_.write(writer_, batch, row)); }
    void append(const Batch& batch, const L7Row& row) override {
        count(httpflow_.write(writer_, batch, row));
    }
    void append(const Batch& batch, const DnsRow& row) override {
        count(dnsflow_.write(writer_, batch, row));
    }
    std::string_view bytes() const override { return writer_.bytes(); }
    std::uint64_t point_count() const override { return count_; }
    std::uint64_t refused() const override { return refused_; }
    void clear() override {
        writer_.clear();
        count_ = refused_ = 0;
    }

private:
    void count(bool written) { written ? count_++ : refused_++; }

    const RowLayout<Writer, L4Row> netflow_;
    const RowLayout<Writer, L7Row> httpflow_;
    const RowLayout<Writer, DnsRow> dnsflow_;
    Writer writer_;
    std::uint64_t count_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace

std::unique_ptr<PointEncoder> make_encoder(PointFormat format, const std::vector<Tag>& tags) {
    if (format == PointFormat::protobuf) return std::make_unique<RowEncoder<ProtobufWriter>>(tags);
    return std::make_unique<RowEncoder<LineWriter>>(tags);
}

}  // namespace weir
