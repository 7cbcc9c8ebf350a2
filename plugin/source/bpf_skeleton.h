// The kernel programs as they are loaded: which of them, and how large their maps are.
#pragma once

#include <bpf/libbpf.h>

#include <array>
#include <memory>

#include "plugin/base/status.h"
#include "plugin/source/bpf_source.h"
#include "weir_bpf.skel.h"

namespace weir {

struct SkeletonDeleter {
    void operator()(weir_bpf* skeleton) const { weir_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<weir_bpf, SkeletonDeleter>;

struct BpfLinkDeleter {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, BpfLinkDeleter>;

// What only the tracepoints of send and receive show.
inline bool wants_calls(const BpfOptions& options) { return options.http || options.udp || options.dns; }

// The hooks that tell the peer of a call.
std::array<bpf_program*, 4> udp_hooks(const weir_bpf& skeleton);

// The hooks before a connect.
std::array<bpf_program*, 2> connect_programs(const weir_bpf& skeleton);

// Opens and loads what the options ask for. Errors: no_privilege, no_memory, unsupported.
Result<Skeleton> load_programs(const BpfOptions& options);

// Errors: unsupported.
Result<Link> attach_program(bpf_program* program);

}  // namespace weir
