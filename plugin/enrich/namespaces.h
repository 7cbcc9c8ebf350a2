// The network namespaces of the host: found through the processes that live in them and the names they are
// mounted at, and entered by one thread for a moment.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plugin/base/status.h"

namespace weir::enrich {

struct FoundNamespace {
    std::uint32_t inode = 0;  // as flows name it
    std::string path;         // of a file that stands for it; goes with its process or its mount
};

// Where tools mount namespaces by name: `ip netns`, CNI, podman; docker.
inline constexpr const char* kNamespaceDirectories[] = {"/run/netns", "/run/docker/netns"};

// Each once, sorted by inode. Those of processes first: what has a process is more likely to have traffic.
std::vector<FoundNamespace> find_namespaces();

// Of the calling thread; 0 when there is no /proc.
std::uint32_t own_namespace();

// Runs `body` in a network namespace and comes back. Only for threads whose namespace concerns nobody else.
// Errors: unsupported (it is gone, or is another one by now), no_privilege; internal when there was no way
// back: the thread must do nothing more then.
Status in_namespace(const FoundNamespace& where, const std::function<void()>& body);

}  // namespace weir::enrich
