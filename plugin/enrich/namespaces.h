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
    std::uint32_t inode = 0;   // as flows name it
    std::string path;          // of a file that stands for it; goes with its mount or its process
    std::string process = {};  // /proc/PID of one that lived there; empty when there was none
};

// Where tools mount namespaces by name: `ip netns`, CNI, podman; docker.
inline constexpr const char* kNamespaceDirectories[] = {"/run/netns", "/run/docker/netns"};

struct FoundNamespaces {
    std::vector<FoundNamespace> all;      // each once, sorted by inode
    bool has_name_without_mount = false;  // a tool is about to mount one there, or has left its file behind
};

// By name wherever there is one: the process that is met there may be a command that is about to end, or a
// thread that looks in for a moment.
FoundNamespaces find_namespaces();

// Of the calling thread; 0 when there is no /proc.
std::uint32_t own_namespace();

// Runs `body` in a network namespace and comes back. Only for threads whose namespace concerns nobody else.
// Errors: unsupported (it is gone, or is another one by now), no_privilege; internal when there was no way
// back: the thread must do nothing more then.
Status in_namespace(const FoundNamespace& where, const std::function<void()>& body);

}  // namespace weir::enrich
