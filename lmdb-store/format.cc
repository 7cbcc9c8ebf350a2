#include "lmdb-store/format.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>

namespace weir::store {
namespace {

constexpr std::uint8_t kHeaderVersion = 3;
constexpr std::uint8_t kOldestHeader = 2;  // without first subjects
constexpr std::size_t kChecksumSize = sizeof(std::uint64_t);
constexpr std::string_view kMagic = "weirhist";
static_assert(kMagic.size() == 8);

template <std::unsigned_integral T>
void put_big_endian(std::uint8_t* to, T value) {
    for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8)) {
        to[i] = static_cast<std::uint8_t>(value);
    }
}

template <std::unsigned_integral T>
T get_big_endian(const std::uint8_t* from) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); i++) value = value << 8 | from[i];
    return static_cast<T>(value);
}

void write_losses(ByteWriter& out, const LossCounts& losses) {
    out.varint(static_cast<std::uint64_t>(
        std::count_if(losses.begin(), losses.end(), [](auto n) { return n != 0; })));
    for (std::size_t i = 0; i < kLossCount; i++) {
        if (losses[i] == 0) continue;
        out.text(kLosses[i].name);
        out.varint(losses[i]);
    }
}

void read_losses(ByteReader& in, LossCounts& losses) {
    const std::uint64_t count = in.varint();
    for (std::uint64_t i = 0; i < count && !in.failed(); i++) {
        const std::string_view name = in.text();
        const std::uint64_t amount = in.varint();
        const auto at =
            std::find_if(kLosses.begin(), kLosses.end(), [&](const LossInfo& l) { return l.name == name; });
        if (at != kLosses.end()) losses[static_cast<std::size_t>(at - kLosses.begin())] += amount;
    }
}

void write_parts(ByteWriter& out, const EntryHeader& header) {
    out.varint(static_cast<std::uint64_t>(
        std::count_if(header.parts.begin(), header.parts.end(), [](const auto& p) { return p.rows != 0; })));
    for (const Part part : kRowParts) {
        if (header.size(part).rows == 0) continue;
        out.fixed(static_cast<std::uint8_t>(part));
        out.varint(header.size(part).rows);
        out.varint(header.size(part).blocks);
    }
}

void read_parts(ByteReader& in, EntryHeader& header) {
    const std::uint64_t count = in.varint();
    for (std::uint64_t i = 0; i < count && !in.failed(); i++) {
        const auto part = static_cast<Part>(in.fixed<std::uint8_t>());
        const std::uint64_t rows = in.varint();
        const std::uint64_t blocks = in.varint();
        if (blocks > 0xffff || std::find(kRowParts.begin(), kRowParts.end(), part) == kRowParts.end())
            return in.fail();
        header.size(part) = {rows, static_cast<std::uint32_t>(blocks)};
    }
}

void write_reconciled(ByteWriter& out, const ReconciledCounts& counts) {
    out.varint(static_cast<std::uint64_t>(
        std::count_if(counts.begin(), counts.end(), [](const auto& c) { return c.has_value(); })));
    for (std::size_t i = 0; i < kKernelCounters; i++) {
        if (!counts[i]) continue;
        out.text(kKernelCounterNames[i]);
        out.varint(counts[i]->kernel);
        out.varint(counts[i]->seen);
    }
}

void read_reconciled(ByteReader& in, ReconciledCounts& counts) {
    const std::uint64_t count = in.varint();
    for (std::uint64_t i = 0; i < count && !in.failed(); i++) {
        const std::string_view name = in.text();
        const std::uint64_t kernel = in.varint();
        const std::uint64_t seen = in.varint();
        const auto at = std::find(kKernelCounterNames.begin(), kKernelCounterNames.end(), name);
        if (at != kKernelCounterNames.end())
            counts[static_cast<std::size_t>(at - kKernelCounterNames.begin())] = {kernel, seen};
    }
}

void read_first_subjects(ByteReader& in, std::vector<std::uint32_t>& out) {
    const std::uint64_t count = in.varint();
    if (count > in.remaining()) return in.fail();
    for (std::uint64_t i = 0; i < count && !in.failed(); i++) {
        const std::uint64_t first = in.varint();
        if (first > std::numeric_limits<std::uint32_t>::max()) return in.fail();
        out.push_back(static_cast<std::uint32_t>(first));
    }
}

}  // namespace

KeyBytes encode_key(const Key& key) {
    KeyBytes out{};
    put_big_endian(out.data(), key.time);
    put_big_endian(out.data() + 8, key.sequence);
    out[16] = static_cast<std::uint8_t>(key.part);
    put_big_endian(out.data() + 17, key.block);
    return out;
}

std::optional<Key> decode_key(Bytes bytes) {
    if (bytes.size() != kKeySize) return std::nullopt;
    return Key{get_big_endian<std::uint64_t>(bytes.data()), get_big_endian<std::uint64_t>(bytes.data() + 8),
               static_cast<Part>(bytes[16]), get_big_endian<std::uint16_t>(bytes.data() + 17)};
}

SegmentKeyBytes encode_segment_key(const SegmentKey& key) {
    SegmentKeyBytes out{};
    put_big_endian(out.data(), key.segment);
    out[8] = static_cast<std::uint8_t>(key.part);
    put_big_endian(out.data() + 9, key.first);
    return out;
}

std::optional<SegmentKey> decode_segment_key(Bytes bytes) {
    if (bytes.size() != kSegmentKeySize) return std::nullopt;
    return SegmentKey{get_big_endian<std::uint64_t>(bytes.data()), static_cast<Part>(bytes[8]),
                      get_big_endian<std::uint32_t>(bytes.data() + 9)};
}

void encode_header(const EntryHeader& header, std::vector<std::uint8_t>& buffer) {
    buffer.clear();
    ByteWriter out(buffer);
    out.fixed(kHeaderVersion);
    out.varint(zigzag(header.begin_ns));
    out.varint(zigzag(header.end_ns));
    out.text(header.host);
    out.text(header.service);
    out.varint(header.segment);
    out.varint(header.first_sequence);
    out.varint(header.last_sequence);
    write_parts(out, header);
    write_losses(out, header.losses);
    write_reconciled(out, header.reconciled);
    out.varint(header.first_subjects.size());
    for (const std::uint32_t first : header.first_subjects) out.varint(first);
    out.fixed<std::uint64_t>(XXH3_64bits(buffer.data(), buffer.size()));
}

std::optional<EntryHeader> decode_header(Bytes bytes) {
    if (bytes.size() <= kChecksumSize) return std::nullopt;
    const Bytes body = bytes.first(bytes.size() - kChecksumSize);
    ByteReader tail(bytes.last(kChecksumSize));
    if (tail.fixed<std::uint64_t>() != XXH3_64bits(body.data(), body.size())) return std::nullopt;

    ByteReader in(body);
    EntryHeader out;
    const auto version = in.fixed<std::uint8_t>();
    if (version < kOldestHeader || version > kHeaderVersion) return std::nullopt;
    out.begin_ns = unzigzag(in.varint());
    out.end_ns = unzigzag(in.varint());
    out.host = in.text();
    out.service = in.text();
    out.segment = in.varint();
    out.first_sequence = in.varint();
    out.last_sequence = in.varint();
    read_parts(in, out);
    read_losses(in, out.losses);
    read_reconciled(in, out.reconciled);
    if (version > kOldestHeader) read_first_subjects(in, out.first_subjects);
    if (in.failed() || !is_time(out.end_ns)) return std::nullopt;
    return out;
}

std::array<std::uint8_t, kStateSize> encode_state(const State& state) {
    const std::array<std::uint64_t, 5> numbers = {state.store_id, state.next_sequence,
                                                  state.next_minute_sequence, state.rolled_through,
                                                  static_cast<std::uint64_t>(state.detail_dropped_ns)};
    static_assert(sizeof(numbers) + kChecksumSize == kStateSize);
    const std::uint64_t checksum = XXH3_64bits(numbers.data(), sizeof(numbers));
    std::array<std::uint8_t, kStateSize> out{};
    std::memcpy(out.data(), numbers.data(), sizeof(numbers));
    std::memcpy(out.data() + sizeof(numbers), &checksum, kChecksumSize);
    return out;
}

std::optional<State> decode_state(Bytes bytes) {
    if (bytes.size() != kStateSize) return std::nullopt;
    ByteReader in(bytes);
    State out;
    out.store_id = in.fixed<std::uint64_t>();
    out.next_sequence = in.fixed<std::uint64_t>();
    out.next_minute_sequence = in.fixed<std::uint64_t>();
    out.rolled_through = in.fixed<std::uint64_t>();
    out.detail_dropped_ns = static_cast<std::int64_t>(in.fixed<std::uint64_t>());
    const std::uint64_t checksum = XXH3_64bits(bytes.data(), kStateSize - kChecksumSize);
    if (in.fixed<std::uint64_t>() != checksum) return std::nullopt;
    return out;
}

std::array<std::uint8_t, kFormatSize> encode_format(std::uint32_t version) {
    std::array<std::uint8_t, kFormatSize> out{};
    std::copy(kMagic.begin(), kMagic.end(), out.begin());
    std::memcpy(out.data() + 8, &version, sizeof(version));
    const auto checksum = static_cast<std::uint32_t>(XXH3_64bits(out.data(), 12));
    std::memcpy(out.data() + 12, &checksum, sizeof(checksum));
    return out;
}

std::optional<std::uint32_t> decode_format(Bytes bytes) {
    if (bytes.size() < kFormatSize) return std::nullopt;
    std::uint32_t version = 0;
    std::memcpy(&version, bytes.data() + 8, sizeof(version));
    const auto expected = encode_format(version);
    if (!std::equal(expected.begin(), expected.end(), bytes.begin())) return std::nullopt;
    return version;
}

}  // namespace weir::store
