#include "abi/host/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "weir_abi.h"

namespace weir::host {
namespace {

namespace fs = std::filesystem;

// FNV-1a, 64 bits: the name of a directory has to be the same in every build.
std::uint64_t name_hash(std::string_view text) {
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return hash;
}

std::string hex(std::uint64_t number) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016lx", static_cast<unsigned long>(number));
    return digits;
}

// The parts of "NUMBER-POINTS-BYTES"; nothing when it is no such name.
std::optional<Spool::Entry> parse_name(std::string_view name) {
    Spool::Entry entry;
    const char* const end = name.data() + name.size();
    const auto number = std::from_chars(name.data(), end, entry.number, 16);
    if (number.ec != std::errc{} || number.ptr == end || *number.ptr != '-') return std::nullopt;
    const auto points = std::from_chars(number.ptr + 1, end, entry.points);
    if (points.ec != std::errc{} || points.ptr == end || *points.ptr != '-') return std::nullopt;
    const auto size = std::from_chars(points.ptr + 1, end, entry.size);
    if (size.ec != std::errc{} || size.ptr != end) return std::nullopt;
    return entry;
}

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

Expected<Spool> Spool::open(const std::string& parent, const std::string& target,
                            std::int32_t points_format) {
    const std::string directory =
        parent + '/' + target.substr(0, target.find(':')) + '-' + hex(name_hash(target));
    const auto cannot = [&](const std::string& why) {
        return fail("cannot spool in " + directory + ": " + why);
    };
    std::error_code problem;
    fs::create_directories(directory, problem);
    if (problem) return cannot(problem.message());
    // Points tell who talks to whom.
    fs::permissions(directory, fs::perms::owner_all, problem);
    const int lock = ::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) return cannot(std::strerror(errno));
    Spool spool(directory, points_format == WEIR_FORMAT_PROTOBUF ? ".pb" : ".lp", lock);
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) return cannot("another process uses it");
    return spool;
}

Spool::Spool(Spool&& other) noexcept
    : directory_(std::move(other.directory_)),
      ending_(std::move(other.ending_)),
      lock_(std::exchange(other.lock_, -1)) {}

Spool& Spool::operator=(Spool&& other) noexcept {
    directory_.swap(other.directory_);
    ending_.swap(other.ending_);
    std::swap(lock_, other.lock_);
    return *this;
}

Spool::~Spool() {
    if (lock_ >= 0) close(lock_);
}

std::string Spool::path(const Entry& entry) const {
    return directory_ + '/' + hex(entry.number) + '-' + std::to_string(entry.points) + '-' +
           std::to_string(entry.size) + ending_;
}

std::vector<Spool::Entry> Spool::entries() const {
    std::vector<Entry> found;
    std::error_code problem;
    for (const auto& file : fs::directory_iterator(directory_, problem)) {
        const std::string name = file.path().filename().string();
        if (!name.ends_with(ending_)) continue;
        const auto entry = parse_name(name.substr(0, name.size() - ending_.size()));
        if (entry && fs::file_size(file.path(), problem) == entry->size) found.push_back(*entry);
    }
    std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) { return a.number < b.number; });
    return found;
}

bool Spool::write(const Entry& entry, std::string_view bytes) const {
    const std::string under_way = directory_ + "/under-way";
    const int file = ::open(under_way.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return false;
    const bool written = write_all(file, bytes);
    const bool closed = close(file) == 0;
    if (written && closed && std::rename(under_way.c_str(), path(entry).c_str()) == 0) return true;
    unlink(under_way.c_str());
    return false;
}

std::string Spool::read(const Entry& entry) const {
    std::ifstream file(path(entry), std::ios::binary);
    std::string bytes(entry.size, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file ? bytes : std::string();
}

void Spool::remove(const Entry& entry) const { unlink(path(entry).c_str()); }

}  // namespace weir::host
