#include "plugin/source/bpf_skeleton.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "plugin/source/libbpf_log.h"
#include "plugin/source/tls_probes.h"

namespace weir {
namespace {

Error load_error(int code, const LibbpfLog& words) {
    if ((code == -EPERM || code == -EACCES) && words.summary().empty()) {
        return {ErrorCode::no_privilege,
                "the kernel refuses BPF programs: run as root, or with CAP_BPF and CAP_PERFMON"};
    }
    if (code == -ENOMEM) return {ErrorCode::no_memory, "not enough memory for the BPF programs and maps"};
    return {ErrorCode::unsupported, std::string("the kernel does not take the BPF programs: ") +
                                        std::strerror(-code) + "; " + words.summary()};
}

std::array<bpf_program*, 9> tls_programs(const weir_bpf& skeleton) {
    const auto& p = skeleton.progs;
    return {p.weir_ssl_read,     p.weir_ssl_read_ex,   p.weir_ssl_write,
            p.weir_ssl_write_ex, p.weir_ssl_read_done, p.weir_ssl_write_done,
            p.weir_ssl_free,     p.weir_exec,          p.weir_tls_walk};
}

// Places of the connection table (bpf/conn_table.h). With HTTP each takes 856 bytes, without it 144; a
// connection that finds none costs more, and nothing is lost.
constexpr std::uint32_t kConnBuckets = 8192, kHttpConnBuckets = 2048;

void size_conn_table(weir_bpf& skeleton, bool wanted, bool with_http) {
    const std::uint32_t buckets = !wanted ? 1 : with_http ? kHttpConnBuckets : kConnBuckets;
    skeleton.rodata->conn_bucket_mask = buckets - 1;
    skeleton.rodata->has_rdonly_cast = wanted;  // which the table needs
    bpf_map__set_max_entries(skeleton.maps.conn_buckets, buckets);
    bpf_map__set_max_entries(skeleton.maps.conn_places, buckets * WEIR_CONN_WAYS);
    bpf_map__set_max_entries(skeleton.maps.http_places, with_http ? buckets * WEIR_CONN_WAYS : 1);
    bpf_program__set_autoload(skeleton.progs.weir_walk_table, wanted);
}

}  // namespace

std::array<bpf_program*, 4> udp_hooks(const weir_bpf& skeleton) {
    return {skeleton.progs.weir_sendmsg4, skeleton.progs.weir_sendmsg6, skeleton.progs.weir_recvmsg4,
            skeleton.progs.weir_recvmsg6};
}

std::array<bpf_program*, 2> connect_programs(const weir_bpf& skeleton) {
    return {skeleton.progs.weir_connect4, skeleton.progs.weir_connect6};
}

Result<Skeleton> load_programs(const BpfOptions& options) {
    const bool calls = wants_calls(options);
    const LibbpfLog words;
    Skeleton skeleton(weir_bpf::open());
    if (!skeleton) return tl::unexpected(load_error(-errno, words));
    skeleton->rodata->ring_wake_bytes = options.ring_bytes / 4;
    bpf_map__set_max_entries(skeleton->maps.ring, options.ring_bytes);
    bpf_map__set_max_entries(skeleton->maps.walk_records, options.walk_records);
    skeleton->rodata->fold_port_from = options.ephemeral_port;
    skeleton->rodata->follow_tls = options.http && options.tls;
    skeleton->rodata->follow_http = options.http;
    skeleton->rodata->follow_udp = options.udp;
    skeleton->rodata->follow_dns = options.dns;
    skeleton->rodata->follow_attempts = options.unsent_connects;
    skeleton->rodata->udp_bound_idle_walks = options.udp_idle_intervals;
    bpf_map__set_max_entries(skeleton->maps.udp_flows, options.udp_flows);
    size_conn_table(*skeleton, options.conn_table, options.http || options.dns);
    bpf_program__set_autoload(skeleton->progs.weir_send, calls);
    bpf_program__set_autoload(skeleton->progs.weir_recv, calls);
    const bool tls = calls && options.http && options.tls;
    const bool many_uprobes = tls && takes_many_uprobes();
    for (bpf_program* program : tls_programs(*skeleton)) {
        bpf_program__set_autoload(program, tls);
        if (many_uprobes && bpf_program__type(program) == BPF_PROG_TYPE_KPROBE) {
            bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(kManyUprobes));
        }
    }
    for (bpf_program* program : udp_hooks(*skeleton)) {
        bpf_program__set_autoload(program, calls && options.udp);
    }
    bpf_program__set_autoload(skeleton->progs.weir_udp_walk, calls && options.udp);
    for (bpf_program* program : connect_programs(*skeleton)) {
        bpf_program__set_autoload(program, options.unsent_connects);
    }
    bpf_program__set_autoload(skeleton->progs.weir_error, options.connect_errors);
    const int failed = weir_bpf::load(skeleton.get());
    if (failed != 0) return tl::unexpected(load_error(failed, words));
    return skeleton;
}

Result<Link> attach_program(bpf_program* program) {
    Link link(bpf_program__attach(program));
    if (!link) {
        return fail(ErrorCode::unsupported,
                    std::string("cannot attach ") + bpf_program__name(program) + ": " + std::strerror(errno));
    }
    return link;
}

}  // namespace weir
