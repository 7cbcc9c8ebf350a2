#include "lmdb-store/block_encoder.h"

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <span>

#include "lmdb-store/block_format.h"
#include "lmdb-store/bytes.h"
#include "lmdb-store/columns.h"
#include "lmdb-store/histogram_column.h"
#include "lmdb-store/sequence.h"
#include "plugin/base/bytes_hash.h"

namespace weir::store {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
using Numbers = std::vector<std::uint64_t>;

bool all_zero(const Numbers& values) {
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

// The sections of one block, and the directory that is put before them.
class Sections {
public:
    template <typename Write>
    void add(Section section, Write write) {
        const std::size_t begin = body_.size();
        ByteWriter out(body_);
        write(out);
        directory_.push_back({section, begin, body_.size() - begin});
    }

    Block finish(query::Layer layer, std::size_t rows, std::size_t flows) const {
        Block block;
        ByteWriter out(block);
        out.fixed(kBlockMagic);
        out.fixed(kBlockVersion);
        out.fixed(static_cast<std::uint8_t>(layer == query::Layer::l4 ? 4 : 7));
        out.fixed(static_cast<std::uint16_t>(directory_.size()));
        out.fixed(static_cast<std::uint32_t>(rows));
        out.fixed(static_cast<std::uint32_t>(flows));
        const std::size_t body_at =
            block.size() + directory_.size() * kDirectoryEntrySize + sizeof(std::uint64_t);
        block.reserve(body_at + body_.size());
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

private:
    struct Place {
        Section section;
        std::size_t begin;
        std::size_t length;
    };
    std::vector<std::uint8_t> body_;
    std::vector<Place> directory_;
};

void add_numbers(Sections& sections, Section section, const Numbers& values) {
    if (all_zero(values)) return;
    sections.add(section, [&](ByteWriter& out) { write_sequence(out, values); });
}

void add_attribute(Sections& sections, Section section, const Numbers& values) {
    if (all_zero(values)) return;
    const auto dictionary = code(values, std::less<>());
    sections.add(section, [&](ByteWriter& out) {
        write_sequence(out, dictionary.values);
        write_sequence(out, dictionary.codes);
    });
}

void add_addresses(Sections& sections, Section section, const std::vector<Address>& values) {
    const auto dictionary = code(values, address_before);
    Numbers v4;
    for (const Address& address : dictionary.values) {
        if (address.is_v4()) v4.push_back(v4_number(address));
    }
    sections.add(section, [&](ByteWriter& out) {
        write_sequence(out, v4);
        out.varint(dictionary.values.size() - v4.size());
        for (std::size_t i = v4.size(); i < dictionary.values.size(); i++)
            out.bytes(dictionary.values[i].bytes);
        write_sequence(out, dictionary.codes);
    });
}

// What a block refers to, numbered anew from 0 as it comes up.
class Renumbering {
public:
    explicit Renumbering(std::size_t size) : number_(size, kNone) {}

    std::uint32_t operator()(std::uint32_t id) {
        std::uint32_t& number = number_[id];
        if (number == kNone) {
            number = static_cast<std::uint32_t>(used_.size());
            used_.push_back(id);
        }
        return number;
    }
    const std::vector<std::uint32_t>& used() const { return used_; }
    void clear() {
        for (const std::uint32_t id : used_) number_[id] = kNone;
        used_.clear();
    }

private:
    std::vector<std::uint32_t> number_;
    std::vector<std::uint32_t> used_;
};

template <typename Row>
class BlockEncoder {
    using Columns = RowColumns<Row>;

public:
    explicit BlockEncoder(const Batch& batch)
        : batch_(batch),
          rows_(Columns::rows(batch)),
          flows_(batch.flows.size()),
          texts_(batch.strings.size()) {}

    bool done() const { return at_ == rows_.size(); }

    Block next() {
        flows_.clear();
        texts_.clear();
        text_bytes_ = 0;
        const std::span<const Row> rows = take_rows();
        Sections sections;
        add_numbers_of(sections, rows);
        add_attributes(sections, rows);
        add_texts(sections);
        return sections.finish(Columns::kLayer, rows.size(), flows_.used().size());
    }

private:
    // Decides how far the block goes; numbers its flows and texts.
    std::span<const Row> take_rows() {
        const std::size_t first = at_;
        std::size_t buckets = 0;
        row_flow_.clear();
        while (at_ < rows_.size() && at_ - first < kBlockRows && buckets < kBlockBuckets &&
               text_bytes_ < kBlockTextBytes) {
            const Row& row = rows_[at_++];
            row_flow_.push_back(flows_(row.flow));
            const Flow& flow = batch_.flows[row.flow];
            text_id(flow.process);
            text_id(flow.peer_process);
            for (std::size_t i = 0; i < kAttributeCount; i++) {
                const auto attribute = static_cast<Attribute>(i);
                if (has(Columns::kAttributes & kTextAttributes, attribute)) text_id(text_of(row, attribute));
            }
            for (const auto& column : Columns::kHistograms) buckets += (row.*column.of_row).buckets().size();
        }
        return std::span(rows_).subspan(first, at_ - first);
    }

    static StringId text_of(const Row& row, Attribute attribute) {
        if constexpr (Columns::kAttributes != 0) {
            return static_cast<StringId>(value_of(row, attribute));
        } else {
            return 0;
        }
    }

    // The block's id of a text of the batch; 0 for the empty one.
    std::uint64_t text_id(StringId id) {
        const std::string_view text = batch_.strings[id];
        if (text.empty()) return 0;
        const std::size_t before = texts_.used().size();
        const std::uint32_t number = texts_(id);
        if (texts_.used().size() > before) text_bytes_ += text.size();
        return std::uint64_t{number} + 1;
    }

    std::uint64_t stored(Attribute attribute, std::uint64_t value) {
        return info(attribute).is_text ? text_id(static_cast<StringId>(value)) : value;
    }

    void add_attributes(Sections& sections, std::span<const Row> rows) {
        for (std::size_t i = 0; i < kAttributeCount; i++) {
            const auto attribute = static_cast<Attribute>(i);
            if (is_of_row(attribute)) {
                add_row_attribute(sections, attribute, rows);
            } else if (info(attribute).is_address) {
                std::vector<Address> values;
                values.reserve(flows_.used().size());
                for (const std::uint32_t flow : flows_.used()) {
                    const Flow& f = batch_.flows[flow];
                    values.push_back(attribute == Attribute::local ? f.local : f.remote);
                }
                add_addresses(sections, info(attribute).section, values);
            } else {
                Numbers values;
                values.reserve(flows_.used().size());
                for (const std::uint32_t flow : flows_.used()) {
                    values.push_back(stored(attribute, value_of(batch_.flows[flow], attribute)));
                }
                add_attribute(sections, info(attribute).section, values);
            }
        }
    }

    void add_row_attribute(Sections& sections, Attribute attribute, std::span<const Row> rows) {
        if constexpr (Columns::kAttributes != 0) {
            Numbers values;
            values.reserve(rows.size());
            for (const Row& row : rows) values.push_back(stored(attribute, value_of(row, attribute)));
            add_attribute(sections, info(attribute).section, values);
        }
    }

    void add_numbers_of(Sections& sections, std::span<const Row> rows) {
        sections.add(Section::row_flow, [&](ByteWriter& out) { write_sequence(out, row_flow_); });
        Numbers values(rows.size());
        for (const auto& column : Columns::kNumbers) {
            for (std::size_t i = 0; i < rows.size(); i++) values[i] = rows[i].*column.of_row;
            add_numbers(sections, column.section, values);
        }
        std::vector<const Histogram*> histograms(rows.size());
        for (const auto& column : Columns::kHistograms) {
            for (std::size_t i = 0; i < rows.size(); i++) histograms[i] = &(rows[i].*column.of_row);
            const auto is_empty = [](const Histogram* h) { return h->buckets().empty(); };
            if (std::all_of(histograms.begin(), histograms.end(), is_empty)) continue;
            sections.add(column.section, [&](ByteWriter& out) { write_histograms(out, histograms); });
        }
    }

    void add_texts(Sections& sections) {
        if (texts_.used().empty()) return;
        sections.add(Section::texts, [&](ByteWriter& out) {
            Numbers lengths;
            for (const std::uint32_t id : texts_.used()) lengths.push_back(batch_.strings[id].size());
            write_sequence(out, lengths);
            for (const std::uint32_t id : texts_.used()) {
                const std::string_view text = batch_.strings[id];
                out.bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
            }
        });
    }

    const Batch& batch_;
    const std::vector<Row>& rows_;
    std::size_t at_ = 0;
    Renumbering flows_;
    Renumbering texts_;
    std::size_t text_bytes_ = 0;
    Numbers row_flow_;
};

template <typename Row>
std::vector<Block> encode(const Batch& batch) {
    std::vector<Block> out;
    BlockEncoder<Row> encoder(batch);
    while (!encoder.done()) out.push_back(encoder.next());
    return out;
}

}  // namespace

std::vector<Block> encode_blocks(const Batch& batch, query::Layer layer) {
    return layer == query::Layer::l4 ? encode<L4Row>(batch) : encode<L7Row>(batch);
}

}  // namespace weir::store
