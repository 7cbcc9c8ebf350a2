#include "plugin/source/uprobes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace weir {
namespace {

// Of union bpf_attr, what BPF_LINK_CREATE takes for BPF_TRACE_UPROBE_MULTI: include/uapi/linux/bpf.h of 6.6,
// which the headers that Weir is built with need not have.
struct ManyUprobes {
    std::uint32_t prog_fd = 0;
    std::uint32_t target_fd = 0;
    std::uint32_t attach_type = kManyUprobes;
    std::uint32_t flags = 0;
    std::uint64_t path = 0;
    std::uint64_t offsets = 0;
    std::uint64_t ref_ctr_offsets = 0;
    std::uint64_t cookies = 0;
    std::uint32_t count = 0;
    std::uint32_t many_flags = 0;
    std::uint32_t pid = 0;
    std::uint32_t padding = 0;
};
static_assert(sizeof(ManyUprobes) == 64);

constexpr std::uint32_t kOnReturn = 1;  // BPF_F_UPROBE_MULTI_RETURN

int link_many(int program, const std::string& path, std::span<const std::uint64_t> offsets, bool on_return) {
    ManyUprobes wanted;
    wanted.prog_fd = static_cast<std::uint32_t>(program);
    wanted.path = reinterpret_cast<std::uintptr_t>(path.c_str());
    wanted.offsets = reinterpret_cast<std::uintptr_t>(offsets.data());
    wanted.count = static_cast<std::uint32_t>(offsets.size());
    wanted.many_flags = on_return ? kOnReturn : 0;
    return static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &wanted, sizeof(wanted)));
}

}  // namespace

bool takes_many_uprobes() {
    std::array<bpf_insn, 2> nothing{};
    nothing[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = 0
    nothing[1].code = BPF_JMP | BPF_EXIT;
    LIBBPF_OPTS(bpf_prog_load_opts, options,
                .expected_attach_type = static_cast<bpf_attach_type>(kManyUprobes));
    const int program =
        bpf_prog_load(BPF_PROG_TYPE_KPROBE, nullptr, "GPL", nothing.data(), nothing.size(), &options);
    if (program < 0) return false;
    // a directory has no functions: who gets as far as to say so knows what is asked for
    const std::uint64_t offset = 1;
    const int link = link_many(program, "/", {&offset, 1}, false);
    const bool is_understood = link < 0 && errno == EBADF;
    if (link >= 0) close(link);
    close(program);
    return is_understood;
}

void Uprobe::remove() {
    if (fd_ >= 0) close(fd_);
    if (link_ != nullptr) bpf_link__destroy(link_);
    fd_ = -1;
    link_ = nullptr;
}

Uprobe set_many_uprobes(const bpf_program& program, const std::string& path, std::span<const std::uint64_t> offsets,
                        bool on_return) {
    return Uprobe(link_many(bpf_program__fd(&program), path, offsets, on_return));
}

Uprobe set_uprobe(const bpf_program& program, const std::string& path, std::uint64_t offset, bool on_return) {
    LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = on_return);
    return Uprobe(bpf_program__attach_uprobe_opts(&program, -1, path.c_str(), offset, &options));
}

}  // namespace weir
