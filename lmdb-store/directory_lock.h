// The store's directory, in use by one store only.
//
// LMDB itself lets two processes write in turn; two Weirs in one file would each believe that what they
// appended last is the end of it. And the same environment opened twice in one process loses LMDB's own
// lock when one of the two is closed. So there is a lock file, held with flock(), and a registry of the
// directories that this process holds, by device and inode: another path to the same place is the same.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "plugin/base/status.h"

namespace weir::store {

class DirectoryLock {
public:
    // Makes the directory (and those above it) when it is missing. Errors, all ErrorCode::storage: cannot be
    // made or written, or in use.
    static Result<std::unique_ptr<DirectoryLock>> acquire(const std::string& path);

    // Keeps Weir out of an existing directory for a moment; nothing when a Weir is in it. Makes nothing, and
    // where there is no lock file, or none that can be opened, nobody is.
    class Guest {
    public:
        explicit Guest(int file) : file_(file) {}
        ~Guest();
        Guest(const Guest&) = delete;
        Guest& operator=(const Guest&) = delete;

    private:
        int file_;
    };
    static std::unique_ptr<Guest> probe(const std::string& path);

    ~DirectoryLock();
    DirectoryLock(const DirectoryLock&) = delete;
    DirectoryLock& operator=(const DirectoryLock&) = delete;

    const std::string& path() const { return path_; }

private:
    DirectoryLock(std::string path, dev_t device, ino_t inode)
        : path_(std::move(path)), device_(device), inode_(inode) {}
    Status lock_file();

    std::string path_;
    dev_t device_;
    ino_t inode_;
    int file_ = -1;
};

}  // namespace weir::store
