// Whether LMDB may open a data file.
//
// LMDB trusts its file: a truncated or damaged one makes it read outside of its map or abort, and that
// would take the host agent down. So before it opens a file, everything that LMDB follows (meta pages,
// trees, free list) is checked here with plain reads: page numbers in range, no page in use twice, nodes
// inside their pages, counts as recorded, keys ascending. What the values hold is not looked at; they have
// checksums of their own. Takes a read of the trees' pages, some hundred for a full store.
//
// Layout read: LMDB 0.9 data version 1 on 64-bit little-endian machines (mdb.c: MDB_meta, MDB_db,
// MDB_page, MDB_node).
#pragma once

#include <cstdint>
#include <string>

#include "plugin/base/status.h"

namespace weir::store {

enum class FileState : std::uint8_t {
    fresh,  // not there, or empty
    sound,
    damaged,  // or not LMDB's at all
    newer,    // of an LMDB that this one cannot read
};

struct FileReport {
    FileState state = FileState::fresh;
    std::string reason;  // of damaged and newer
};

// The file must not change meanwhile. Errors: storage (it cannot be opened or read).
Result<FileReport> check_file(const std::string& path);

}  // namespace weir::store
