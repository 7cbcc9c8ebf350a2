#include "lmdb-store/block_reader.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "lmdb-store/block_format.h"
#include "lmdb-store/sequence.h"

namespace weir::store {
namespace {

tl::unexpected<Error> damaged(const char* what) {
    return fail(ErrorCode::storage, std::string("damaged block: ") + what);
}

Status finished(const ByteReader& in, const char* what) {
    if (in.failed() || !in.at_end()) return damaged(what);
    return {};
}

bool codes_fit(const AttributeColumn& column, std::size_t count) {
    if (column.codes.size() != count) return false;
    const auto size = column.size();
    return std::all_of(column.codes.begin(), column.codes.end(),
                       [size](std::uint32_t c) { return c < size; });
}

void read_addresses(ByteReader& in, std::size_t max_count, std::vector<Address>& out) {
    std::vector<std::uint32_t> v4;
    read_sequence(in, max_count, v4);
    for (const std::uint32_t n : v4) {
        out.push_back(Address::v4(static_cast<std::uint8_t>(n >> 24), static_cast<std::uint8_t>(n >> 16),
                                  static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)));
    }
    const std::uint64_t others = in.varint();
    if (others > max_count) return in.fail();
    for (std::uint64_t i = 0; i < others && !in.failed(); i++) {
        const Bytes bytes = in.take(16);
        Address& address = out.emplace_back();
        std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
    }
}

bool is_part(std::uint8_t part) {
    const auto is = [part](Part known) { return static_cast<std::uint8_t>(known) == part; };
    return std::any_of(kRowParts.begin(), kRowParts.end(), is) ||
           std::any_of(kSegmentParts.begin(), kSegmentParts.end(), is);
}

void read_bounds(ByteReader& in, Bounds& out) {
    out.lowest = in.varint();
    out.highest = in.varint();
}

}  // namespace

Result<BlockReader> BlockReader::open(Bytes data) {
    BlockReader out;
    out.data_ = data;
    ByteReader in(data);
    const auto magic = in.fixed<std::uint32_t>();
    const auto version = in.fixed<std::uint8_t>();
    const auto part = in.fixed<std::uint8_t>();
    out.sections_ = in.fixed<std::uint16_t>();
    out.rows_ = in.fixed<std::uint32_t>();
    out.first_ = in.fixed<std::uint32_t>();
    if (in.failed() || magic != kBlockMagic || version != kBlockVersion || !is_part(part))
        return damaged("its header");
    out.part_ = static_cast<Part>(part);
    if (out.sections_ > kMaxSections || out.rows_ > kMaxBlockRows) return damaged("its sizes");
    for (std::size_t i = 0; i < out.sections_; i++) {
        Place& place = out.directory_[i];
        place.section = static_cast<Section>(in.fixed<std::uint16_t>());
        in.fixed<std::uint16_t>();
        place.offset = in.fixed<std::uint32_t>();
        place.length = in.fixed<std::uint32_t>();
        place.checksum = in.fixed<std::uint32_t>();
        if (std::uint64_t{place.offset} + place.length > data.size()) return damaged("its directory");
    }
    const std::size_t checked = data.size() - in.remaining();
    const auto checksum = in.fixed<std::uint64_t>();
    if (in.failed() || checksum != XXH3_64bits(data.data(), checked)) return damaged("its checksum");
    return out;
}

Result<Bytes> BlockReader::section(Section section) const {
    const auto end = directory_.begin() + static_cast<std::ptrdiff_t>(sections_);
    const auto at = std::find_if(directory_.begin(), end,
                                 [section](const Place& place) { return place.section == section; });
    if (at == end) return Bytes{};
    const Bytes bytes = data_.subspan(at->offset, at->length);
    if (static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size())) != at->checksum) {
        return damaged("a column's checksum");
    }
    return bytes;
}

Status BlockReader::subjects(std::vector<std::uint32_t>& out) const {
    const Result<Bytes> bytes = section(Section::subjects);
    if (!bytes) return tl::unexpected(bytes.error());
    ByteReader in(*bytes);
    read_sequence(in, rows_, out);
    if (out.size() != rows_ || !std::is_sorted(out.begin(), out.end())) return damaged("its subjects");
    return finished(in, "its subjects");
}

Status BlockReader::flows(std::vector<std::uint32_t>& out) const {
    const Result<Bytes> bytes = section(Section::flow);
    if (!bytes) return tl::unexpected(bytes.error());
    ByteReader in(*bytes);
    read_sequence(in, rows_, out);
    if (out.size() != rows_) return damaged("its flows");
    return finished(in, "its flows");
}

Status BlockReader::attribute(Attribute attribute, AttributeColumn& out) const {
    const AttributeInfo& about = info(attribute);
    const bool is_address = about.type == AttributeType::address;
    out.values.clear();
    out.addresses.clear();
    const Result<Bytes> bytes = section(about.section);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) {
        out.codes.assign(rows_, 0);
        if (is_address) {
            out.addresses.resize(1);
        } else {
            out.values.assign(1, 0);
        }
        return {};
    }
    ByteReader in(*bytes);
    if (is_address) {
        read_addresses(in, rows_, out.addresses);
    } else {
        read_sequence(in, rows_, out.values);
    }
    read_sequence(in, rows_, out.codes);
    // A text's number is checked by whoever knows how many there are.
    const std::uint64_t max = about.type == AttributeType::text ? 0xffffffff : about.max;
    const bool values_fit = std::all_of(out.values.begin(), out.values.end(),
                                        [max](std::uint64_t value) { return value <= max; });
    if (!values_fit || !codes_fit(out, rows_)) return damaged("an attribute");
    return finished(in, "an attribute");
}

Status BlockReader::numbers(Section of, std::vector<std::uint64_t>& out,
                            const std::vector<std::uint32_t>* wanted) const {
    const Result<Bytes> bytes = section(of);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) {
        out.assign(rows_, 0);
        return {};
    }
    ByteReader in(*bytes);
    Bounds bounds;
    read_bounds(in, bounds);
    ChunkSet chunks;
    if (wanted != nullptr) {
        for (const std::uint32_t row : *wanted) chunks.add(row, row + 1);
    }
    read_sequence(in, rows_, out, wanted == nullptr ? nullptr : &chunks);
    if (out.size() != rows_) return damaged("a number");
    return finished(in, "a number");
}

Status BlockReader::bounds(Section of, Bounds& out) const {
    const Result<Bytes> bytes = section(of);
    if (!bytes) return tl::unexpected(bytes.error());
    out = {};
    if (bytes->empty()) return {};
    ByteReader in(*bytes);
    read_bounds(in, out);
    if (in.failed()) return damaged("a number's bounds");
    return {};
}

Status BlockReader::histograms(Section of, HistogramColumn& out,
                               const std::vector<std::uint32_t>* wanted) const {
    const Result<Bytes> bytes = section(of);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) {
        out.set_empty(rows_);
        return {};
    }
    ByteReader in(*bytes);
    read_histograms(in, rows_, kMaxBlockBuckets, out, wanted);
    return finished(in, "a histogram");
}

Status BlockReader::texts(std::vector<std::string_view>& out) const {
    out.clear();
    const Result<Bytes> bytes = section(Section::texts);
    if (!bytes) return tl::unexpected(bytes.error());
    ByteReader in(*bytes);
    std::vector<std::uint32_t> lengths;
    read_sequence(in, rows_, lengths);
    if (lengths.size() != rows_) return damaged("its texts");
    for (const std::uint32_t length : lengths) {
        const Bytes text = in.take(length);
        out.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
    }
    return finished(in, "its texts");
}

}  // namespace weir::store
