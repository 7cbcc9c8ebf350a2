#include "lmdb-store/frame.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <random>

#include "lmdb-store/block_rows.h"

namespace weir::store {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Fingerprints must not be predictable: whoever makes traffic could make two of them equal.
std::uint64_t seed() {
    static const std::uint64_t value = [] {
        std::random_device random;
        return std::uint64_t{random()} << 32 | random();
    }();
    return value;
}

Fingerprint hash(const void* data, std::size_t size) {
    const XXH128_hash_t h = XXH3_128bits_withSeed(data, size, seed());
    return {h.low64, h.high64};
}

Fingerprint join(const Fingerprint& a, const Fingerprint& b) {
    return {std::rotl(a.low, 23) * 0x9E3779B97F4A7C15 + b.low,
            std::rotl(a.high, 29) * 0xC2B2AE3D27D4EB4F + b.high};
}

Fingerprint hash(std::string_view text) { return hash(text.data(), text.size()); }

}  // namespace

Status Frame::open(Bytes block, const EntryHeader& header, query::Layer layer) {
    auto reader = BlockReader::open(block);
    if (!reader) return tl::unexpected(reader.error());
    if (reader->layer() != layer) return fail(ErrorCode::storage, "damaged block: it is of the other layer");
    reader_ = std::move(*reader);
    header_ = &header;
    loaded_ = 0;
    texts_loaded_ = row_flow_loaded_ = whole_loaded_ = example_has_texts_ = false;
    tuples_used_ = 0;
    example_.host = header.host;
    example_.service = header.service;
    example_.flows.resize(1);
    example_.l4.resize(1);
    example_.l7.resize(1);
    return {};
}

Status Frame::load(const Dependencies& needed) {
    if (!row_flow_loaded_) {
        if (auto ok = reader_.row_flow(row_flow_); !ok) return ok;
        row_flow_loaded_ = true;
    }
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        const auto attribute = static_cast<Attribute>(i);
        if (!has(needed.attributes & ~loaded_, attribute)) continue;
        if (auto ok = load_attribute(attribute); !ok) return ok;
    }
    if (needed.on_measures && !whole_loaded_) {
        whole_ = Batch();
        whole_.host = header_->host;
        whole_.service = header_->service;
        if (auto ok = append_rows(reader_, whole_); !ok) return ok;
        whole_loaded_ = true;
    }
    return {};
}

Status Frame::load_attribute(Attribute attribute) {
    const auto i = static_cast<std::size_t>(attribute);
    if (info(attribute).is_text) {
        if (auto ok = load_texts(); !ok) return ok;
    }
    if (auto ok = reader_.attribute(attribute, columns_[i]); !ok) return ok;
    if (info(attribute).is_text) {
        const auto& ids = columns_[i].values;
        const auto known = [this](std::uint64_t id) { return id < texts_.size(); };
        if (!std::all_of(ids.begin(), ids.end(), known)) {
            return fail(ErrorCode::storage, "damaged block: a text that is not there");
        }
    }
    hashes_[i].clear();
    loaded_ |= set_of(attribute);
    return {};
}

Status Frame::load_texts() {
    if (texts_loaded_) return {};
    if (auto ok = reader_.texts(texts_); !ok) return ok;
    texts_loaded_ = true;
    return {};
}

std::uint32_t Frame::code_at(Attribute attribute, bool by_row, std::uint32_t at) const {
    const auto& codes = columns_[static_cast<std::size_t>(attribute)].codes;
    return codes[by_row && !is_of_row(attribute) ? row_flow_[at] : at];
}

const Tuples& Frame::tuples(AttributeSet attributes) {
    for (std::size_t i = 0; i < tuples_used_; i++) {
        if (tuples_[i].attributes == attributes) return tuples_[i];
    }
    if (tuples_used_ == tuples_.size()) tuples_.emplace_back();
    Tuples& out = tuples_[tuples_used_++];
    out.attributes = attributes;
    out.by_row = (attributes & kRowAttributes) != 0;
    out.codes.assign(out.by_row ? rows() : flows(), 0);
    out.examples.assign(out.codes.empty() ? 0 : 1, 0);
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        if (has(attributes, static_cast<Attribute>(i))) combine(out, static_cast<Attribute>(i));
    }
    return out;
}

// Splits the tuples by one more attribute.
void Frame::combine(Tuples& tuples, Attribute attribute) {
    const AttributeColumn& column = columns_[static_cast<std::size_t>(attribute)];
    if (column.size() <= 1) return;
    combined_.resize(tuples.codes.size());
    for (std::uint32_t i = 0; i < combined_.size(); i++) {
        combined_[i] = tuples.codes[i] * column.size() + code_at(attribute, tuples.by_row, i);
    }
    number(tuples, tuples.size() * column.size());
}

// Numbers the values of combined_, which are below `limit`, in the order in which they come up.
void Frame::number(Tuples& tuples, std::uint64_t limit) {
    tuples.examples.clear();
    const auto add = [&](std::uint32_t& code, std::uint32_t at) {
        if (code == kNone) {
            code = static_cast<std::uint32_t>(tuples.examples.size());
            tuples.examples.push_back(at);
        }
        tuples.codes[at] = code;
    };
    if (limit <= 4 * combined_.size() + 4096) {
        table_.assign(static_cast<std::size_t>(limit), kNone);
        for (std::uint32_t i = 0; i < combined_.size(); i++) add(table_[combined_[i]], i);
        return;
    }
    numbers_.clear();
    for (std::uint32_t i = 0; i < combined_.size(); i++) {
        // The map's hash is the number itself, and its buckets the lowest bits: spread them, one to one.
        const std::uint64_t spread = std::rotl(combined_[i] * 0x9E3779B97F4A7C15, 32);
        add(numbers_.try_emplace(spread, kNone).first.value(), i);
    }
}

void Frame::hash_values(Attribute attribute) {
    const auto i = static_cast<std::size_t>(attribute);
    const AttributeColumn& column = columns_[i];
    std::vector<Fingerprint>& out = hashes_[i];
    if (!out.empty()) return;
    out.reserve(column.size());
    for (const Address& address : column.addresses)
        out.push_back(hash(address.bytes.data(), address.bytes.size()));
    for (const std::uint64_t value : column.values) {
        out.push_back(info(attribute).is_text ? hash(texts_[value]) : hash(&value, sizeof(value)));
    }
}

void Frame::fingerprints(const Tuples& tuples, std::vector<Fingerprint>& out) {
    out.assign(tuples.size(), join(hash(header_->host), hash(header_->service)));
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        const auto attribute = static_cast<Attribute>(i);
        if (!has(tuples.attributes, attribute)) continue;
        hash_values(attribute);
        for (std::size_t code = 0; code < out.size(); code++) {
            out[code] = join(out[code], hashes_[i][code_at(attribute, tuples.by_row, tuples.examples[code])]);
        }
    }
}

void Frame::set_example(const Tuples& tuples, std::uint32_t at) {
    if ((tuples.attributes & kTextAttributes) != 0 && !example_has_texts_) {
        example_.strings = StringTable(std::vector<std::string>(texts_.begin(), texts_.end()));
        example_has_texts_ = true;
    }
    Flow& flow = example_.flows[0] = Flow();
    L7Row& row = example_.l7[0] = L7Row();
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        const auto attribute = static_cast<Attribute>(i);
        if (!has(tuples.attributes, attribute)) continue;
        const AttributeColumn& column = columns_[i];
        const std::uint32_t code = code_at(attribute, tuples.by_row, at);
        switch (attribute) {
            case Attribute::local: flow.local = column.addresses[code]; break;
            case Attribute::remote: flow.remote = column.addresses[code]; break;
            default:
                set_value(flow, attribute, column.values[code]);
                set_value(row, attribute, column.values[code]);
        }
    }
}

}  // namespace weir::store
