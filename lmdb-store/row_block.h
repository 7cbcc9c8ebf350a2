// A block of rows under a query: the subjects of its rows, and whole rows where nothing less will do.
//
// Not thread-safe; keeps its memory from block to block.
#pragma once

#include <cstdint>
#include <vector>

#include "lmdb-store/block_reader.h"
#include "lmdb-store/block_rows.h"
#include "lmdb-store/frame.h"
#include "plugin/query/field_values.h"

namespace weir::store {

class RowBlock {
public:
    // `block` and `frame` (of its segment) must stay valid until the next call. Errors: storage.
    Status open(Bytes block, Part part, Frame& frame) {
        auto reader = BlockReader::open(block);
        if (!reader) return tl::unexpected(reader.error());
        if (reader->part() != part) return fail(ErrorCode::storage, "damaged block: it is of another part");
        reader_ = *reader;
        frame_ = &frame;
        has_whole_ = false;
        return reader_.subjects(subjects_);
    }

    const BlockReader& reader() const { return reader_; }
    std::size_t rows() const { return subjects_.size(); }
    // Of each row, ascending. They may be beyond the segment's subjects when blocks of that are lost.
    const std::vector<std::uint32_t>& subjects() const { return subjects_; }

    // All of the block's rows as a batch (see read_rows()). Errors: storage.
    Status load_whole() {
        if (has_whole_) return {};
        if (auto ok = read_rows(reader_, frame_->segment(), whole_, lost_); !ok) return ok;
        whole_.host = frame_->host();
        whole_.service = frame_->service();
        has_whole_ = true;
        return {};
    }
    const Batch& whole() const { return whole_; }
    bool is_lost(std::size_t row) const { return lost_[row] != 0; }

    // Calls f(batch, row) with a whole row of the layer; a slow request stands for the request that it is.
    template <typename F>
    auto with_row(std::size_t row, F f) const {
        switch (reader_.part()) {
            case Part::l7: return f(whole_, whole_.l7[row]);
            case Part::dns: return f(whole_, whole_.dns[row]);
            case Part::slow: return f(whole_, query::request_of(whole_.slow[row]));
            default: return f(whole_, whole_.l4[row]);
        }
    }

private:
    BlockReader reader_;
    Frame* frame_ = nullptr;
    std::vector<std::uint32_t> subjects_;
    bool has_whole_ = false;
    Batch whole_;
    std::vector<std::uint8_t> lost_;
};

}  // namespace weir::store
