#include "plugin/source/tls_probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include "plugin/base/clock.h"
#include "plugin/base/thread.h"
#include "plugin/source/elf_symbols.h"
#include "plugin/source/libbpf_log.h"
#include "weir_bpf.skel.h"

namespace weir {
namespace {

constexpr std::int64_t kMs = 1'000'000;
// When a process is looked at that has just begun: at once, when its loader is done, when it has read
// what it loads by itself.
constexpr std::array<std::int64_t, 3> kLooksNs = {0, 200 * kMs, 1500 * kMs};
// All processes are looked at again for what they loaded late.
constexpr std::int64_t kRoundNs = 30'000 * kMs;
constexpr std::size_t kMaxDue = 1024;
constexpr std::size_t kMaxFiles = 16384;  // remembered
constexpr std::size_t kMaxLinks = 1024;   // about a hundred libraries
constexpr std::size_t kDetachLanes = 64;

constexpr std::array<const char*, 5> kLibraries = {
    "/usr/lib/x86_64-linux-gnu/libssl.so*", "/usr/lib64/libssl.so*", "/usr/lib/libssl.so*",
    "/usr/local/lib/libssl.so*", "/usr/local/lib64/libssl.so*"};

constexpr std::array<std::string_view, 6> kFunctions = {"SSL_read",     "SSL_write", "SSL_read_ex",
                                                        "SSL_write_ex", "SSL_free",  "SSL_clear"};

// A program and the functions that it is for.
struct Probe {
    bpf_program* program;
    std::vector<std::size_t> functions;  // indices into kFunctions
    bool on_return;
};

std::array<Probe, 7> probes(const weir_bpf& skeleton) {
    const auto& p = skeleton.progs;
    return {{{p.weir_ssl_read, {0}, false},
             {p.weir_ssl_write, {1}, false},
             {p.weir_ssl_read_ex, {2}, false},
             {p.weir_ssl_write_ex, {3}, false},
             {p.weir_ssl_read_done, {0, 2}, true},
             {p.weir_ssl_write_done, {1, 3}, true},
             {p.weir_ssl_free, {4, 5}, false}}};
}

bool is_library(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return path.compare(slash == std::string::npos ? 0 : slash + 1, 6, "libssl") == 0;
}

// Of the files in a directory of /proc only the processes.
template <typename Visit>
void for_each_process(Visit visit) {
    std::error_code error;
    for (std::filesystem::directory_iterator at("/proc", error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename();
        if (!name.empty() && name.front() >= '1' && name.front() <= '9') visit(name);
    }
}

}  // namespace

TlsProbes::TlsProbes(weir_bpf& skeleton, Logger log)
    : skeleton_(skeleton),
      many_at_once_(bpf_program__expected_attach_type(skeleton.progs.weir_ssl_read) == kManyUprobes),
      log_(std::move(log)) {}

// With each the kernel waits for all that may be in it. It can wait for many at once, so that the end of Weir is
// not a matter of how many libraries there are.
TlsProbes::~TlsProbes() {
    const std::size_t lanes = std::min(set_.size(), kDetachLanes);
    const auto detach = [&](std::size_t lane) {
        for (std::size_t i = lane; i < set_.size(); i += lanes) set_[i].remove();
    };
    std::vector<std::thread> threads;
    for (std::size_t lane = 0; lane < lanes; lane++) {
        try {
            threads.push_back(start_thread("weir-detach", [&detach, lane] { detach(lane); }));
        } catch (const std::system_error&) {
            detach(lane);  // no more threads here
        }
    }
    for (std::thread& thread : threads) thread.join();
}

void TlsProbes::look_everywhere() {
    for_each_process([this](const std::string& pid) { look_at_process(pid); });
    for (const char* pattern : kLibraries) {
        glob_t found{};
        if (glob(pattern, 0, nullptr, &found) == 0) {
            for (std::size_t i = 0; i < found.gl_pathc; i++) {
                struct stat file {};
                if (stat(found.gl_pathv[i], &file) != 0) continue;
                std::array<char, 32> device{};
                std::snprintf(device.data(), device.size(), "%02x:%02x", major(file.st_dev),
                              minor(file.st_dev));
                if (seen_.emplace(device.data(), file.st_ino).second) attach(found.gl_pathv[i]);
            }
        }
        globfree(&found);
    }
}

void TlsProbes::on_program(std::uint32_t pid) {
    const std::int64_t now = system_clock().boot_ns();
    for (const std::int64_t later : kLooksNs) {
        if (due_.size() < kMaxDue) due_.push_back({now + later, pid});
    }
}

void TlsProbes::tick(std::int64_t now_ns) {
    if (next_round_ns_ == 0) next_round_ns_ = now_ns + kRoundNs;
    if (now_ns >= next_round_ns_) {
        next_round_ns_ = now_ns + kRoundNs;
        look_everywhere();
        forget_dead();
    }
    const auto later =
        std::partition(due_.begin(), due_.end(), [=](const Due& due) { return due.at_ns > now_ns; });
    for (auto at = later; at != due_.end(); ++at) look_at_process(std::to_string(at->pid));
    due_.erase(later, due_.end());
}

void TlsProbes::forget_dead() {
    struct Key {
        std::uint64_t ssl, tgid;
    };
    const int map = bpf_map__fd(skeleton_.maps.tls_conns);
    std::vector<Key> dead;
    Key key{}, next{};
    for (bool first = true; bpf_map_get_next_key(map, first ? nullptr : &key, &next) == 0; first = false) {
        key = next;
        if (kill(static_cast<pid_t>(key.tgid), 0) != 0 && errno == ESRCH) dead.push_back(key);
    }
    for (const Key& gone : dead) bpf_map_delete_elem(map, &gone);
}

void TlsProbes::look_at_process(const std::string& pid) {
    std::array<char, 4096> target{};
    const std::string directory = "/proc/" + pid;
    const ssize_t n = readlink((directory + "/exe").c_str(), target.data(), target.size());
    if (n <= 0) return;  // a kernel thread, or gone
    const std::string program(target.data(), static_cast<std::size_t>(n));
    std::ifstream maps(directory + "/maps");
    for (std::string line; std::getline(maps, line);) look_at_line(pid, program, line);
}

// address perms offset device inode path
void TlsProbes::look_at_line(const std::string& pid, const std::string& program, const std::string& line) {
    const std::size_t slash = line.find('/');
    const std::size_t space = line.find(' ');
    if (slash == std::string::npos || space == std::string::npos || line.size() < space + 5 ||
        line[space + 3] != 'x') {
        return;
    }
    const std::string path = line.substr(slash);
    if (path != program && !is_library(path)) return;
    std::istringstream fields(line);
    std::string address, perms, offset, device;
    std::uint64_t inode = 0;
    if (!(fields >> address >> perms >> offset >> device >> inode) || inode == 0) return;
    if (seen_.size() >= kMaxFiles) seen_.clear();
    const FileId id{device, inode};
    if (seen_.contains(id)) return;
    // as the process sees it; a file that was replaced since is still there under its mapping
    if (attach("/proc/" + pid + "/map_files/" + address) || attach("/proc/" + pid + "/root" + path))
        seen_.insert(id);
}

bool TlsProbes::keep(Uprobe probe) {
    if (!probe.is_set()) return false;
    set_.push_back(std::move(probe));
    return true;
}

// How many links were made.
std::size_t TlsProbes::set_probes(const std::string& path, const std::vector<std::uint64_t>& offsets) {
    const LibbpfLog quiet;
    std::size_t set = 0;
    for (const Probe& probe : probes(skeleton_)) {
        std::vector<std::uint64_t> at;
        for (const std::size_t function : probe.functions) {
            if (offsets[function] != 0) at.push_back(offsets[function]);
        }
        if (at.empty() || set_.size() + at.size() > kMaxLinks) continue;
        if (many_at_once_) {
            set += keep(set_many_uprobes(*probe.program, path, at, probe.on_return));
            continue;
        }
        for (const std::uint64_t offset : at)
            set += keep(set_uprobe(*probe.program, path, offset, probe.on_return));
    }
    return set;
}

// By its descriptor: the process that led to a file may end at any time, and its paths with it.
void TlsProbes::follow(const std::string& descriptor, const std::vector<std::uint64_t>& offsets) {
    const std::size_t set = set_probes(descriptor, offsets);
    const int why = errno;
    std::error_code error;
    const auto target = std::filesystem::read_symlink(descriptor, error);
    const std::string name = error ? descriptor : target.string();
    if (set == 0) {
        log_.warning("cannot follow TLS in " + name + ": " + std::strerror(why));
    } else {
        log_.info("following TLS in " + name);
    }
}

// Sets the probes on a file's functions. False when the file cannot be looked at.
bool TlsProbes::attach(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const auto offsets = find_functions(fd, kFunctions);
    if (offsets[0] != 0 && offsets[1] != 0) follow("/proc/self/fd/" + std::to_string(fd), offsets);
    close(fd);
    return true;
}

}  // namespace weir
