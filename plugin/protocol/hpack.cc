#include "plugin/protocol/hpack.h"

#include <malloc.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

namespace weir::protocol {
namespace {

// RFC 7541, section 4.1: an entry counts as its name, its value and 32 bytes.
constexpr std::size_t kEntryOverhead = 32;
constexpr std::size_t kDefaultEntries = 4096 / kEntryOverhead;
// Larger tables than this are refused, and their connection's headers unknown.
constexpr std::size_t kMaxTable = 65536;
// As many real ones as fit there, and 200 KiB of memory.
constexpr std::size_t kManyEntries = 1024;
// A block of more compressed bytes than this is given up: no server takes as much.
constexpr std::size_t kMaxBlock = std::size_t{256} << 10;

// "Set the table's size to 65536", section 6.3.
constexpr std::array<char, 4> kLargeTable = {'\x3f', '\xe1', '\xff', '\x03'};
// A literal with an empty name and an empty value that is added to the table, section 6.2.1.
constexpr std::array<char, 3> kPlaceholder = {'\x40', '\x00', '\x00'};

std::string placeholder_block(std::size_t count) {
    std::string out;
    if (count > kDefaultEntries) out.append(kLargeTable.data(), kLargeTable.size());
    for (std::size_t i = 0; i < count; i++) out.append(kPlaceholder.data(), kPlaceholder.size());
    return out;
}

void* take(std::size_t size, void* budget, void* (*allocate)(std::size_t)) {
    void* const at = allocate(size);
    if (at == nullptr || static_cast<MemoryBudget*>(budget)->take(malloc_usable_size(at))) return at;
    std::free(at);
    return nullptr;
}

void* take_bytes(std::size_t size, void* budget) { return take(size, budget, std::malloc); }

void* take_zeroed(std::size_t count, std::size_t size, void* budget) {
    if (size != 0 && count > kMaxBlock / size) return nullptr;
    return take(count * size, budget, [](std::size_t bytes) { return std::calloc(1, bytes); });
}

void give_back(void* at, void* budget) {
    if (at == nullptr) return;
    static_cast<MemoryBudget*>(budget)->give_back(malloc_usable_size(at));
    std::free(at);
}

void* take_again(void* at, std::size_t size, void* budget) {
    void* const moved = take_bytes(size, budget);
    if (moved == nullptr || at == nullptr) return moved;
    std::memcpy(moved, at, std::min(size, malloc_usable_size(at)));
    give_back(at, budget);
    return moved;
}

}  // namespace

struct HeaderInflater::Memory {
    nghttp2_mem functions;
};

HeaderInflater::HeaderInflater(MemoryBudget& budget)
    : memory_(std::make_unique<Memory>(Memory{{&budget, take_bytes, give_back, take_zeroed, take_again}})) {}

HeaderInflater::~HeaderInflater() = default;

void HeaderInflater::Deleter::operator()(nghttp2_hd_inflater* inflater) const {
    nghttp2_hd_inflate_del(inflater);
}

void HeaderInflater::forget() { forget(kDefaultEntries); }

void HeaderInflater::restart() {
    inflater_.reset();
    block_bytes_ = 0;
    placeholders_ = 0;
}

void HeaderInflater::forget(std::size_t placeholders) {
    inflater_.reset();
    block_bytes_ = 0;
    placeholders_ = std::max(placeholders_, placeholders);
}

bool HeaderInflater::make() {
    nghttp2_hd_inflater* made = nullptr;
    if (nghttp2_hd_inflate_new2(&made, &memory_->functions) != 0) return false;
    inflater_.reset(made);
    // how much the receiver allows is not known for sure: the sender says what it uses of it
    return nghttp2_hd_inflate_change_table_size(made, kMaxTable) == 0 &&
           (placeholders_ == 0 || inflate(placeholder_block(placeholders_), true, nullptr));
}

bool HeaderInflater::feed(std::string_view bytes, bool last, HeaderSink& sink) {
    block_bytes_ += bytes.size();
    const bool done =
        (inflater_ != nullptr || make()) && block_bytes_ <= kMaxBlock && inflate(bytes, last, &sink);
    if (last) block_bytes_ = 0;
    // what a table of the default size cannot explain may come from a larger one
    if (!done) forget(placeholders_ == 0 ? kDefaultEntries : kManyEntries);
    return done;
}

bool HeaderInflater::inflate(std::string_view bytes, bool last, HeaderSink* sink) {
    auto at = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t left = bytes.size();
    for (;;) {
        nghttp2_nv header;
        int flags = 0;
        const ssize_t used = nghttp2_hd_inflate_hd2(inflater_.get(), &header, &flags, at, left, last ? 1 : 0);
        if (used < 0) return false;
        at += used;
        left -= static_cast<std::size_t>(used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && sink != nullptr) {
            sink->on_header({reinterpret_cast<const char*>(header.name), header.namelen},
                            {reinterpret_cast<const char*>(header.value), header.valuelen});
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            nghttp2_hd_inflate_end_headers(inflater_.get());
            return true;
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) return !last;
    }
}

}  // namespace weir::protocol
