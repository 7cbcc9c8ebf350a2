#include "plugin/source/requirements.h"

#include <bpf/btf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>

#include "plugin/source/libbpf_log.h"

namespace weir {
namespace {

// Capability numbers of linux/capability.h.
constexpr unsigned kNetAdmin = 12, kSysAdmin = 21, kPerfmon = 38, kBpf = 39;

std::uint64_t effective_capabilities() {
    std::ifstream status("/proc/thread-self/status");
    for (std::string word; status >> word;) {
        if (word == "CapEff:" && status >> word) return std::stoull(word, nullptr, 16);
    }
    return 0;
}

bool has_capability(unsigned number) { return (effective_capabilities() >> number & 1) != 0; }

Requirement check_privileges() {
    const bool met = has_capability(kSysAdmin) || (has_capability(kBpf) && has_capability(kPerfmon));
    Requirement out{"privileges", met, Without::everything, ""};
    out.detail = out.met
                     ? "CAP_BPF and CAP_PERFMON"
                     : "CAP_BPF and CAP_PERFMON are missing: run as root, or grant both to the host agent";
    return out;
}

// Programs on cgroups and connection tracking ask for it.
Requirement check_network_privilege(const char* name, Without without) {
    const bool met = has_capability(kNetAdmin);
    return {name, met, without,
            met ? "CAP_NET_ADMIN" : "CAP_NET_ADMIN is missing: grant it to the host agent"};
}

using Btf = std::unique_ptr<btf, decltype(&btf__free)>;

std::string kernel_release() {
    utsname name{};
    uname(&name);
    return name.release;
}

Requirement check_btf(const btf* kernel) {
    if (kernel != nullptr) return {"btf", true, Without::everything, "the kernel describes its own types"};
    return {"btf", false, Without::everything,
            "/sys/kernel/btf/vmlinux is missing or unreadable: the kernel (" + kernel_release() +
                ") needs CONFIG_DEBUG_INFO_BTF, and /sys must be mounted"};
}

Requirement check_type(const btf* kernel, const char* name, std::uint32_t kind, const char* what,
                       const char* since) {
    Requirement out{what, false, Without::everything, ""};
    out.met = kernel != nullptr && btf__find_by_name_kind(kernel, name, kind) > 0;
    out.detail = out.met ? "present"
                         : std::string("missing in kernel ") + kernel_release() + "; it came with " + since;
    return out;
}

}  // namespace

std::vector<Requirement> check_requirements(bool wants_calls, bool wants_udp) {
    const LibbpfLog quiet;  // what is missing is said by the requirement
    const Btf kernel(btf__load_vmlinux_btf(), &btf__free);
    const btf* types = kernel.get();
    std::vector<Requirement> out;
    out.push_back(check_privileges());
    out.push_back(check_btf(types));
    out.push_back(check_type(types, "btf_trace_inet_sock_set_state", BTF_KIND_TYPEDEF,
                             "tracepoint sock:inet_sock_set_state", "Linux 4.16"));
    out.push_back(check_type(types, "bpf_iter__bpf_sk_storage_map", BTF_KIND_STRUCT,
                             "iterator over socket storage", "Linux 5.9"));
    out.push_back(
        check_type(types, "bpf_iter__task_file", BTF_KIND_STRUCT, "iterator over open files", "Linux 5.8"));
    out.push_back(
        check_type(types, "bpf_rdonly_cast", BTF_KIND_FUNC, "kernel function bpf_rdonly_cast", "Linux 6.2"));
    out.back().without = Without::table;
    out.push_back(check_type(types, "btf_trace_inet_sk_error_report", BTF_KIND_TYPEDEF,
                             "tracepoint sock:inet_sk_error_report", "Linux 5.14"));
    out.back().without = Without::connect_errors;
    if (wants_calls) {
        out.push_back(check_type(types, "btf_trace_sock_send_length", BTF_KIND_TYPEDEF,
                                 "tracepoint sock:sock_send_length", "Linux 6.3"));
        out.back().without = Without::calls;
    }
    if (wants_udp) out.push_back(check_network_privilege("privileges for UDP", Without::udp));
    out.push_back(
        check_network_privilege("privileges for connects without a route", Without::unsent_connects));
    out.push_back(check_type(types, "__cgroup_bpf_run_filter_sock_addr", BTF_KIND_FUNC, "hook cgroup/connect",
                             "Linux 4.17, with CONFIG_CGROUP_BPF"));
    out.back().without = Without::unsent_connects;
    return out;
}

const Requirement* first_unmet(const std::vector<Requirement>& requirements) {
    for (const Requirement& requirement : requirements) {
        if (!requirement.met && !requirement.is_optional()) return &requirement;
    }
    return nullptr;
}

}  // namespace weir
