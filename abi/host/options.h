// The command line. The same table yields the checks; the help text is in options.cc beside it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/host/expected.h"

namespace weir::host {

enum class Command : std::uint8_t { help, version, run, probe, describe, sample_config, check_config };

struct Options {
    Command command = Command::help;
    std::string plugin;
    std::string config;
    std::vector<std::string> emit;   // as given; never empty for run
    std::int32_t points_format = 0;  // WEIR_FORMAT_
    std::optional<std::chrono::milliseconds> run_for;
    bool json = false;
};

// `arguments` without the program's name.
Expected<Options> parse_options(const std::vector<std::string_view>& arguments);

// "500ms", "30s", "5m", "1h": a whole number above 0 and a unit, at most ten years.
Expected<std::chrono::milliseconds> parse_duration(std::string_view text);

std::string_view help_text();

}  // namespace weir::host
