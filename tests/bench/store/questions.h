// The four queries of the comparison, as Weir is asked and as brute force answers them.
#pragma once

#include <string>
#include <vector>

#include "plugin/query/query.h"
#include "tests/bench/store/traffic.h"

namespace weir::bench {

struct Question {
    const char* name;
    const char* about;
    query::AggregateQuery query;
    bool of_minutes = false;  // else of intervals
};

// `intervals` and `minutes`: what was loaded.
std::vector<Question> questions(const Traffic& intervals, const Traffic& minutes);

// The host that Q3 asks about.
std::string chosen_host();

// What is wrong with an answer, found by adding every row up again; empty when nothing is. Sums must be
// equal, quantiles within 2 %.
std::string check(const Question& question, const query::AggregateResult& answer, const Traffic& traffic);

}  // namespace weir::bench
