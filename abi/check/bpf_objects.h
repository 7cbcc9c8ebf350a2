#pragma once

#include <cstdint>
#include <set>
#include <utility>

namespace weir::check {

enum class BpfKind : std::uint8_t { program, map, link };
using BpfObjects = std::set<std::pair<BpfKind, std::uint32_t>>;

// The BPF objects that this process has open, by the kernel's ids.
BpfObjects own_bpf_objects();

// Those of `objects` that the kernel still has, whoever holds them. Needs CAP_SYS_ADMIN.
BpfObjects still_there(const BpfObjects& objects);

}  // namespace weir::check
