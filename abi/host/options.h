// The command line. The same table yields the checks; the help text is in options.cc beside it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/host/expected.h"
#include "abi/host/target.h"

namespace weir::host {

enum class Command : std::uint8_t { help, version, run, probe, describe, sample_config, check_config };

struct Options {
    Command command = Command::help;
    std::string plugin;
    std::string config;
    std::vector<std::string> emit;  // as given; never empty for run
    TargetSettings targets;
    std::optional<std::chrono::milliseconds> run_for;
    std::string spool;             // a directory; empty: none
    std::uint64_t spool_size = 0;  // bytes for each target
    bool json = false;
};

// `arguments` without the program's name.
Expected<Options> parse_options(const std::vector<std::string_view>& arguments);

// "500ms", "30s", "5m", "1h": a whole number above 0 and a unit, at most ten years.
Expected<std::chrono::milliseconds> parse_duration(std::string_view text);

// "500KiB", "64MiB", "1GiB", or a number of bytes; above 0.
Expected<std::uint64_t> parse_size(std::string_view text);

std::string_view help_text();

}  // namespace weir::host
