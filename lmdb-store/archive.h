// A store that somebody else may be writing, opened for reading only.
//
// LMDB's readers and its writer do not wait for each other, in other processes either: what is read is a
// snapshot. A reader that dies leaves its slot, and the pages that it held; the writer clears it with its
// next transaction.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lmdb-store/environment.h"
#include "lmdb-store/format.h"
#include "lmdb-store/options.h"
#include "lmdb-store/reader.h"
#include "plugin/base/clock.h"
#include "plugin/query/query.h"

namespace weir::store {

class Archive {
public:
    // Errors: storage (no store, damaged, of another version; or it cannot be read).
    static Result<std::unique_ptr<Archive>> open(const std::string& path, const Clock& clock);

    Result<query::AggregateResult> aggregate(const query::AggregateQuery& query) const {
        return reader_.aggregate(query);
    }
    Result<query::RecordPage> records(const query::RecordQuery& query) const {
        return reader_.records(query);
    }

    struct TableSummary {
        std::uint64_t entries = 0;
        std::uint64_t rows = 0;
        std::uint64_t bytes = 0;     // of its pages
        std::int64_t oldest_ns = 0;  // 0 = none
        std::int64_t newest_ns = 0;
    };
    struct SegmentSummary {
        std::uint64_t number = 0;
        std::uint64_t texts = 0, flows = 0, requests = 0, lookups = 0, endpoints = 0;
        std::uint64_t bytes = 0;
    };
    struct Summary {
        std::string path;
        bool is_in_use = false;  // by a Weir
        std::uint32_t format = 0;
        TableSummary detail, minute, endpoint;
        std::vector<SegmentSummary> segments;
        std::uint64_t used_bytes = 0;
        std::uint64_t file_bytes = 0;
        std::uint64_t most_bytes = 0;  // the cap, as its writer has set it
    };
    // Errors: storage.
    Result<Summary> summary() const;

    struct Damage {
        std::string where;
        std::string what;
        std::uint64_t rows = 0;  // that cannot be read
    };
    struct Verdict {
        std::uint64_t entries = 0;
        std::uint64_t blocks = 0;
        std::uint64_t rows = 0;
        std::vector<Damage> damage;
    };
    // Reads and decodes every block. Errors: storage.
    Result<Verdict> check() const;

private:
    Archive(const std::string& path, const Clock& clock);

    Options options_;
    bool is_in_use_ = false;
    Environment environment_;
    Reader reader_;
};

}  // namespace weir::store
