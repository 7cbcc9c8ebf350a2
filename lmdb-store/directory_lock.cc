#include "lmdb-store/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "lmdb-store/options.h"

namespace weir::store {
namespace {

constexpr int kAttempts = 10;
constexpr const char* kAdvice = "; give this process write access to it, or ";

class Registry {
public:
    bool add(dev_t device, ino_t inode) {
        const std::lock_guard lock(mutex_);
        return held_.emplace(device, inode).second;
    }
    void remove(dev_t device, ino_t inode) {
        const std::lock_guard lock(mutex_);
        held_.erase({device, inode});
    }

private:
    std::mutex mutex_;
    std::set<std::pair<dev_t, ino_t>> held_;
};

// Never destroyed: a store may outlive static objects of the host.
Registry& registry() {
    static auto* const registry = new Registry;
    return *registry;
}

tl::unexpected<Error> error(const std::string& what, const std::string& path, int code,
                            const char* advice = kAdvice) {
    return fail(ErrorCode::storage,
                "store: cannot " + what + " " + path + ": " + std::strerror(code) + advice + kAnotherPath);
}

Status make_directory(const std::string& path) {
    std::error_code failed;
    if (std::filesystem::create_directories(path, failed)) {
        std::filesystem::permissions(path, std::filesystem::perms::owner_all, failed);
        return {};
    }
    if (failed) return error("create", path, failed.value());
    return {};
}

// The process that wrote its number into the lock file, or what is known of it.
std::string holder(int file) {
    char text[24] = {};
    const ssize_t n = pread(file, text, sizeof(text) - 1, 0);
    std::string digits;
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++) digits += text[i];
    return digits.empty() ? "another process" : "process " + digits;
}

}  // namespace

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::acquire(const std::string& path) {
    if (path.empty()) return fail(ErrorCode::storage, std::string("store: no path is set; ") + kAnotherPath);
    if (auto ok = make_directory(path); !ok) return tl::unexpected(ok.error());
    struct stat about {};
    if (stat(path.c_str(), &about) != 0) return error("open", path, errno);
    if (!S_ISDIR(about.st_mode)) return error("create", path, ENOTDIR);
    if (!registry().add(about.st_dev, about.st_ino)) {
        return fail(
            ErrorCode::storage,
            "store: " + path + " is in use by this process already; give each instance a path of its own");
    }
    auto lock = std::unique_ptr<DirectoryLock>(new DirectoryLock(path, about.st_dev, about.st_ino));
    if (auto ok = lock->lock_file(); !ok) return tl::unexpected(ok.error());
    return lock;
}

Status DirectoryLock::lock_file() {
    const std::string file = path_ + "/weir.lock";
    file_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (file_ < 0) return error("create", file, errno);
    // Somebody may be looking in for a moment (see Guest).
    bool is_locked = flock(file_, LOCK_EX | LOCK_NB) == 0;
    for (int i = 0; i < kAttempts && !is_locked && errno == EWOULDBLOCK; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        is_locked = flock(file_, LOCK_EX | LOCK_NB) == 0;
    }
    if (!is_locked) {
        if (errno != EWOULDBLOCK) return error("lock", file, errno, "; its file system has no locks: ");
        return fail(ErrorCode::storage,
                    "store: " + path_ + " is in use by " + holder(file_) + "; stop it, or " + kAnotherPath);
    }
    // For the message above, in another process. Its loss does no harm: a full disk is no reason to fail.
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(file_, 0) == 0 && pwrite(file_, pid.data(), pid.size(), 0) < 0) errno = 0;
    return {};
}

std::unique_ptr<DirectoryLock::Guest> DirectoryLock::probe(const std::string& path) {
    const int file = open((path + "/weir.lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file >= 0 && flock(file, LOCK_SH | LOCK_NB) != 0) {
        close(file);
        return nullptr;
    }
    return std::make_unique<Guest>(file);
}

DirectoryLock::Guest::~Guest() {
    if (file_ >= 0) close(file_);
}

DirectoryLock::~DirectoryLock() {
    if (file_ >= 0) close(file_);
    registry().remove(device_, inode_);
}

}  // namespace weir::store
