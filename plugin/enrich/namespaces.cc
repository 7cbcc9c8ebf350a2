#include "plugin/enrich/namespaces.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <memory>
#include <string_view>

namespace weir::enrich {
namespace {

constexpr const char* kOwn = "/proc/thread-self/ns/net";

using Directory = std::unique_ptr<DIR, decltype([](DIR* dir) { closedir(dir); })>;

class File {
public:
    explicit File(const char* path) : fd_(open(path, O_RDONLY | O_CLOEXEC)) {}
    ~File() {
        if (fd_ >= 0) close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int get() const { return fd_; }

private:
    const int fd_;
};

// "net:[4026531840]"; 0 when it is not that.
std::uint32_t inode_of_link(int directory, const char* path) {
    constexpr std::string_view kPrefix = "net:[";
    std::array<char, 64> text{};
    const ssize_t n = readlinkat(directory, path, text.data(), text.size());
    if (n <= 0) return 0;
    std::string_view link(text.data(), static_cast<std::size_t>(n));
    if (!link.starts_with(kPrefix)) return 0;
    link.remove_prefix(kPrefix.size());
    std::uint32_t inode = 0;
    const auto [end, error] = std::from_chars(link.data(), link.data() + link.size(), inode);
    return error == std::errc() && end != link.data() + link.size() && *end == ']' ? inode : 0;
}

template <typename OnName>
void each_name(const char* path, const OnName& on_name) {
    const Directory directory(opendir(path));
    if (!directory) return;
    while (const dirent* entry = readdir(directory.get())) {
        if (entry->d_name[0] != '.') on_name(dirfd(directory.get()), entry->d_name);
    }
}

std::uint32_t inode_of_mount(const std::string& path) {
    struct statfs about {};
    struct stat file {};
    if (statfs(path.c_str(), &about) != 0 || about.f_type != NSFS_MAGIC) return 0;  // not mounted yet
    return stat(path.c_str(), &file) == 0 ? static_cast<std::uint32_t>(file.st_ino) : 0;
}

constexpr auto kByInode = [](const FoundNamespace& a, const FoundNamespace& b) { return a.inode < b.inode; };

// Adds what was found by name to what was found by a process; what was found by both keeps the name.
void prefer(std::vector<FoundNamespace> names, std::vector<FoundNamespace>& out) {
    for (FoundNamespace& name : names) {
        const auto at = std::lower_bound(out.begin(), out.end(), name, kByInode);
        if (at != out.end() && at->inode == name.inode) name.process = at->process;
    }
    out.insert(out.begin(), std::make_move_iterator(names.begin()), std::make_move_iterator(names.end()));
    std::stable_sort(out.begin(), out.end(), kByInode);
    const auto same = [](const FoundNamespace& a, const FoundNamespace& b) { return a.inode == b.inode; };
    out.erase(std::unique(out.begin(), out.end(), same), out.end());
}

}  // namespace

FoundNamespaces find_namespaces() {
    FoundNamespaces found;
    auto& out = found.all;
    std::vector<FoundNamespace> names;
    each_name("/proc", [&](int proc, const char* name) {
        if (name[0] < '1' || name[0] > '9') return;
        const std::string link = std::string(name) + "/ns/net";
        const std::uint32_t inode = inode_of_link(proc, link.c_str());
        // most processes share a few namespaces: only their first one needs a path
        const auto same = [&](const FoundNamespace& one) { return one.inode == inode; };
        if (inode != 0 && std::find_if(out.rbegin(), out.rend(), same) == out.rend()) {
            out.push_back({inode, "/proc/" + link, std::string("/proc/") + name});
        }
    });
    for (const char* directory : kNamespaceDirectories) {
        each_name(directory, [&](int, const char* name) {
            std::string path = std::string(directory) + "/" + name;
            const std::uint32_t inode = inode_of_mount(path);
            found.has_name_without_mount |= inode == 0;
            if (inode != 0) names.push_back({inode, std::move(path)});
        });
    }
    std::sort(out.begin(), out.end(), kByInode);
    prefer(std::move(names), out);
    return found;
}

std::uint32_t own_namespace() { return inode_of_link(AT_FDCWD, kOwn); }

Status in_namespace(const FoundNamespace& where, const std::function<void()>& body) {
    if (where.inode == own_namespace()) {
        body();
        return {};
    }
    const File home(kOwn), there(where.path.c_str());
    struct stat about {};
    if (home.get() < 0 || there.get() < 0 || fstat(there.get(), &about) != 0 || about.st_ino != where.inode) {
        return fail(ErrorCode::unsupported, "network namespace " + std::to_string(where.inode) + " is gone");
    }
    if (setns(there.get(), CLONE_NEWNET) != 0) {
        return fail(errno == EPERM ? ErrorCode::no_privilege : ErrorCode::unsupported,
                    std::string("cannot enter network namespaces: ") + std::strerror(errno) +
                        (errno == EPERM ? " (needs CAP_SYS_ADMIN)" : ""));
    }
    body();
    if (setns(home.get(), CLONE_NEWNET) != 0) {
        return fail(ErrorCode::internal,
                    std::string("cannot leave a network namespace: ") + std::strerror(errno));
    }
    return {};
}

}  // namespace weir::enrich
