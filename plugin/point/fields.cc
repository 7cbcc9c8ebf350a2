#include "plugin/point/fields.h"

#include "plugin/point/row_values.h"

namespace weir {
namespace {

FieldValue to_field_value(const row_values::RowValue& value) {
    return std::visit(
        [](const auto& v) -> FieldValue {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, PlainText>) {
                return v.text;
            } else {
                return v;
            }
        },
        value);
}

}  // namespace

FieldValue field_value(const Batch& batch, const L4Row& row, Field field, FieldScratch& scratch) {
    return to_field_value(row_values::value_of(batch, row, field, scratch));
}

FieldValue field_value(const Batch& batch, const L7Row& row, Field field, FieldScratch& scratch) {
    return to_field_value(row_values::value_of(batch, row, field, scratch));
}

FieldValue field_value(const Batch& batch, const DnsRow& row, Field field, FieldScratch& scratch) {
    return to_field_value(row_values::value_of(batch, row, field, scratch));
}

}  // namespace weir
