// What the tracepoint tier needs of the process and the kernel, each with the reason when it is missing.
#pragma once

#include <string>
#include <vector>

namespace weir {

// What is missing where a requirement is not met.
enum class Without { everything, calls, udp, unsent_connects, connect_errors, table };

struct Requirement {
    std::string name;
    bool met = false;
    Without without = Without::everything;  // calls: HTTP, UDP and DNS; table: nothing, it costs more
    std::string detail;                     // what was found; when unmet, what to do

    bool is_optional() const { return without != Without::everything; }
};

// Looks only; loads nothing. `wants_calls` and `wants_udp` decide whether what only these need is looked at.
std::vector<Requirement> check_requirements(bool wants_calls, bool wants_udp);

// The first unmet requirement that is not optional, or nullptr.
const Requirement* first_unmet(const std::vector<Requirement>& requirements);

}  // namespace weir
