// Probes on functions of a file.
//
// Kernels since 6.6 set many with one link. Others need a perf event for each, and take a tenth of a second over
// the end of each, one after the other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

struct bpf_link;
struct bpf_program;

namespace weir {

// Programs for that are loaded with this as their expected attach type, and can be attached in no other way:
// BPF_TRACE_UPROBE_MULTI, in linux/bpf.h since 6.6.
inline constexpr int kManyUprobes = 48;

// Whether this kernel takes many at once. Needs the privileges to load programs.
bool takes_many_uprobes();

// Set as long as it lives. Movable.
class Uprobe {
public:
    explicit Uprobe(bpf_link* link) : link_(link) {}
    explicit Uprobe(int fd) : fd_(fd) {}
    Uprobe(Uprobe&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), link_(std::exchange(other.link_, nullptr)) {}
    Uprobe& operator=(Uprobe&& other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(link_, other.link_);
        return *this;
    }
    ~Uprobe() { remove(); }

    bool is_set() const { return fd_ >= 0 || link_ != nullptr; }
    void remove();

private:
    int fd_ = -1;
    bpf_link* link_ = nullptr;
};

// A loaded program at these offsets of a file, in every process; on return of the functions or at their begin.
// Not set, with errno, when the kernel refuses. The first needs takes_many_uprobes(), the second takes one offset.
Uprobe set_many_uprobes(const bpf_program& program, const std::string& path, std::span<const std::uint64_t> offsets,
                        bool on_return);
Uprobe set_uprobe(const bpf_program& program, const std::string& path, std::uint64_t offset, bool on_return);

}  // namespace weir
