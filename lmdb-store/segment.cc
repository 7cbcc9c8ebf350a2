#include "lmdb-store/segment.h"

#include <tsl/robin_map.h>

#include <algorithm>

#include "plugin/base/bytes_hash.h"

namespace weir::store {
namespace {

void set_value(Request& request, Attribute attribute, std::uint64_t value) {
    switch (attribute) {
        case Attribute::method: request.method = static_cast<std::uint32_t>(value); break;
        case Attribute::path: request.path = static_cast<std::uint32_t>(value); break;
        case Attribute::route: request.route = static_cast<std::uint32_t>(value); break;
        case Attribute::status: request.status = static_cast<std::uint32_t>(value); break;
        case Attribute::http_traits: request.http_traits = static_cast<std::uint32_t>(value); break;
        default: break;
    }
}
void set_value(Lookup& lookup, Attribute, std::uint64_t value) {
    lookup.rcode = static_cast<std::uint32_t>(value);
}

template <typename Value>
struct Codes {
    using Map = tsl::robin_map<Value, std::uint32_t, BytesHash<Value>, BytesEqual<Value>>;
};

}  // namespace

void Segment::Chunks::clear() {
    list.clear();
    size = 0;
}

Segment::Chunks& Segment::chunks_of(Part part) {
    return part == Part::texts ? texts_ : part == Part::flows || part == Part::endpoints ? flows_ : subjects_;
}

bool Segment::is_wanted(Part part) const {
    if (part == subjects_part_) return true;
    return subjects_part_ != Part::endpoints && (part == Part::texts || part == Part::flows);
}

int Segment::open(const Transaction& transaction, std::uint64_t number, Part rows) {
    begin(rows);
    Cursor cursor;
    int code = cursor.open(transaction, transaction.databases().segment);
    const Part first = rows == Part::endpoints ? rows : Part::header;
    if (code == 0) code = cursor.seek({number, first, 0});
    for (; code == 0; code = cursor.next()) {
        const auto key = decode_segment_key(cursor.key());
        if (!key || key->segment != number) break;
        add(*key, cursor.value());
    }
    end();
    return code == MDB_NOTFOUND ? 0 : code;
}

void Segment::begin(Part rows) {
    subjects_part_ = subjects_of(rows);
    subjects_in_flows_ = subjects_part_ == Part::flows || subjects_part_ == Part::endpoints;
    for (Chunks* chunks : {&texts_, &flows_, &subjects_}) chunks->clear();
    is_damaged_ = false;
    texts_by_number_.clear();
    whole_flows_.clear();
    whole_requests_.clear();
    whole_lookups_.clear();
}

void Segment::add(const SegmentKey& key, Bytes block) {
    if (!is_wanted(key.part)) return;
    const auto reader = BlockReader::open(block);
    const bool is_right = reader && reader->part() == key.part && reader->first() == key.first;
    is_damaged_ |= !is_right;
    if (!is_right) return;
    Chunks& chunks = chunks_of(key.part);
    // Far more than a segment ever has would be a damaged number that asks for memory.
    constexpr std::uint32_t kMaxNumber = 1u << 20;
    if (key.first < chunks.size || key.first > kMaxNumber) return;
    chunks.list.push_back({key.first, *reader});
    chunks.size = key.first + static_cast<std::uint32_t>(reader->rows());
}

void Segment::end() {
    lost_flows_.assign(flows_.size, 0);
    lost_.assign(subjects_.size, 0);
    whole_flows_.resize(flows_.list.size());
    whole_requests_.resize(subjects_.list.size());
    whole_lookups_.resize(subjects_.list.size());
}

void Segment::load_texts() {
    if (!texts_by_number_.empty()) return;
    texts_by_number_.assign(std::max<std::size_t>(texts_.size, 1), {});
    text_known_.assign(texts_by_number_.size(), 0);
    text_known_[0] = 1;
    std::vector<std::string_view> texts;
    for (const Chunk& chunk : texts_.list) {
        if (!chunk.reader.texts(texts)) continue;
        for (std::size_t i = 0; i < texts.size(); i++) {
            texts_by_number_[chunk.first + i] = texts[i];
            text_known_[chunk.first + i] = 1;
        }
    }
}

bool Segment::is_known_text(std::uint64_t number) const {
    return number < text_known_.size() && text_known_[number] != 0;
}

void Segment::mark_lost(bool of_flows, std::uint32_t first, std::uint32_t end) {
    auto& lost = of_flows ? lost_flows_ : lost_;
    std::fill(lost.begin() + first, lost.begin() + end, std::uint8_t{1});
}

void Segment::attribute(Attribute attribute, AttributeColumn& out) {
    const bool of_flows = lies_with_flows(attribute);
    const Chunks& chunks = of_flows ? flows_ : subjects_;
    out.values.clear();
    out.addresses.clear();
    out.codes.assign(std::max<std::size_t>(chunks.size, 1), 0);
    if (info(attribute).type == AttributeType::address) {
        merge(attribute, chunks, &AttributeColumn::addresses, out);
        if (out.addresses.empty()) out.addresses.emplace_back();
    } else {
        merge(attribute, chunks, &AttributeColumn::values, out);
        if (out.values.empty()) out.values.push_back(0);
    }
    if (info(attribute).type == AttributeType::text) check_texts(of_flows, out);
}

// Puts the chunks' dictionaries together into one.
template <typename Value>
void Segment::merge(Attribute attribute, const Chunks& chunks, std::vector<Value> AttributeColumn::*member,
                    AttributeColumn& out) {
    typename Codes<Value>::Map known;
    const bool of_flows = lies_with_flows(attribute);
    std::uint32_t end = 0;
    for (const Chunk& chunk : chunks.list) {
        mark_lost(of_flows, end, chunk.first);
        end = chunk.first + static_cast<std::uint32_t>(chunk.reader.rows());
        if (!chunk.reader.attribute(attribute, column_)) {
            mark_lost(of_flows, chunk.first, end);
            continue;
        }
        const std::vector<Value>& values = column_.*member;
        codes_.resize(values.size());
        for (std::size_t i = 0; i < values.size(); i++) {
            const auto next = static_cast<std::uint32_t>((out.*member).size());
            const auto [at, is_new] = known.try_emplace(values[i], next);
            if (is_new) (out.*member).push_back(values[i]);
            codes_[i] = at->second;
        }
        for (std::size_t i = 0; i < column_.codes.size(); i++)
            out.codes[chunk.first + i] = codes_[column_.codes[i]];
    }
}

void Segment::check_texts(bool of_flows, const AttributeColumn& column) {
    load_texts();
    const auto known = [this](std::uint64_t number) { return is_known_text(number); };
    if (std::all_of(column.values.begin(), column.values.end(), known)) return;
    for (std::uint32_t i = 0; i < column.codes.size(); i++) {
        if (!known(column.values[column.codes[i]])) mark_lost(of_flows, i, i + 1);
    }
}

void Segment::flows_of_subjects(std::vector<std::uint32_t>& out) {
    out.assign(subjects_.size, 0);
    std::uint32_t end = 0;
    for (const Chunk& chunk : subjects_.list) {
        mark_lost(false, end, chunk.first);
        end = chunk.first + static_cast<std::uint32_t>(chunk.reader.rows());
        if (!chunk.reader.flows(codes_)) {
            mark_lost(false, chunk.first, end);
            continue;
        }
        for (std::uint32_t i = 0; i < codes_.size(); i++) {
            if (codes_[i] < flows_.size) {
                out[chunk.first + i] = codes_[i];
            } else {
                mark_lost(false, chunk.first + i, chunk.first + i + 1);
            }
        }
    }
}

template <typename Subject>
bool Segment::decode(const BlockReader& block, AttributeSet attributes, std::vector<Subject>& out) {
    out.assign(block.rows(), Subject());
    if constexpr (!std::is_same_v<Subject, Flow>) {
        if (!block.flows(codes_)) return false;
        for (std::size_t i = 0; i < out.size(); i++) out[i].flow = codes_[i];
    }
    for (std::size_t a = 0; a < kAttributeCount; a++) {
        const auto attribute = static_cast<Attribute>(a);
        if (!has(attributes, attribute)) continue;
        if (!block.attribute(attribute, column_)) return false;
        for (std::size_t i = 0; i < out.size(); i++) {
            const std::uint32_t code = column_.codes[i];
            if constexpr (std::is_same_v<Subject, Flow>) {
                if (info(attribute).type == AttributeType::address) {
                    out[i].*address_of(attribute) = column_.addresses[code];
                    continue;
                }
            }
            set_value(out[i], attribute, column_.values[code]);
        }
    }
    return true;
}

template <typename Subject>
const Subject* Segment::whole(Chunks& chunks, Decoded<Subject>& decoded, AttributeSet attributes,
                              std::uint32_t number) {
    auto at = std::upper_bound(chunks.list.begin(), chunks.list.end(), number,
                               [](std::uint32_t n, const Chunk& chunk) { return n < chunk.first; });
    if (at == chunks.list.begin()) return nullptr;
    --at;
    if (number - at->first >= at->reader.rows()) return nullptr;
    auto& subjects = decoded[static_cast<std::size_t>(at - chunks.list.begin())];
    if (subjects.empty() && !decode(at->reader, attributes, subjects)) {
        subjects.clear();
        return nullptr;
    }
    return &subjects[number - at->first];
}

const Flow* Segment::flow(std::uint32_t number) {
    const Flow* const flow = whole(flows_, whole_flows_, kFlowAttributes, number);
    if (flow == nullptr) return nullptr;
    for (const auto member : {&Flow::process, &Flow::peer_process, &Flow::container, &Flow::domain}) {
        if (!is_known_text(flow->*member)) return nullptr;
    }
    return flow;
}

template <typename Row>
bool Segment::set_subject(std::uint32_t subject, Row& row) {
    if constexpr (std::is_same_v<Row, L4Row>) {
        row.flow = subject;
        return true;
    } else if constexpr (std::is_same_v<Row, DnsRow>) {
        const Lookup* const lookup = whole(subjects_, whole_lookups_, kLookupAttributes, subject);
        if (lookup == nullptr) return false;
        row.flow = lookup->flow;
        row.rcode = rcode_of(lookup->rcode);
        return true;
    } else {
        const Request* const request = whole(subjects_, whole_requests_, kRequestAttributes, subject);
        if (request == nullptr) return false;
        row.flow = request->flow;
        row.method = request->method;
        row.path = request->path;
        row.route = request->route;
        row.status = static_cast<std::uint16_t>(request->status);
        set_http_traits(row, request->http_traits);
        return is_known_text(row.method) && is_known_text(row.path) && is_known_text(row.route);
    }
}

template bool Segment::set_subject(std::uint32_t, L4Row&);
template bool Segment::set_subject(std::uint32_t, L7Row&);
template bool Segment::set_subject(std::uint32_t, DnsRow&);
template bool Segment::set_subject(std::uint32_t, SlowRow&);

}  // namespace weir::store
