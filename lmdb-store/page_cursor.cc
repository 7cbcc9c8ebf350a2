#include "lmdb-store/page_cursor.h"

#include <xxhash.h>

#include <algorithm>
#include <vector>

namespace weir::store {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kBodySize = 68;
constexpr std::size_t kSize = kBodySize + sizeof(std::uint32_t);
constexpr std::string_view kDigits = "0123456789abcdef";

std::uint32_t checksum(Bytes body) {
    return static_cast<std::uint32_t>(XXH3_64bits(body.data(), body.size()));
}

bool from_hex(std::string_view text, std::vector<std::uint8_t>& out) {
    if (text.size() != 2 * kSize) return false;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const std::size_t high = kDigits.find(text[i]);
        const std::size_t low = kDigits.find(text[i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return false;
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return true;
}

}  // namespace

std::string encode_cursor(const PageCursor& cursor) {
    std::vector<std::uint8_t> bytes;
    ByteWriter out(bytes);
    out.fixed(kVersion);
    out.fixed(static_cast<std::uint8_t>(cursor.part));
    out.fixed(static_cast<std::uint8_t>(cursor.choice.resolution));
    out.fixed(static_cast<std::uint8_t>(cursor.table));
    for (const std::uint64_t number :
         {cursor.store_id, static_cast<std::uint64_t>(cursor.choice.range.from_ns),
          static_cast<std::uint64_t>(cursor.choice.range.to_ns), cursor.choice.rolled_through,
          static_cast<std::uint64_t>(cursor.choice.detail_dropped_ns),
          static_cast<std::uint64_t>(cursor.time_ns), cursor.sequence, cursor.row}) {
        out.fixed(number);
    }
    out.fixed(checksum(bytes));
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

Result<PageCursor> decode_cursor(std::string_view text) {
    const auto refuse = [] {
        return fail(ErrorCode::invalid_argument,
                    "the cursor is not one of this store; start again without it");
    };
    std::vector<std::uint8_t> bytes;
    if (!from_hex(text, bytes)) return refuse();
    ByteReader in(bytes);
    PageCursor out;
    const auto version = in.fixed<std::uint8_t>();
    const auto part = static_cast<Part>(in.fixed<std::uint8_t>());
    const auto resolution = in.fixed<std::uint8_t>();
    const auto table = in.fixed<std::uint8_t>();
    out.store_id = in.fixed<std::uint64_t>();
    out.choice.range.from_ns = static_cast<std::int64_t>(in.fixed<std::uint64_t>());
    out.choice.range.to_ns = static_cast<std::int64_t>(in.fixed<std::uint64_t>());
    out.choice.rolled_through = in.fixed<std::uint64_t>();
    out.choice.detail_dropped_ns = static_cast<std::int64_t>(in.fixed<std::uint64_t>());
    out.time_ns = static_cast<std::int64_t>(in.fixed<std::uint64_t>());
    out.sequence = in.fixed<std::uint64_t>();
    out.row = in.fixed<std::uint64_t>();
    if (in.fixed<std::uint32_t>() != checksum(Bytes(bytes).first(kBodySize))) return refuse();
    const auto& range = out.choice.range;
    const bool is_range =
        range.from_ns >= 0 && range.from_ns <= kMaxTime && range.to_ns >= 0 && range.to_ns <= kMaxTime;
    const bool is_part = std::find(kRowParts.begin(), kRowParts.end(), part) != kRowParts.end();
    if (version != kVersion || !is_part || resolution > 1 || table > 1 || !is_range) return refuse();
    out.part = part;
    out.choice.resolution = static_cast<query::Resolution>(resolution);
    out.table = static_cast<Table>(table);
    return out;
}

}  // namespace weir::store
