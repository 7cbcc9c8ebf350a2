#pragma once

#include <string>
#include <vector>

namespace weir::check {

// The names that the shared object at `path` (64 bit ELF) defines for others. Empty when it is no such file.
std::vector<std::string> exported_symbols(const std::string& path);

}  // namespace weir::check
