// What the program does, one function a command; each answers the process's exit code.
#pragma once

#include "abi/host/log.h"
#include "abi/host/options.h"

namespace weir::host {

inline constexpr int kFine = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;

int run(const Options& options, Log& log);
int probe(const Options& options, Log& log);
int describe(const Options& options, Log& log);
int sample_config(const Options& options, Log& log);
int check_config(const Options& options, Log& log);

// Writes to stdout; kFine, or kFailed when that is not possible.
int print(std::string_view text, Log& log);

}  // namespace weir::host
