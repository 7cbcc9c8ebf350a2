// On which columns a filter's term or a dimension depends.
//
// The store works terms and group keys out once for each combination of values that occurs, through
// query::matches() and query::key_part(), which stay the only ones to know what they mean. For that it has
// to know on which attributes the outcome can depend; that, and nothing of the meaning, is here.
#pragma once

#include <optional>

#include "lmdb-store/columns.h"
#include "plugin/query/query.h"

namespace weir::store {

// Besides these, every outcome may depend on the host and service of the segment.
struct Dependencies {
    AttributeSet attributes = 0;
    bool on_measures = false;  // on numbers or histograms, too: every row for itself
};

Dependencies dependencies_of(const query::Dimension& dimension, query::Layer layer);
// Of one term: a filter without operands.
Dependencies dependencies_of(const query::Filter& term, query::Layer layer);

// The column that a field is, as it is stored, in the layers that have it.
std::optional<Section> number_column(Field field);

}  // namespace weir::store
