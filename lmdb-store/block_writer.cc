#include "lmdb-store/block_writer.h"

#include <tsl/robin_map.h>

#include <algorithm>

#include "lmdb-store/sequence.h"
#include "plugin/base/bytes_hash.h"

namespace weir::store {
namespace {

bool all_zero(std::span<const std::uint64_t> values) {
    return std::all_of(values.begin(), values.end(), [](std::uint64_t v) { return v == 0; });
}

// Dictionary order of addresses: IPv4 first, each kind ascending.
bool address_before(const Address& a, const Address& b) { return a.is_v4() != b.is_v4() ? a.is_v4() : a < b; }

std::uint64_t v4_number(const Address& address) {
    const auto& b = address.bytes;
    return std::uint64_t{b[12]} << 24 | std::uint64_t{b[13]} << 16 | std::uint64_t{b[14]} << 8 | b[15];
}

template <typename Value>
struct Dictionary {
    std::vector<Value> values;  // distinct, in order
    Numbers codes;              // for each input, its place in `values`
};

template <typename Value, typename Before>
Dictionary<Value> code(const std::vector<Value>& input, Before before) {
    Dictionary<Value> out;
    tsl::robin_map<Value, std::uint32_t, BytesHash<Value>, BytesEqual<Value>> seen;
    out.codes.reserve(input.size());
    for (const Value& value : input) {
        if (!out.codes.empty() && value == out.values[out.codes.back()]) {
            out.codes.push_back(out.codes.back());
            continue;
        }
        const auto [at, is_new] = seen.try_emplace(value, static_cast<std::uint32_t>(out.values.size()));
        if (is_new) out.values.push_back(value);
        out.codes.push_back(at->second);
    }
    std::vector<std::uint32_t> order(out.values.size());
    for (std::uint32_t i = 0; i < order.size(); i++) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return before(out.values[a], out.values[b]); });
    std::vector<Value> sorted(order.size());
    std::vector<std::uint32_t> place(order.size());
    for (std::uint32_t i = 0; i < order.size(); i++) {
        sorted[i] = out.values[order[i]];
        place[order[i]] = i;
    }
    for (std::uint64_t& c : out.codes) c = place[c];
    out.values = std::move(sorted);
    return out;
}

}  // namespace

void BlockWriter::add_sequence(Section section, std::span<const std::uint64_t> values) {
    add(section, [&](ByteWriter& out) { write_sequence(out, values); });
}

void BlockWriter::add_numbers(Section section, std::span<const std::uint64_t> values) {
    std::uint64_t lowest = values.empty() ? 0 : values[0];
    std::uint64_t highest = lowest;
    for (const std::uint64_t value : values) {
        lowest = std::min(lowest, value);
        highest = std::max(highest, value);
    }
    if (highest == 0) return;
    add(section, [&](ByteWriter& out) {
        out.varint(lowest);
        out.varint(highest);
        write_sequence(out, values);
    });
}

void BlockWriter::add_attribute(Section section, const Numbers& values) {
    if (all_zero(values)) return;
    const auto dictionary = code(values, std::less<>());
    add(section, [&](ByteWriter& out) {
        write_sequence(out, dictionary.values);
        write_sequence(out, dictionary.codes);
    });
}

void BlockWriter::add_addresses(Section section, const std::vector<Address>& values) {
    const auto is_none = [](const Address& address) { return address == Address(); };
    if (std::all_of(values.begin(), values.end(), is_none)) return;
    const auto dictionary = code(values, address_before);
    Numbers v4;
    for (const Address& address : dictionary.values) {
        if (address.is_v4()) v4.push_back(v4_number(address));
    }
    add(section, [&](ByteWriter& out) {
        write_sequence(out, v4);
        out.varint(dictionary.values.size() - v4.size());
        for (std::size_t i = v4.size(); i < dictionary.values.size(); i++)
            out.bytes(dictionary.values[i].bytes);
        write_sequence(out, dictionary.codes);
    });
}

Block BlockWriter::finish(Part part, std::size_t rows, std::uint32_t first) const {
    Block block;
    ByteWriter out(block);
    const std::size_t body_at =
        kBlockHeaderSize + directory_.size() * kDirectoryEntrySize + sizeof(std::uint64_t);
    block.reserve(body_at + body_.size());
    out.fixed(kBlockMagic);
    out.fixed(kBlockVersion);
    out.fixed(static_cast<std::uint8_t>(part));
    out.fixed(static_cast<std::uint16_t>(directory_.size()));
    out.fixed(static_cast<std::uint32_t>(rows));
    out.fixed(first);
    for (const Place& place : directory_) {
        out.fixed(static_cast<std::uint16_t>(place.section));
        out.fixed(std::uint16_t{0});
        out.fixed(static_cast<std::uint32_t>(body_at + place.begin));
        out.fixed(static_cast<std::uint32_t>(place.length));
        out.fixed(static_cast<std::uint32_t>(XXH3_64bits(body_.data() + place.begin, place.length)));
    }
    out.fixed<std::uint64_t>(XXH3_64bits(block.data(), block.size()));
    out.bytes(body_);
    return block;
}

}  // namespace weir::store
