// file:PATH. Each batch opens, appends and closes: a file that was rotated away or deleted is simply made
// anew, and nothing is held back in a buffer. A batch that does not fit on the disk is taken back whole and
// tried again, so that the file never ends in half a point.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "abi/host/target.h"

namespace weir::host {
namespace {

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int number() const { return number_; }

private:
    int number_;
};

bool is_appendable(mode_t mode) { return S_ISREG(mode) || S_ISCHR(mode); }

Delivery not_now(std::string why) { return {Delivery::Result::retry, std::move(why), {}}; }

// How much of `bytes` went in, and the error when that is not all.
std::pair<std::size_t, int> append(int file, std::string_view bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t written = write(file, bytes.data() + done, bytes.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return {done, written < 0 ? errno : ENOSPC};
        done += static_cast<std::size_t>(written);
    }
    return {done, 0};
}

class FileTarget final : public Target {
public:
    explicit FileTarget(std::string path) : path_(std::move(path)) {}

    std::string name() const override { return "file:" + path_; }
    Expected<void> check() override;
    void open() override { const Descriptor created(open_to_append()); }
    Delivery deliver(const Batch& batch) override;

private:
    // O_NONBLOCK: a FIFO that took the file's place must not hold us up.
    int open_to_append() const {
        return ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    }

    std::string path_;
};

Expected<void> FileTarget::check() {
    const auto cannot = [this](const std::string& why) {
        return fail("cannot write to " + name() + ": " + why);
    };
    struct stat file {};
    if (stat(path_.c_str(), &file) == 0) {
        if (!is_appendable(file.st_mode)) return cannot("it is not a file");
        return access(path_.c_str(), W_OK) == 0 ? Expected<void>() : cannot(std::strerror(errno));
    }
    if (errno != ENOENT) return cannot(std::strerror(errno));
    std::filesystem::path directory = std::filesystem::path(path_).parent_path();
    if (directory.empty()) directory = ".";
    if (access(directory.c_str(), W_OK | X_OK) != 0) {
        return cannot("the directory " + directory.string() + ": " + std::strerror(errno));
    }
    return {};
}

Delivery FileTarget::deliver(const Batch& batch) {
    const Descriptor file(open_to_append());
    struct stat before {};
    if (file.number() < 0 || fstat(file.number(), &before) != 0) return not_now(std::strerror(errno));
    if (!is_appendable(before.st_mode)) return not_now("it is not a file any more");

    const auto [written, error] = append(file.number(), batch.bytes);
    if (error == 0) return {};
    struct stat after {};
    const bool ours_is_last = S_ISREG(before.st_mode) && fstat(file.number(), &after) == 0 &&
                              after.st_size == before.st_size + static_cast<off_t>(written);
    if (written > 0 && (!ours_is_last || ftruncate(file.number(), before.st_size) != 0)) {
        return {Delivery::Result::refused,
                std::string("a part is in the file, the rest is not: ") + std::strerror(error),
                {}};
    }
    return not_now(std::strerror(error));
}

}  // namespace

Expected<std::unique_ptr<Target>> make_file_target(const std::string& rest,
                                                   const TargetSettings& /*settings*/) {
    if (rest.empty()) return fail("the target file: needs a path, as in file:/var/log/points");
    return std::make_unique<FileTarget>(rest);
}

}  // namespace weir::host
