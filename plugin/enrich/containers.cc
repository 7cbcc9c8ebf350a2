#include "plugin/enrich/containers.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::enrich {
namespace {

constexpr std::uint64_t kForever = UINT64_MAX;
constexpr std::uint64_t kPidNs = 30'000'000'000;  // a PID is given to another process at some time
constexpr const char* kMounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
constexpr int kHandleType = 0xfe;  // FILEID_KERNFS: the handle is the 64-bit id

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) return false;
    text.remove_suffix(suffix.size());
    return true;
}

// systemd writes what may not stand in a unit's name as \xNN.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text.substr(i, 2) == "\\x" && i + 3 < text.size() && is_hex(text.substr(i + 2, 2))) {
            const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
            out += static_cast<char>(digit(text[i + 2]) << 4 | digit(text[i + 3]));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

// 64 hexadecimal digits, alone or as docker-ID.scope, cri-containerd-ID.scope, crio-ID.scope,
// libpod-ID.scope, kubepods-...:cri-containerd:ID; not the process that watches over a container
// (crio-conmon-ID).
std::string_view id_of(std::string_view name) {
    constexpr std::size_t kLength = 64;
    take_suffix(name, ".scope");
    if (name.size() < kLength || !is_hex(name.substr(name.size() - kLength))) return {};
    std::string_view before = name.substr(0, name.size() - kLength);
    if (before.ends_with("conmon-")) return {};
    const bool stands_alone = before.empty() || before.back() == '-' || before.back() == ':';
    return stands_alone ? name.substr(name.size() - kLength) : std::string_view();
}

// Amazon ECS: 32 hexadecimal digits, a dash, decimal digits.
bool is_ecs(std::string_view name) {
    return name.size() > 33 && name[32] == '-' && is_hex(name.substr(0, 32)) &&
           std::all_of(name.begin() + 33, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Containers that have names.
std::string name_of(std::string_view parent, std::string_view name) {
    if (take_prefix(name, "lxc.payload.")) return std::string(name);
    if (parent == "lxc") return std::string(name);
    if (parent == "ecs" || is_ecs(name)) return is_ecs(name) ? std::string(name) : "";
    if (parent != "machine.slice") return {};
    if (take_prefix(name, "systemd-nspawn@") && take_suffix(name, ".service")) return unescaped(name);
    if (take_prefix(name, "machine-") && take_suffix(name, ".scope")) return unescaped(name);
    return {};
}

std::string read_file(const std::string& path) {
    std::string out;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return out;
    std::array<char, 4096> piece{};
    ssize_t n = 0;
    while (out.size() < 64 * 1024 && (n = read(fd, piece.data(), piece.size())) > 0) {
        out.append(piece.data(), static_cast<std::size_t>(n));
    }
    close(fd);
    return out;
}

int open_mount() {
    for (const char* mount : kMounts) {
        // only the second hierarchy has this file in its root
        if (access((std::string(mount) + "/cgroup.controllers").c_str(), F_OK) != 0) continue;
        return open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return -1;
}

// "0::/path" is cgroup v2, "4:memory:/path" is v1.
bool has_v1() {
    const std::string own = read_file("/proc/self/cgroup");
    return own.find(":/") != std::string::npos &&
           !(own.starts_with("0::") && own.find('\n') == own.size() - 1);
}

}  // namespace

std::string container_of_path(std::string_view path) {
    std::string found;
    std::string_view parent;
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string_view name = path.substr(0, slash);
        path.remove_prefix(std::min(slash + 1, path.size()));
        if (name.empty()) continue;
        if (const std::string_view id = id_of(name); !id.empty()) {
            found = id;
        } else if (std::string named = name_of(parent, name); !named.empty()) {
            found = std::move(named);
        }
        parent = name;
    }
    return found;
}

std::string container_of_cgroups(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t path = line.find(":/");
        if (path == std::string_view::npos) continue;
        if (std::string id = container_of_path(line.substr(path + 1)); !id.empty()) return id;
    }
    return {};
}

Containers::Containers() : mount_(open_mount()), has_v1_(has_v1()) {}

Containers::~Containers() {
    if (mount_ >= 0) close(mount_);
}

std::string_view Containers::find(std::uint64_t cgroup, std::uint32_t pid, std::uint64_t time) {
    const Entry& group = of_group(cgroup, time);
    const bool is_all = group.until == kForever && !has_v1_;
    if (!group.id.empty() || is_all || pid == 0) return group.id;
    return of_process(pid, time).id;
}

const Containers::Entry& Containers::of_group(std::uint64_t cgroup, std::uint64_t time) {
    if (const Entry* known = find_entry(by_cgroup_, cgroup, time)) return *known;
    const auto path = path_of(cgroup);
    return remember(by_cgroup_, cgroup,
                    {path ? container_of_path(*path) : "", path ? kForever : time + kPidNs});
}

const Containers::Entry& Containers::of_process(std::uint32_t pid, std::uint64_t time) {
    if (const Entry* known = find_entry(by_pid_, pid, time)) return *known;
    const std::string text = read_file("/proc/" + std::to_string(pid) + "/cgroup");
    return remember(by_pid_, pid, {container_of_cgroups(text), time + kPidNs});
}

const Containers::Entry* Containers::find_entry(const Map& map, std::uint64_t key, std::uint64_t time) {
    const auto at = map.find(key);
    return at == map.end() || at->second.until <= time ? nullptr : &at->second;
}

const Containers::Entry& Containers::remember(Map& map, std::uint64_t key, Entry entry) {
    if (map.size() >= kMost) map.clear();  // it fills again with what is in use
    return map[key] = std::move(entry);
}

std::optional<std::string> Containers::path_of(std::uint64_t cgroup) const {
    if (mount_ < 0 || cgroup == 0) return std::nullopt;
    alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof(cgroup)> bytes{};
    auto* handle = reinterpret_cast<file_handle*>(bytes.data());
    handle->handle_bytes = sizeof(cgroup);
    handle->handle_type = kHandleType;
    std::memcpy(bytes.data() + offsetof(file_handle, f_handle), &cgroup, sizeof(cgroup));
    const int fd = open_by_handle_at(mount_, handle, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    std::array<char, 4096> path{};
    const ssize_t n = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
    close(fd);
    if (n <= 0) return std::nullopt;
    return std::string(path.data(), static_cast<std::size_t>(n));
}

}  // namespace weir::enrich
