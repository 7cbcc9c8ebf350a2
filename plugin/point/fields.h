// The value of each tag and field of the point schema for a row of a batch.
//
// This is the one place that knows how a row becomes named values; the points, the flow records of the
// API and the search expressions all read rows through it, so they cannot disagree.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

#include "abi/schema/point_schema.h"
#include "plugin/flow/batch.h"

namespace weir {

// monostate: the row has no such value (no samples, no domain, not of its measurement).
using FieldValue = std::variant<std::monostate, std::string_view, std::int64_t, bool>;

// Room for a value that is not text in the batch (an address, a port). A value is valid until the
// scratch is used again, or the batch is gone.
using FieldScratch = std::array<char, 48>;

FieldValue field_value(const Batch& batch, const L4Row& row, Field field, FieldScratch& scratch);
FieldValue field_value(const Batch& batch, const L7Row& row, Field field, FieldScratch& scratch);
FieldValue field_value(const Batch& batch, const DnsRow& row, Field field, FieldScratch& scratch);

}  // namespace weir
