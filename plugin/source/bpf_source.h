// The kernel as a source: Weir's BPF programs, loaded by libbpf.
//
// Tier "tracepoint": BTF tracepoints, socket storage and iterators. Nothing is pinned, so whatever
// happens to the process, the kernel takes everything back with its descriptors.
#pragma once

#include <cstdint>
#include <memory>

#include "plugin/base/ledger.h"
#include "plugin/base/log.h"
#include "plugin/source/source.h"

namespace weir {

struct BpfOptions {
    bool http = true;
    std::uint32_t ring_bytes = 16u << 20;    // a power of two, at least a page
    std::uint32_t walk_records = 16 * 1024;  // live connections handed over at once
};

// Not thread-safe but for capabilities() after start(). The ledger must outlive the source.
std::unique_ptr<Source> make_bpf_source(const BpfOptions& options, Logger log, Ledger& ledger);

// Loads the programs without attaching them, to see whether the kernel takes them.
Status try_load(bool http);

}  // namespace weir
