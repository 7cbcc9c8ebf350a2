// A rule of the contract: what weir_abi.h promises, and a function that finds out whether a plugin keeps it.
#pragma once

#include <span>

#include "abi/check/bench.h"

namespace weir::check {

struct Rule {
    const char* name;     // for the command line
    const char* promise;  // as it is printed when kept
    void (*run)(Bench&);
};

// In the order in which a host meets them.
std::span<const Rule> load_rules();
std::span<const Rule> description_rules();
std::span<const Rule> create_rules();
std::span<const Rule> state_rules();
std::span<const Rule> point_rules();
std::span<const Rule> pressure_rules();
std::span<const Rule> thread_rules();
std::span<const Rule> process_rules();

}  // namespace weir::check
