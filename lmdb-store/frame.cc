#include "lmdb-store/frame.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <random>

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

int Frame::open(const Transaction& transaction, const Entry& entry, query::Layer layer) {
    layer_ = layer;
    loaded_ = 0;
    flow_of_loaded_ = false;
    tuples_used_ = 0;
    example_.host = entry.header.host;
    example_.service = entry.header.service;
    example_.flows.resize(1);
    example_.l4.resize(1);
    example_.l7.resize(1);
    example_.dns.resize(1);
    const Part rows = entry.table == Table::endpoint ? Part::endpoints : part_of(layer);
    return segment_.open(transaction, entry.header.segment, rows);
}

void Frame::load(AttributeSet attributes) {
    if (!segment_.subjects_are_flows() && !std::exchange(flow_of_loaded_, true))
        segment_.flows_of_subjects(flow_of_);
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        const auto attribute = static_cast<Attribute>(i);
        if (!has(attributes & ~loaded_, attribute)) continue;
        const bool exists =
            is_of_flow(attribute) || has(attributes_of(subjects_of(part_of(layer_))), attribute);
        if (exists) {
            segment_.attribute(attribute, columns_[i]);
        } else {
            // Of another layer: the same for all.
            columns_[i].addresses.clear();
            columns_[i].values.assign(1, 0);
            columns_[i].codes.assign(std::max<std::size_t>(subjects(), 1), 0);
        }
        hashes_[i].clear();
        loaded_ |= set_of(attribute);
    }
}

std::uint32_t Frame::code_at(Attribute attribute, bool of_flows, std::uint32_t at) const {
    const auto& codes = columns_[static_cast<std::size_t>(attribute)].codes;
    return codes[!of_flows && is_of_flow(attribute) ? flow_of(at) : at];
}

const Tuples& Frame::tuples(AttributeSet attributes) {
    for (std::size_t i = 0; i < tuples_used_; i++) {
        if (tuples_[i].attributes == attributes) return tuples_[i];
    }
    if (tuples_used_ == tuples_.size()) tuples_.emplace_back();
    Tuples& out = tuples_[tuples_used_++];
    out.attributes = attributes;
    out.of_flows = (attributes & ~kFlowAttributes) == 0;
    // One at least: where flows were lost, their requests have flow 0.
    out.codes.assign(std::max<std::size_t>(out.of_flows ? flows() : subjects(), 1), 0);
    out.examples.assign(1, 0);
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
        combined_[i] = tuples.codes[i] * column.size() + code_at(attribute, tuples.of_flows, i);
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
    const bool is_text = info(attribute).type == AttributeType::text;
    for (const Address& address : column.addresses)
        out.push_back(hash(address.bytes.data(), address.bytes.size()));
    for (const std::uint64_t value : column.values) {
        out.push_back(is_text ? hash(segment_.text(value)) : hash(&value, sizeof(value)));
    }
}

void Frame::fingerprints(const Tuples& tuples, std::vector<Fingerprint>& out) {
    out.assign(tuples.size(), join(hash(example_.host), hash(example_.service)));
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        const auto attribute = static_cast<Attribute>(i);
        if (!has(tuples.attributes, attribute)) continue;
        hash_values(attribute);
        for (std::size_t code = 0; code < out.size(); code++) {
            out[code] =
                join(out[code], hashes_[i][code_at(attribute, tuples.of_flows, tuples.examples[code])]);
        }
    }
}

void Frame::set_example(AttributeSet attributes, bool of_flows, std::uint32_t at) {
    example_.strings = StringTable();
    Flow& flow = example_.flows[0] = Flow();
    L7Row& request = example_.l7[0] = L7Row();
    DnsRow& lookup = example_.dns[0] = DnsRow();
    for (std::size_t i = 0; i < kAttributeCount; i++) {
        const auto attribute = static_cast<Attribute>(i);
        if (!has(attributes, attribute)) continue;
        const AttributeColumn& column = columns_[i];
        const std::uint32_t code = code_at(attribute, of_flows, at);
        if (info(attribute).type == AttributeType::address) {
            flow.*address_of(attribute) = column.addresses[code];
            continue;
        }
        std::uint64_t value = column.values[code];
        if (info(attribute).type == AttributeType::text && value != 0)
            value = example_.strings.append(segment_.text(value));
        set_value(flow, attribute, value);
        set_value(request, attribute, value);
        set_value(lookup, attribute, value);
    }
}

}  // namespace weir::store
