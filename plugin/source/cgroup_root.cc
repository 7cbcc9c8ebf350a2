#include "plugin/source/cgroup_root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace weir {
namespace {

// Of the first mount of the hierarchy's root. proc_pid_mountinfo(5): the root within the file system is field
// 4, the mount point field 5, the type the first one after "-".
std::optional<std::string> find_mounted() {
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string id, parent, device, root, point, word, type;
        words >> id >> parent >> device >> root >> point;
        while (words >> word && word != "-") {
        }
        words >> type;
        if (type == "cgroup2" && root == "/" && point.find('\\') == std::string::npos) return point;
    }
    return std::nullopt;
}

int open_unmounted() {
    const int context = static_cast<int>(syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC));
    if (context < 0) return -1;
    int fd = -1;
    if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
        fd = static_cast<int>(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0));
    }
    const int why = errno;
    close(context);
    errno = why;
    return fd;
}

}  // namespace

Result<int> open_cgroup_root() {
    int fd = -1;
    if (const auto point = find_mounted()) fd = open(point->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fd = open_unmounted();
    if (fd >= 0) return fd;
    return fail(ErrorCode::unsupported,
                std::string("cannot open the root of cgroup v2: ") + std::strerror(errno));
}

}  // namespace weir
