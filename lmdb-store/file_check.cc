#include "lmdb-store/file_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "lmdb-store/bytes.h"
#include "lmdb-store/format.h"
#include "lmdb-store/options.h"

namespace weir::store {
namespace {

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kDataVersion = 1;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint64_t kFirstPage = 2;                      // after the two meta pages
constexpr std::uint64_t kMaxPages = std::uint64_t{1} << 28;  // 1 TiB, for the memory that the check takes
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kNodeHeader = 8;
constexpr std::size_t kMetaSize = 136;
constexpr std::size_t kDatabaseSize = 48;
constexpr unsigned kMaxDepth = 32;

enum PageFlags : std::uint16_t { kBranch = 0x01, kLeaf = 0x02, kOverflow = 0x04, kMeta = 0x08 };
enum NodeFlags : std::uint16_t { kBigData = 0x01, kSubDatabase = 0x02 };
constexpr std::uint16_t kIntegerKey = 0x08;

struct Database {
    std::uint32_t pad = 0;  // of the free list: the page size
    std::uint16_t flags = 0;
    std::uint16_t depth = 0;
    std::uint64_t branch_pages = 0;
    std::uint64_t leaf_pages = 0;
    std::uint64_t overflow_pages = 0;
    std::uint64_t entries = 0;
    std::uint64_t root = kNoPage;
};

struct Meta {
    std::uint32_t magic = 0;
    std::uint32_t version = 0;
    Database free;
    Database main;
    std::uint64_t last_page = 0;
    std::uint64_t transaction = 0;
};

struct SubDatabase {
    Database record;
    std::size_t key_size = 0;  // 0: any
};

// A longer key would be read from the value behind it.
std::size_t key_size_of(std::string_view database) {
    if (database == "segment") return kSegmentKeySize;
    return database == "detail" || database == "minute" || database == "endpoint" ? kKeySize : 0;
}

Database read_database(ByteReader& in) {
    Database out;
    out.pad = in.fixed<std::uint32_t>();
    out.flags = in.fixed<std::uint16_t>();
    out.depth = in.fixed<std::uint16_t>();
    out.branch_pages = in.fixed<std::uint64_t>();
    out.leaf_pages = in.fixed<std::uint64_t>();
    out.overflow_pages = in.fixed<std::uint64_t>();
    out.entries = in.fixed<std::uint64_t>();
    out.root = in.fixed<std::uint64_t>();
    return out;
}

Meta read_meta(Bytes bytes) {
    ByteReader in(bytes);
    Meta out;
    out.magic = in.fixed<std::uint32_t>();
    out.version = in.fixed<std::uint32_t>();
    in.take(16);  // address and size of the map
    out.free = read_database(in);
    out.main = read_database(in);
    out.last_page = in.fixed<std::uint64_t>();
    out.transaction = in.fixed<std::uint64_t>();
    return out;
}

// What a tree holds, which decides how its keys and values look.
enum class Tree : std::uint8_t { free_list, main, sub };

class Checker {
public:
    Checker(int file, std::uint64_t size) : file_(file), size_(size) {}

    FileReport run() {
        if (!read_metas()) return {state_, reason_};
        const Meta& meta = metas_[chosen_];
        if (!check_tree(meta.free, Tree::free_list) || !check_tree(meta.main, Tree::main))
            return {state_, reason_};
        // By index: main's names put their databases at the end. They hold no names themselves.
        for (std::size_t i = 0; i < sub_databases_.size(); i++) {
            key_size_ = sub_databases_[i].key_size;
            if (!check_tree(sub_databases_[i].record, Tree::sub)) return {state_, reason_};
        }
        if (!sub_databases_.empty() && !has_meta_)
            return {FileState::damaged, "it holds another program's data"};
        if (!check_free_pages()) return {state_, reason_};
        return {FileState::sound, {}};
    }

    int read_error() const { return read_error_; }

private:
    bool damaged(std::string reason) {
        state_ = FileState::damaged;
        reason_ = std::move(reason);
        return false;
    }

    bool read(std::uint64_t offset, std::size_t n, std::vector<std::uint8_t>& out) {
        if (offset > size_ || n > size_ - offset) return damaged("it ends too early");
        out.resize(n);
        for (std::size_t done = 0; done < n;) {
            const ssize_t got = pread(file_, out.data() + done, n - done, static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) read_error_ = errno;
            if (got <= 0) return damaged("it cannot be read");
            done += static_cast<std::size_t>(got);
        }
        return true;
    }

    bool read_meta_page(std::uint64_t offset, Meta& out) {
        std::vector<std::uint8_t> bytes;
        if (!read(offset, kPageHeader + kMetaSize, bytes)) return false;
        std::uint16_t flags = 0;
        std::memcpy(&flags, bytes.data() + 10, sizeof(flags));
        out = read_meta(Bytes(bytes).subspan(kPageHeader));
        if ((flags & kMeta) == 0 || out.magic != kMagic) return damaged("it is not an LMDB file");
        return true;
    }

    bool read_metas() {
        if (!read_meta_page(0, metas_[0])) return false;
        page_size_ = metas_[0].free.pad;
        if (!std::has_single_bit(page_size_) || page_size_ < 512 || page_size_ > 65536)
            return damaged("its page size");
        if (!read_meta_page(page_size_, metas_[1])) return false;
        if (metas_[0].version == metas_[1].version && metas_[0].version > kDataVersion) {
            state_ = FileState::newer;
            reason_ = "LMDB data version " + std::to_string(metas_[0].version);
            return false;
        }
        for (const Meta& meta : metas_) {
            if (meta.version != kDataVersion || meta.free.pad != page_size_) return damaged("its meta pages");
        }
        chosen_ = metas_[1].transaction > metas_[0].transaction ? 1 : 0;
        const Meta& meta = metas_[chosen_];
        // LMDB finds the meta page of a transaction by its number being odd or even.
        if (meta.transaction % 2 != chosen_ || meta.free.flags != kIntegerKey || meta.main.flags != 0) {
            return damaged("its meta pages");
        }
        if (meta.last_page + 1 < kFirstPage || meta.last_page >= kMaxPages)
            return damaged("its number of pages");
        seen_.resize(meta.last_page + 1, false);
        return true;
    }

    // Takes pages into use; no page may be taken twice.
    bool take(std::uint64_t page, std::uint64_t count) {
        if (page < kFirstPage || page >= seen_.size() || count > seen_.size() - page) {
            return damaged("a page number out of range");
        }
        for (std::uint64_t i = page; i < page + count; i++) {
            if (seen_[i]) return damaged("a page in use twice");
            seen_[i] = true;
        }
        return true;
    }

    bool check_tree(const Database& database, Tree tree) {
        counted_ = {};
        last_key_.reset();
        if (database.root == kNoPage) {
            if (database.entries != 0) return damaged("an empty tree with entries");
            return true;
        }
        if (database.depth == 0 || database.depth > kMaxDepth) return damaged("a tree's depth");
        if (!check_page(database.root, database.depth, tree)) return false;
        if (counted_.branch_pages != database.branch_pages || counted_.leaf_pages != database.leaf_pages ||
            counted_.overflow_pages != database.overflow_pages || counted_.entries != database.entries) {
            return damaged("a tree's counts");
        }
        return true;
    }

    bool check_page(std::uint64_t number, unsigned depth, Tree tree) {
        std::vector<std::uint8_t> page;
        if (!take(number, 1) || !read(number * page_size_, page_size_, page)) return false;
        ByteReader in(page);
        const auto own_number = in.fixed<std::uint64_t>();
        in.fixed<std::uint16_t>();
        const auto flags = in.fixed<std::uint16_t>();
        const std::size_t lower = in.fixed<std::uint16_t>();
        const std::size_t upper = in.fixed<std::uint16_t>();
        const bool is_leaf = depth == 1;
        if (own_number != number || flags != (is_leaf ? kLeaf : kBranch)) return damaged("a page's header");
        if (lower < kPageHeader || lower > upper || upper > page_size_ || lower % 2 != 0)
            return damaged("a page's bounds");
        const std::size_t nodes = (lower - kPageHeader) / 2;
        if (nodes < (is_leaf ? 1 : 2)) return damaged("a page without nodes");
        (is_leaf ? counted_.leaf_pages : counted_.branch_pages)++;
        for (std::size_t i = 0; i < nodes; i++) {
            const std::size_t offset = in.fixed<std::uint16_t>();
            if (offset < upper || offset > page_size_ - kNodeHeader || offset % 2 != 0)
                return damaged("a node's place");
            const Bytes rest = Bytes(page).subspan(offset);
            if (!(is_leaf ? check_leaf_node(rest, tree) : check_branch_node(rest, depth, tree))) return false;
        }
        return true;
    }

    bool check_branch_node(Bytes bytes, unsigned depth, Tree tree) {
        ByteReader in(bytes);
        const std::uint64_t low = in.fixed<std::uint16_t>();
        const std::uint64_t middle = in.fixed<std::uint16_t>();
        const std::uint64_t high = in.fixed<std::uint16_t>();
        in.take(in.fixed<std::uint16_t>());
        if (in.failed()) return damaged("a node's size");
        return check_page(low | middle << 16 | high << 32, depth - 1, tree);
    }

    bool check_leaf_node(Bytes bytes, Tree tree) {
        ByteReader in(bytes);
        const std::size_t low = in.fixed<std::uint16_t>();
        const std::size_t size = low | std::size_t{in.fixed<std::uint16_t>()} << 16;
        const auto flags = in.fixed<std::uint16_t>();
        const Bytes key = in.take(in.fixed<std::uint16_t>());
        const Bytes data = in.take(flags == kBigData ? sizeof(std::uint64_t) : size);
        if (in.failed()) return damaged("a node's size");
        if (tree == Tree::main ? flags != kSubDatabase : flags != 0 && flags != kBigData) {
            return damaged(tree == Tree::main ? "it holds another program's data" : "a node's flags");
        }
        counted_.entries++;
        if (!check_key(key, tree)) return false;
        if (tree == Tree::main) return check_sub_database(key, data);
        if (flags != kBigData) return tree != Tree::free_list || collect_free(data);
        std::uint64_t first = 0;
        std::memcpy(&first, data.data(), sizeof(first));
        return check_overflow(first, size, tree);
    }

    bool check_key(Bytes key, Tree tree) {
        std::vector<std::uint8_t> ordered(key.begin(), key.end());
        if (tree == Tree::free_list) {
            std::uint64_t transaction = 0;
            if (key.size() != sizeof(transaction)) return damaged("a key of the free list");
            std::memcpy(&transaction, key.data(), sizeof(transaction));
            if (transaction > metas_[chosen_].transaction) return damaged("a key of the free list");
            std::reverse(ordered.begin(), ordered.end());
        }
        if (tree == Tree::sub && key_size_ != 0 && key.size() != key_size_) return damaged("a key's size");
        if (last_key_ && !(*last_key_ < ordered)) return damaged("keys out of order");
        last_key_ = std::move(ordered);
        return true;
    }

    bool check_sub_database(Bytes name_bytes, Bytes data) {
        const std::string_view name(reinterpret_cast<const char*>(name_bytes.data()), name_bytes.size());
        has_meta_ |= name == "meta";
        if (data.size() != kDatabaseSize) return damaged("a database's record");
        ByteReader in(data);
        const Database database = read_database(in);
        if (database.flags != 0) return damaged("a database that is not the store's");
        sub_databases_.push_back({database, key_size_of(name)});
        return true;
    }

    bool check_overflow(std::uint64_t first, std::size_t size, Tree tree) {
        const std::uint64_t pages = (kPageHeader - 1 + size) / page_size_ + 1;
        std::vector<std::uint8_t> bytes;
        if (!take(first, pages)) return false;
        if (!read(first * page_size_, kPageHeader, bytes)) return false;
        ByteReader in(bytes);
        const auto own_number = in.fixed<std::uint64_t>();
        in.fixed<std::uint16_t>();
        const auto flags = in.fixed<std::uint16_t>();
        if (own_number != first || flags != kOverflow || in.fixed<std::uint32_t>() != pages) {
            return damaged("a value's pages");
        }
        if (first + pages > size_ / page_size_) return damaged("it ends too early");
        counted_.overflow_pages += pages;
        if (tree != Tree::free_list) return true;
        return read(first * page_size_ + kPageHeader, size, bytes) && collect_free(bytes);
    }

    // A list of page numbers: how many, then the numbers, descending.
    bool collect_free(Bytes data) {
        ByteReader in(data);
        const auto count = in.fixed<std::uint64_t>();
        if (in.failed() || count > in.remaining() / sizeof(std::uint64_t)) return damaged("the free list");
        std::uint64_t last = kNoPage;
        for (std::uint64_t i = 0; i < count; i++) {
            const auto page = in.fixed<std::uint64_t>();
            if (page >= last) return damaged("the free list");
            free_.push_back(page);
            last = page;
        }
        return true;
    }

    bool check_free_pages() {
        return std::all_of(free_.begin(), free_.end(), [this](std::uint64_t page) { return take(page, 1); });
    }

    int file_;
    std::uint64_t size_;
    std::uint32_t page_size_ = 0;
    std::array<Meta, 2> metas_;
    std::size_t chosen_ = 0;
    std::vector<bool> seen_;
    std::vector<std::uint64_t> free_;
    std::vector<SubDatabase> sub_databases_;
    std::size_t key_size_ = 0;  // of the one at hand; 0: any
    bool has_meta_ = false;     // the store's own database is among them
    Database counted_;
    std::optional<std::vector<std::uint8_t>> last_key_;
    FileState state_ = FileState::damaged;
    std::string reason_;
    int read_error_ = 0;
};

tl::unexpected<Error> cannot(const char* what, const std::string& path, int code) {
    return fail(ErrorCode::storage, std::string("store: cannot ") + what + " " + path + ": " +
                                        std::strerror(code) + "; give this process access to it, or " +
                                        kAnotherPath);
}

}  // namespace

Result<FileReport> check_file(const std::string& path) {
    struct stat about {};
    if (lstat(path.c_str(), &about) != 0) {
        if (errno == ENOENT) return FileReport{};
        return cannot("open", path, errno);
    }
    if (!S_ISREG(about.st_mode)) return FileReport{FileState::damaged, "it is not a regular file"};
    if (about.st_size == 0) return FileReport{};
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return cannot("open", path, errno);
    Checker checker(file, static_cast<std::uint64_t>(about.st_size));
    FileReport report = checker.run();
    close(file);
    if (checker.read_error() != 0) return cannot("read", path, checker.read_error());
    return report;
}

}  // namespace weir::store
