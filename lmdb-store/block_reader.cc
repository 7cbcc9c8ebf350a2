#include "lmdb-store/block_reader.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "lmdb-store/block_format.h"
#include "lmdb-store/sequence.h"

namespace weir::store {
namespace {

// As many as there are in Section, and some that are not known yet.
constexpr std::size_t kMaxSections = 256;

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

}  // namespace

Result<BlockReader> BlockReader::open(Bytes data) {
    BlockReader out;
    out.data_ = data;
    ByteReader in(data);
    const auto magic = in.fixed<std::uint32_t>();
    const auto version = in.fixed<std::uint8_t>();
    const auto layer = in.fixed<std::uint8_t>();
    const std::size_t sections = in.fixed<std::uint16_t>();
    out.rows_ = in.fixed<std::uint32_t>();
    out.flows_ = in.fixed<std::uint32_t>();
    if (in.failed() || magic != kBlockMagic || version != kBlockVersion || (layer != 4 && layer != 7)) {
        return damaged("its header");
    }
    out.layer_ = layer == 4 ? query::Layer::l4 : query::Layer::l7;
    if (sections > kMaxSections || out.rows_ > kMaxBlockRows || out.flows_ > out.rows_)
        return damaged("its sizes");
    for (std::size_t i = 0; i < sections; i++) {
        Place place;
        place.section = static_cast<Section>(in.fixed<std::uint16_t>());
        in.fixed<std::uint16_t>();
        place.offset = in.fixed<std::uint32_t>();
        place.length = in.fixed<std::uint32_t>();
        place.checksum = in.fixed<std::uint32_t>();
        if (std::uint64_t{place.offset} + place.length > data.size()) return damaged("its directory");
        out.directory_.push_back(place);
    }
    const std::size_t checked = data.size() - in.remaining();
    const auto checksum = in.fixed<std::uint64_t>();
    if (in.failed() || checksum != XXH3_64bits(data.data(), checked)) return damaged("its checksum");
    return out;
}

Result<Bytes> BlockReader::section(Section section) const {
    const auto at = std::find_if(directory_.begin(), directory_.end(),
                                 [section](const Place& place) { return place.section == section; });
    if (at == directory_.end()) return Bytes{};
    const Bytes bytes = data_.subspan(at->offset, at->length);
    if (static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size())) != at->checksum) {
        return damaged("a column's checksum");
    }
    return bytes;
}

Status BlockReader::row_flow(std::vector<std::uint32_t>& out) const {
    const Result<Bytes> bytes = section(Section::row_flow);
    if (!bytes) return tl::unexpected(bytes.error());
    ByteReader in(*bytes);
    read_sequence(in, rows_, out);
    const bool in_range = std::all_of(out.begin(), out.end(), [this](std::uint32_t f) { return f < flows_; });
    if (out.size() != rows_ || !in_range) return damaged("its flows");
    return finished(in, "its flows");
}

Status BlockReader::attribute(Attribute attribute, AttributeColumn& out) const {
    const AttributeInfo& about = info(attribute);
    const std::size_t count = is_of_row(attribute) ? rows_ : flows_;
    out.values.clear();
    out.addresses.clear();
    const Result<Bytes> bytes = section(about.section);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) {
        out.codes.assign(count, 0);
        if (about.is_address) {
            out.addresses.resize(1);
        } else {
            out.values.assign(1, 0);
        }
        return {};
    }
    ByteReader in(*bytes);
    if (about.is_address) {
        read_addresses(in, count, out.addresses);
    } else {
        read_sequence(in, count, out.values);
    }
    read_sequence(in, count, out.codes);
    const bool values_fit = std::all_of(out.values.begin(), out.values.end(),
                                        [&about](std::uint64_t value) { return value <= about.max; });
    if (!values_fit || !codes_fit(out, count)) return damaged("an attribute");
    return finished(in, "an attribute");
}

Status BlockReader::numbers(Section of, std::vector<std::uint64_t>& out) const {
    const Result<Bytes> bytes = section(of);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) {
        out.assign(rows_, 0);
        return {};
    }
    ByteReader in(*bytes);
    read_sequence(in, rows_, out);
    if (out.size() != rows_) return damaged("a number");
    return finished(in, "a number");
}

Status BlockReader::histograms(Section of, HistogramColumn& out) const {
    const Result<Bytes> bytes = section(of);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) {
        out.set_empty(rows_);
        return {};
    }
    ByteReader in(*bytes);
    read_histograms(in, rows_, kMaxBlockBuckets, out);
    return finished(in, "a histogram");
}

Status BlockReader::texts(std::vector<std::string_view>& out) const {
    out.assign(1, {});
    const Result<Bytes> bytes = section(Section::texts);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) return {};
    ByteReader in(*bytes);
    std::vector<std::uint32_t> lengths;
    // Two processes a flow, and method, path and route a row.
    read_sequence(in, 5 * kMaxBlockRows, lengths);
    for (const std::uint32_t length : lengths) {
        const Bytes text = in.take(length);
        out.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
    }
    return finished(in, "its texts");
}

}  // namespace weir::store
