// Where functions stand in an ELF file.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir {

// For each name the function's offset in the file, 0 where there is none. Both symbol tables are looked at.
// Any file may be given: what is not ELF, or damaged, has no functions. `fd` is read from its begin.
std::vector<std::uint64_t> find_functions(int fd, std::span<const std::string_view> names);

}  // namespace weir
