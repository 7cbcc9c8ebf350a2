// Which container a process runs in, from its control group.
//
// A cgroup v2 id names its directory, which the kernel opens by that id alone: exact, also when the process
// has ended by now. Where containers still live in the hierarchies of cgroup v1, which a v2 id says nothing
// of, and where the directory may not be opened by its id, /proc/PID/cgroup is read. Answers are kept, within
// bounds.
//
// Owned by one thread.
#pragma once

#include <tsl/robin_map.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::enrich {

// The container that the path of a control group belongs to, as docker, containerd, CRI-O, podman,
// systemd-nspawn and LXC name them; the innermost of nested ones. Empty when it is none. Of systemd-nspawn
// and LXC it is the name.
std::string container_of_path(std::string_view path);

// The same of the whole text of /proc/PID/cgroup.
std::string container_of_cgroups(std::string_view text);

class Containers {
public:
    Containers();
    ~Containers();
    Containers(const Containers&) = delete;
    Containers& operator=(const Containers&) = delete;

    // Valid until the next call. `time` is boot time, ns.
    std::string_view find(std::uint64_t cgroup, std::uint32_t pid, std::uint64_t time);

private:
    struct Entry {
        std::string id;
        std::uint64_t until = 0;
    };
    using Map = tsl::robin_map<std::uint64_t, Entry>;

    static constexpr std::size_t kMost = 16384;

    const Entry& of_group(std::uint64_t cgroup, std::uint64_t time);
    const Entry& of_process(std::uint32_t pid, std::uint64_t time);
    static const Entry* find_entry(const Map& map, std::uint64_t key, std::uint64_t time);
    static const Entry& remember(Map& map, std::uint64_t key, Entry entry);
    std::optional<std::string> path_of(std::uint64_t cgroup) const;

    const int mount_;    // of cgroup v2; -1 where there is none
    const bool has_v1_;  // with hierarchies of their own
    Map by_cgroup_, by_pid_;
};

}  // namespace weir::enrich
