// From a directory to an open environment, whatever is in the directory.
//
// A data file that is damaged, cut short or not Weir's is set aside as data.mdb.damaged-<time> and a fresh
// one begins; only the newest such file is kept. A store of a newer format is left alone and refused.
#pragma once

#include <cstdint>
#include <string>

#include "lmdb-store/environment.h"
#include "plugin/base/clock.h"
#include "plugin/base/log.h"
#include "plugin/base/status.h"

namespace weir::store {

// What LMDB may use of max_bytes: whole pages, and some bytes are left for the lock files.
std::uint64_t map_bytes_for(std::uint64_t max_bytes);

// The directory must be locked by the caller. Errors: storage.
Status open_environment(const std::string& path, std::uint64_t map_bytes, const Clock& clock,
                        const Logger& logger, Environment& out);

// The format's version of an open environment. Errors: storage (it has none).
Result<std::uint32_t> format_of(const std::string& path, const Environment& environment);

// Rewrites a data file that is larger than `map_bytes` (the cap was lowered) without its free pages; what is
// in it must have been trimmed. A file that cannot be rewritten stays as it is, with a warning. Errors:
// storage (it cannot be opened again).
Status shrink_file(const std::string& path, std::uint64_t map_bytes, const Logger& logger,
                   Environment& environment);

}  // namespace weir::store
