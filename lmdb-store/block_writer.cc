#include "lmdb-store/block_writer.h"

#include <tsl/robin_map.h>

#include <algorithm>
#include <utility>

#include "lmdb-store/sequence.h"

namespace weir::store {
namespace {

bool all_zero(std::span<const std::uint64_t> values) {
    return std::all_of(values.begin(), values.end(), [](std::uint64_t v) { return v == 0; });
}

std::uint64_t half_of(const Address& address, std::size_t begin) {
    std::uint64_t out = 0;
    for (std::size_t i = begin; i < begin + 8; i++) out = out << 8 | address.bytes[i];
    return out;
}

// What dictionaries are sorted by: numbers, and addresses as pairs of numbers, IPv4 first.
struct Order {
    bool is_v6 = false;
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    auto operator<=>(const Order&) const = default;
};

Order order_of(std::uint64_t number) { return {false, 0, number}; }
Order order_of(const Address& address) {
    const std::uint64_t low = half_of(address, 8);
    if (address.is_v4()) return {false, 0, low & 0xffffffff};
    return {true, half_of(address, 0), low};
}

struct Spread {
    std::size_t operator()(std::uint64_t number) const {
        const std::uint64_t h = number * 0x9E3779B97F4A7C15;
        return static_cast<std::size_t>(h ^ h >> 32);
    }
    std::size_t operator()(const Address& address) const {
        return (*this)(half_of(address, 0) * 31 + half_of(address, 8));
    }
};

template <typename Value>
struct Dictionary {
    std::vector<Value> values;  // distinct, in order
    Numbers codes;              // for each input, its place in `values`
};

template <typename Value>
Dictionary<Value> code(const std::vector<Value>& input) {
    Dictionary<Value> out;
    std::vector<Value> found;
    tsl::robin_map<Value, std::uint32_t, Spread> seen;
    out.codes.reserve(input.size());
    for (const Value& value : input) {
        // Neighbours are often the same.
        if (!out.codes.empty() && value == found[out.codes.back()]) {
            out.codes.push_back(out.codes.back());
            continue;
        }
        const auto [at, is_new] = seen.try_emplace(value, static_cast<std::uint32_t>(found.size()));
        if (is_new) found.push_back(value);
        out.codes.push_back(at->second);
    }
    std::vector<std::pair<Order, std::uint32_t>> order;
    for (std::uint32_t i = 0; i < found.size(); i++) order.emplace_back(order_of(found[i]), i);
    std::sort(order.begin(), order.end());
    std::vector<std::uint32_t> place(order.size());
    for (std::uint32_t i = 0; i < order.size(); i++) {
        out.values.push_back(found[order[i].second]);
        place[order[i].second] = i;
    }
    for (std::uint64_t& c : out.codes) c = place[c];
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
    const auto dictionary = code(values);
    add(section, [&](ByteWriter& out) {
        write_sequence(out, dictionary.values);
        write_sequence(out, dictionary.codes);
    });
}

void BlockWriter::add_addresses(Section section, const std::vector<Address>& values) {
    const auto is_none = [](const Address& address) { return address == Address(); };
    if (std::all_of(values.begin(), values.end(), is_none)) return;
    const auto dictionary = code(values);
    Numbers v4;
    for (const Address& address : dictionary.values) {
        if (address.is_v4()) v4.push_back(order_of(address).low);
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
