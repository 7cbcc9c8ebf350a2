// A directory of batches that wait for one target, over the end of the process as well.
//
// One file a batch, which holds the points as they are, so that an operator can look at them or send them
// with any other tool: NUMBER-POINTS-BYTES.lp (line protocol) or .pb (PBPoints), the number in 16 hexadecimal
// digits, so that names sort in the order of the batches. A file is written under another name first. Files
// of another format, and those whose size is not the one in the name (a power cut), stay where they are. A
// file named "lock" keeps a second process out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi/host/expected.h"
#include "abi/host/target.h"

namespace weir::host {

class Spool {
public:
    struct Entry {
        std::uint64_t number = 0;
        std::uint64_t points = 0;
        std::uint64_t size = 0;  // bytes
    };

    // Makes the directory under `parent` for what the command line calls `target`, and locks it.
    static Expected<Spool> open(const std::string& parent, const std::string& target,
                                std::int32_t points_format);
    Spool(Spool&& other) noexcept;
    Spool& operator=(Spool&& other) noexcept;
    ~Spool();

    const std::string& directory() const { return directory_; }
    // What waits, in order.
    std::vector<Entry> entries() const;
    // False when the file cannot be written; nothing is left of it then.
    bool write(const Entry& entry, std::string_view bytes) const;
    // Empty when the file is gone or damaged.
    std::string read(const Entry& entry) const;
    void remove(const Entry& entry) const;

private:
    Spool(std::string directory, std::string ending, int lock)
        : directory_(std::move(directory)), ending_(std::move(ending)), lock_(lock) {}
    std::string path(const Entry& entry) const;

    std::string directory_;
    std::string ending_;
    int lock_;
};

}  // namespace weir::host
