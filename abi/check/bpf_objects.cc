// The kernel tells the id of an object in /proc/self/fdinfo, and whether an id is in use by giving a
// descriptor for it. So other processes' objects, which come and go on a busy machine, are never looked at.
#include "abi/check/bpf_objects.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace weir::check {
namespace {

struct Kind {
    BpfKind kind;
    const char* line;  // of fdinfo
    bpf_cmd get_by_id;
};

constexpr Kind kKinds[] = {
    {BpfKind::program, "prog_id:", BPF_PROG_GET_FD_BY_ID},
    {BpfKind::map, "map_id:", BPF_MAP_GET_FD_BY_ID},
    {BpfKind::link, "link_id:", BPF_LINK_GET_FD_BY_ID},
};

bool exists(BpfKind kind, std::uint32_t id) {
    for (const Kind& one : kKinds) {
        if (one.kind != kind) continue;
        bpf_attr attributes{};
        attributes.prog_id = id;  // all three ids are the same member of the union
        const long descriptor = syscall(SYS_bpf, one.get_by_id, &attributes, sizeof attributes);
        if (descriptor >= 0) close(static_cast<int>(descriptor));
        return descriptor >= 0 || errno != ENOENT;
    }
    return false;
}

}  // namespace

BpfObjects own_bpf_objects() {
    BpfObjects found;
    std::error_code problem;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo", problem)) {
        std::ifstream info(entry.path());
        for (std::string line; std::getline(info, line);) {
            for (const Kind& one : kKinds) {
                if (!line.starts_with(one.line)) continue;
                found.emplace(one.kind, static_cast<std::uint32_t>(
                                            std::stoul(line.substr(std::string(one.line).size()))));
            }
        }
    }
    return found;
}

BpfObjects still_there(const BpfObjects& objects) {
    BpfObjects left;
    for (const auto& object : objects) {
        if (exists(object.first, object.second)) left.insert(object);
    }
    return left;
}

}  // namespace weir::check
