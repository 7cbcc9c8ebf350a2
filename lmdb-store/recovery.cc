#include "lmdb-store/recovery.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>

#include "lmdb-store/file_check.h"
#include "lmdb-store/format.h"
#include "lmdb-store/options.h"

namespace weir::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLockFileBytes = 64 * 1024;
constexpr std::uint64_t kMapStep = 64 * 1024;  // a multiple of any page size
constexpr std::string_view kDamaged = "data.mdb.damaged-";
constexpr const char* kFormatKey = "format";

std::string data_file(const std::string& path) { return path + "/data.mdb"; }
std::string copy_file(const std::string& path) { return path + "/data.mdb.compact"; }

tl::unexpected<Error> cannot_open(const std::string& path, const std::string& why) {
    return fail(ErrorCode::storage, "store: cannot open " + path + ": " + why);
}

tl::unexpected<Error> too_new(const std::string& path, const std::string& what) {
    return fail(ErrorCode::storage, "store: " + path + " was written by a newer Weir (" + what +
                                        "); run that version, or " + kAnotherPath);
}

std::string time_text(const Clock& clock) {
    const auto seconds = static_cast<std::time_t>(clock.wall_ns() / 1'000'000'000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[32] = {};
    std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc);
    return text;
}

// One is enough to look into, and more would take space that the cap does not know of.
void remove_older_damaged(const std::string& path, const std::string& kept) {
    std::error_code ignored;
    for (fs::directory_iterator at(path, ignored), end; at != end; at.increment(ignored)) {
        const std::string name = at->path().filename().string();
        if (name.starts_with(kDamaged) && name != kept) fs::remove_all(at->path(), ignored);
        if (ignored) break;
    }
}

Status set_aside(const std::string& path, const std::string& reason, const Clock& clock,
                 const Logger& logger) {
    std::string name = std::string(kDamaged) + time_text(clock);
    std::error_code failed;
    for (int i = 2; fs::exists(fs::symlink_status(path + "/" + name, failed)); i++) {
        name = std::string(kDamaged) + time_text(clock) + "-" + std::to_string(i);
    }
    fs::rename(data_file(path), path + "/" + name, failed);
    if (failed) {
        return cannot_open(data_file(path), reason + ", and it cannot be renamed: " + failed.message() +
                                                "; move it away, or " + kAnotherPath);
    }
    fs::remove(path + "/lock.mdb", failed);
    remove_older_damaged(path, name);
    logger.warning("store: " + data_file(path) + " cannot be used (" + reason + "); it is now " + path + "/" +
                   name + " and history begins anew");
    return {};
}

// What LMDB says of a file that it does not want, as opposed to a system that lets it down.
bool is_about_the_file(int code) {
    return code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_VERSION_MISMATCH ||
           code == MDB_PAGE_NOTFOUND || code == MDB_PANIC || code == MDB_INCOMPATIBLE;
}

Bytes key_bytes() { return {reinterpret_cast<const std::uint8_t*>(kFormatKey), std::strlen(kFormatKey)}; }

struct FormatFound {
    bool is_new = false;                   // the store is empty and has no format yet
    std::optional<std::uint32_t> version;  // nothing: it is not Weir's
};

Result<FormatFound> read_format(const std::string& path, const Environment& environment) {
    const auto snapshot = environment.read();
    if (!snapshot) return tl::unexpected(snapshot.error());
    const Transaction& transaction = snapshot->transaction();
    Bytes value;
    const int code = transaction.get(transaction.databases().meta, key_bytes(), value);
    if (code == 0) return FormatFound{false, decode_format(value)};
    if (code != MDB_NOTFOUND) return cannot_open(path, message_of(code));
    bool is_new = true;
    for (const MDB_dbi database : transaction.databases().all()) {
        MDB_stat stat{};
        if (mdb_stat(transaction.get(), database, &stat) != 0 || stat.ms_entries > 0) is_new = false;
    }
    return FormatFound{is_new, std::nullopt};
}

Status write_format(const std::string& path, Environment& environment) {
    Transaction transaction;
    int code = environment.write(transaction);
    if (code == 0) {
        code = transaction.put(transaction.databases().meta, key_bytes(), encode_format(kFormatVersion));
    }
    if (code == 0) code = transaction.commit();
    if (code != 0)
        return cannot_open(path, message_of(code) + "; free space on its disk, or " + kAnotherPath);
    return {};
}

// A file beyond the cap needs a larger map until it is rewritten: there must be room to drop something.
std::uint64_t map_for_file(const std::string& path, std::uint64_t map_bytes) {
    std::error_code failed;
    const std::uint64_t size = fs::file_size(data_file(path), failed);
    if (failed || size <= map_bytes) return map_bytes;
    return (size + size / 8) / kMapStep * kMapStep + 16 * kMapStep;
}

// Opens once. The reason why the file must be set aside, or nothing when the environment is open.
Result<std::optional<std::string>> try_open(const std::string& path, std::uint64_t map_bytes,
                                            Environment& out) {
    auto report = check_file(data_file(path));
    if (!report) return tl::unexpected(report.error());
    if (report->state == FileState::newer) return too_new(data_file(path), report->reason);
    if (report->state == FileState::damaged) return std::optional(report->reason);
    if (const int code = out.open(path, map_for_file(path, map_bytes)); code != 0) {
        if (is_about_the_file(code)) return std::optional(message_of(code));
        return cannot_open(path, message_of(code) + "; free space or memory, or " + kAnotherPath);
    }
    const auto format = read_format(path, out);
    if (!format) return tl::unexpected(format.error());
    const std::uint32_t version = format->is_new ? 0 : format->version.value_or(0);
    if (!format->is_new && version == 0) return std::optional<std::string>("it is not a store of Weir");
    if (!format->is_new && version < kOldestFormat) {
        return std::optional("it is of format " + std::to_string(version) +
                             ", from an older Weir, and this one reads formats from " +
                             std::to_string(kOldestFormat) + " on");
    }
    if (version > kFormatVersion) return too_new(path, "format " + std::to_string(version));
    if (version < kFormatVersion) {
        if (auto ok = write_format(path, out); !ok) return tl::unexpected(ok.error());
    }
    return std::optional<std::string>();
}

// Empty, or why there is no copy.
std::string copy_compact(const Environment& environment, const std::string& to) {
    const int file = open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return std::strerror(errno);
    int code = environment.copy_to(file);
    if (code == 0 && fsync(file) != 0) code = errno;
    close(file);
    return code == 0 ? "" : message_of(code);
}

// The code of opening the copy; 0 with a problem when the file stays as it was.
int replace_by_copy(const std::string& path, std::uint64_t map_bytes, Environment& environment,
                    std::string& problem) {
    std::error_code failed;
    problem = copy_compact(environment, copy_file(path));
    if (problem.empty() && fs::file_size(copy_file(path), failed) > map_bytes) {
        problem = "what is left in it is larger than the cap";
    }
    if (!problem.empty()) {
        fs::remove(copy_file(path), failed);
        return 0;
    }
    environment.close();
    fs::rename(copy_file(path), data_file(path), failed);
    return environment.open(path, map_bytes);
}

}  // namespace

std::uint64_t map_bytes_for(std::uint64_t max_bytes) {
    return (max_bytes - kLockFileBytes) / kMapStep * kMapStep;
}

Result<std::uint32_t> format_of(const std::string& path, const Environment& environment) {
    const auto format = read_format(path, environment);
    if (!format) return tl::unexpected(format.error());
    if (!format->version) return cannot_open(path, "it is not a store of Weir");
    return *format->version;
}

Status open_environment(const std::string& path, std::uint64_t map_bytes, const Clock& clock,
                        const Logger& logger, Environment& out) {
    std::error_code ignored;
    fs::remove(copy_file(path), ignored);
    for (int attempt = 0; attempt < 2; attempt++) {
        const auto reason = try_open(path, map_bytes, out);
        if (!reason) {
            out.close();
            return tl::unexpected(reason.error());
        }
        if (!*reason) return {};
        out.close();
        if (auto ok = set_aside(path, **reason, clock, logger); !ok) return ok;
    }
    return cannot_open(path, "a file that was just made is damaged; check its disk");
}

Status shrink_file(const std::string& path, std::uint64_t map_bytes, const Logger& logger,
                   Environment& environment) {
    std::error_code failed;
    if (fs::file_size(data_file(path), failed) <= map_bytes || failed) return {};
    std::string problem;
    int code = 0;
    {
        const auto quiet = environment.quiesce();
        code = replace_by_copy(path, map_bytes, environment, problem);
    }
    if (code != 0) return cannot_open(path, message_of(code));
    if (!problem.empty()) {
        logger.warning("store: " + data_file(path) + " is larger than max_size and cannot be rewritten (" +
                       problem + "); it stays as large as it is");
    }
    return {};
}

}  // namespace weir::store
