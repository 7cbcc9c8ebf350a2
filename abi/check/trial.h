// One rule in a process of its own.
#pragma once

#include <string>

#include "abi/check/rule.h"

namespace weir::check {

struct Outcome {
    enum class Kind : unsigned char { pass, fail, skip };
    Kind kind = Kind::pass;
    std::string why;
};

// Comes back whatever the plugin does: a rule of which nothing is heard for a while is ended.
Outcome try_rule(const Rule& rule, const Settings& settings);

}  // namespace weir::check
