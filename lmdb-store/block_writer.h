// Puts a block together (block_format.h), section by section.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/block_format.h"
#include "lmdb-store/bytes.h"
#include "lmdb-store/columns.h"

namespace weir::store {

using Block = std::vector<std::uint8_t>;
using Numbers = std::vector<std::uint64_t>;

class BlockWriter {
public:
    template <typename Write>
    void add(Section section, Write write) {
        const std::size_t begin = body_.size();
        ByteWriter out(body_);
        write(out);
        directory_.push_back({section, begin, body_.size() - begin});
    }
    void add_sequence(Section section, std::span<const std::uint64_t> values);
    // These leave a column of zeros out.
    void add_numbers(Section section, std::span<const std::uint64_t> values);
    void add_attribute(Section section, const Numbers& values);
    void add_addresses(Section section, const std::vector<Address>& values);

    Block finish(Part part, std::size_t rows, std::uint32_t first = 0) const;

private:
    struct Place {
        Section section;
        std::size_t begin;
        std::size_t length;
    };
    std::vector<std::uint8_t> body_;
    std::vector<Place> directory_;
};

}  // namespace weir::store
