// The kernel as a source: Weir's BPF programs, loaded by libbpf.
//
// Tier "tracepoint": BTF tracepoints, socket storage and iterators. Nothing is pinned, so whatever
// happens to the process, the kernel takes everything back with its descriptors.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "plugin/base/ledger.h"
#include "plugin/base/log.h"
#include "plugin/source/requirements.h"
#include "plugin/source/source.h"

namespace weir {

struct BpfOptions {
    bool http = true;
    bool tls = true;  // HTTP under OpenSSL, with `http`
    bool udp = true;
    bool dns = true;                         // over UDP with `udp`
    std::uint32_t udp_flows = 65536;         // that the kernel side tells apart
    std::uint32_t udp_idle_intervals = 30;   // after which a server's flow is forgotten
    std::uint16_t ephemeral_port = 10001;    // client ports from here on are one flow where the ring is full
    std::uint32_t ring_bytes = 16u << 20;    // a power of two, at least a page
    std::uint32_t walk_records = 32 * 1024;  // live connections handed over at once
    bool unsent_connects = true;             // connects that fail before there is a SYN
    bool connect_errors = true;              // why a connect failed whose end was not shown
    bool conn_table = true;                  // connections live in a table of the programs' own
};

// Not thread-safe but for capabilities() after start(). The ledger must outlive the source.
std::unique_ptr<Source> make_bpf_source(const BpfOptions& options, Logger log, Ledger& ledger);

// Of what is wanted, what the requirements allow.
BpfOptions possible(BpfOptions wanted, const std::vector<Requirement>& requirements);

// Loads the programs without attaching them, to see whether the kernel takes them.
Status try_load(BpfOptions options);

}  // namespace weir
