#include "lmdb-store/archive.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "lmdb-store/block_rows.h"
#include "lmdb-store/directory_lock.h"
#include "lmdb-store/entries.h"
#include "lmdb-store/file_check.h"
#include "lmdb-store/recovery.h"

namespace weir::store {
namespace {

tl::unexpected<Error> cannot_read(const std::string& path, const std::string& why) {
    return fail(ErrorCode::storage, "cannot read the store in " + path + ": " + why);
}

// Pages of a database, in bytes.
std::uint64_t bytes_of(const Environment& environment, const Transaction& transaction, MDB_dbi database) {
    MDB_stat stat{};
    if (mdb_stat(transaction.get(), database, &stat) != 0) return 0;
    return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * environment.page_size();
}

Archive::TableSummary summary_of(const std::vector<Entry>& entries) {
    Archive::TableSummary out;
    out.entries = entries.size();
    for (const Entry& entry : entries) {
        const std::int64_t end = entry.header.end_ns;
        out.rows += entry.header.rows();
        out.oldest_ns = out.oldest_ns == 0 ? end : std::min(out.oldest_ns, end);
        out.newest_ns = std::max(out.newest_ns, end);
    }
    return out;
}

int add_segments(const Transaction& transaction, std::vector<Archive::SegmentSummary>& out) {
    Cursor cursor;
    int code = cursor.open(transaction, transaction.databases().segment);
    for (; code == 0 && (code = cursor.next()) == 0;) {
        const auto key = decode_segment_key(cursor.key());
        if (!key) return MDB_CORRUPTED;
        if (out.empty() || out.back().number != key->segment) out.push_back({.number = key->segment});
        Archive::SegmentSummary& segment = out.back();
        segment.bytes += cursor.value().size();
        const auto block = BlockReader::open(cursor.value());
        if (!block) continue;
        auto& count = key->part == Part::texts      ? segment.texts
                      : key->part == Part::flows    ? segment.flows
                      : key->part == Part::requests ? segment.requests
                      : key->part == Part::lookups  ? segment.lookups
                                                    : segment.endpoints;
        count += block->rows();
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

// Every block of every entry, and of every segment.
class Check {
public:
    explicit Check(const Transaction& transaction) : transaction_(transaction) {}

    int run(Archive::Verdict& out) {
        for (const Table table : kTables) {
            std::vector<Entry> entries;
            std::vector<Key> damaged;
            if (const int code = list_entries(transaction_, table, 0, entries, damaged); code != 0)
                return code;
            for (const Key& key : damaged)
                out.damage.push_back({name_of(table, key), "the header is damaged or missing", 0});
            for (const Entry& entry : entries) {
                out.entries++;
                for (const Part part : kRowParts) check_part(entry, part, out);
            }
        }
        return check_segments(out);
    }

private:
    static std::string name_of(Table table, const Key& key) {
        constexpr std::array kNames = {"interval ", "minute ", "endpoints from minute "};
        return kNames[static_cast<std::size_t>(table)] + std::to_string(key.sequence);
    }

    void check_part(const Entry& entry, Part part, Archive::Verdict& out) {
        const PartSize& size = entry.header.size(part);
        std::uint64_t rows = 0;
        std::string what = "rows are missing";
        const bool by_endpoint = entry.table == Table::endpoint;
        if (size.blocks > 0) open_segment(entry.header.segment, by_endpoint ? Part::endpoints : part);
        for (std::uint32_t i = 0; i < size.blocks; i++) {
            Bytes bytes;
            if (get_block(transaction_, entry, part, i, bytes) != 0) continue;
            out.blocks++;
            const auto block = BlockReader::open(bytes);
            if (!block || block->part() != part) {
                what = block ? "a block of another part" : block.error().message;
            } else if (const auto read =
                           by_endpoint ? check_endpoint_rows(*block, segment_) : check_rows(*block);
                       !read) {
                what = read.error().message;
            } else {
                if (*read < block->rows()) what = "what rows are about cannot be read in the segment";
                rows += *read;
            }
        }
        out.rows += rows;
        if (rows < size.rows) out.damage.push_back({name_of(entry.table, entry.key), what, size.rows - rows});
    }

    // How many of its rows can be read.
    Result<std::uint64_t> check_rows(const BlockReader& block) {
        if (auto ok = read_rows(block, segment_, batch_, lost_); !ok) return tl::unexpected(ok.error());
        return static_cast<std::uint64_t>(std::count(lost_.begin(), lost_.end(), 0));
    }

    void open_segment(std::uint64_t number, Part part) {
        if (opened_ && *opened_ == std::pair(number, part)) return;
        static_cast<void>(segment_.open(transaction_, number, part));
        opened_ = {number, part};
    }

    int check_segments(Archive::Verdict& out) {
        Cursor cursor;
        int code = cursor.open(transaction_, transaction_.databases().segment);
        while (code == 0 && (code = cursor.next()) == 0) {
            const auto key = decode_segment_key(cursor.key());
            if (!key) return MDB_CORRUPTED;
            out.blocks++;
            const auto block = BlockReader::open(cursor.value());
            const bool is_right = block && block->part() == key->part && block->first() == key->first;
            if (!is_right)
                out.damage.push_back({"segment " + std::to_string(key->segment), "a block is damaged", 0});
        }
        return code == MDB_NOTFOUND ? 0 : code;
    }

    const Transaction& transaction_;
    Segment segment_;
    std::optional<std::pair<std::uint64_t, Part>> opened_;
    Batch batch_;
    std::vector<std::uint8_t> lost_;
};

}  // namespace

Archive::Archive(const std::string& path, const Clock& clock) : reader_(environment_, options_, clock) {
    options_.path = path;
    // Intervals answer wherever they are all there, however long ago that was.
    options_.detail_ns = kMaxTime / 4;
}

Result<std::unique_ptr<Archive>> Archive::open(const std::string& path, const Clock& clock) {
    auto out = std::unique_ptr<Archive>(new Archive(path, clock));
    const std::string file = path + "/data.mdb";
    struct stat about {};
    if (stat(file.c_str(), &about) != 0) return cannot_read(path, "there is none (no data.mdb)");
    {
        // A file that nobody writes is checked before LMDB trusts it; whoever writes it has done so.
        const auto lock = DirectoryLock::probe(path);
        out->is_in_use_ = lock == nullptr;
        if (lock != nullptr) {
            const auto report = check_file(file);
            if (!report) return tl::unexpected(report.error());
            if (report->state != FileState::sound)
                return cannot_read(path, report->reason.empty() ? "it is empty" : report->reason);
        }
    }
    if (const int code = out->environment_.open_read_only(path); code != 0)
        return cannot_read(path,
                           code == MDB_NOTFOUND
                               ? "it is no store of Weir, or one of an older version; that is brought up "
                                 "to date when Weir opens it"
                               : message_of(code));
    const auto version = format_of(path, out->environment_);
    if (!version) return tl::unexpected(version.error());
    if (*version != kFormatVersion)
        return cannot_read(path, "it is of format " + std::to_string(*version) + ", and this program reads " +
                                     std::to_string(kFormatVersion));
    return out;
}

Result<Archive::Summary> Archive::summary() const {
    const auto snapshot = environment_.read();
    if (!snapshot) return tl::unexpected(snapshot.error());
    const Transaction& transaction = snapshot->transaction();
    Summary out;
    out.path = options_.path;
    out.is_in_use = is_in_use_;
    out.format = kFormatVersion;
    std::uint64_t pages = 0;
    int code = used_pages(transaction, pages);
    for (const Table table : kTables) {
        std::vector<Entry> entries;
        std::vector<Key> damaged;
        if (code == 0) code = list_entries(transaction, table, 0, entries, damaged);
        TableSummary& into = table == Table::detail   ? out.detail
                             : table == Table::minute ? out.minute
                                                      : out.endpoint;
        into = summary_of(entries);
        into.bytes = bytes_of(environment_, transaction, transaction.databases()[table]);
    }
    if (code == 0) code = add_segments(transaction, out.segments);
    if (code != 0) return cannot_read(options_.path, message_of(code));
    struct stat about {};
    if (stat((options_.path + "/data.mdb").c_str(), &about) == 0)
        out.file_bytes = static_cast<std::uint64_t>(about.st_size);
    out.used_bytes = pages * environment_.page_size();
    out.most_bytes = environment_.page_limit() * environment_.page_size();
    return out;
}

Result<Archive::Verdict> Archive::check() const {
    const auto snapshot = environment_.read();
    if (!snapshot) return tl::unexpected(snapshot.error());
    Verdict out;
    if (const int code = Check(snapshot->transaction()).run(out); code != 0)
        return cannot_read(options_.path, message_of(code));
    return out;
}

}  // namespace weir::store
