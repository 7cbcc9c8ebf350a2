// What the tracepoint tier needs of the process and the kernel, each with the reason when it is missing.
#pragma once

#include <string>
#include <vector>

namespace weir {

struct Requirement {
    std::string name;
    bool met = false;
    bool optional = false;  // without it less is collected, not nothing
    std::string detail;     // what was found; when unmet, what to do
};

// Looks only; loads nothing. `wants_http` decides whether what HTTP needs is looked at.
std::vector<Requirement> check_requirements(bool wants_http);

// The first unmet requirement that is not optional, or nullptr.
const Requirement* first_unmet(const std::vector<Requirement>& requirements);

}  // namespace weir
