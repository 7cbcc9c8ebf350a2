#include "lmdb-store/segment_writer.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "lmdb-store/sequence.h"

namespace weir::store {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Bounds of a segment, for the memory that it takes here (some 30 MiB) and in a query.
constexpr std::size_t kMaxSubjects = 160 * 1024;
constexpr std::size_t kMaxTextBytes = std::size_t{8} << 20;

// What a subject takes in the store, texts aside: about the most.
constexpr std::size_t kSubjectBytes = 32;

std::size_t place_of(Part part) {
    return static_cast<std::size_t>(std::find(kSegmentParts.begin(), kSegmentParts.end(), part) -
                                    kSegmentParts.begin());
}

}  // namespace

SegmentWriter::SegmentWriter(std::uint64_t number, const Batch& first, const Limits& limits)
    : number_(number), limits_(limits), host_(first.host), service_(first.service), begin_ns_(first.end_ns) {
    texts_.number({});
    written_[place_of(Part::texts)].count = 1;
}

bool SegmentWriter::takes(const Batch& batch, bool begins_minute) const {
    if (batch.host != host_ || batch.service != service_) return false;
    const std::size_t subjects = texts_.size() + flows_.size() + requests_.size() + lookups_.size();
    const std::size_t share = begins_minute ? 1 : 2;
    return text_bytes_ < share * kMaxTextBytes && subjects < share * kMaxSubjects &&
           subjects * kSubjectBytes + text_bytes_ < share * limits_.bytes &&
           (!begins_minute || std::llabs(batch.end_ns - begin_ns_) <= limits_.length_ns);
}

std::uint64_t SegmentWriter::unwritten_bytes() const {
    std::uint64_t subjects = 0;
    for (const Part part : kSegmentParts) {
        const Written& mark = written_[place_of(part)];
        if (size_of(part) > mark.count)
            subjects += size_of(part) - (mark.open.empty() ? mark.count : mark.open.front());
    }
    const bool has_texts = texts_.size() > written_[place_of(Part::texts)].count;
    return subjects * kSubjectBytes + (has_texts ? std::min(text_bytes_, kMaxTextBytes) : 0);
}

const RowSubjects& SegmentWriter::number_rows(const Batch& batch) {
    text_numbers_.assign(batch.strings.size(), kNone);
    flow_numbers_.assign(batch.flows.size(), kNone);
    for (auto* rows : {&rows_.l4, &rows_.l7, &rows_.dns, &rows_.slow}) rows->clear();
    for (const L4Row& row : batch.l4) rows_.l4.push_back(flow(batch, row.flow));
    for (const L7Row& row : batch.l7) rows_.l7.push_back(request(batch, row));
    for (const SlowRow& row : batch.slow) rows_.slow.push_back(request(batch, row));
    for (const DnsRow& row : batch.dns) {
        const auto rcode = static_cast<std::uint32_t>(zigzag(row.rcode));
        rows_.dns.push_back(lookups_.number({flow(batch, row.flow), rcode}));
    }
    return rows_;
}

std::uint32_t SegmentWriter::text(const Batch& batch, StringId id) {
    std::uint32_t& number = text_numbers_[id];
    if (number == kNone) {
        const std::size_t before = texts_.size();
        number = texts_.number(batch.strings[id]);
        if (texts_.size() > before) text_bytes_ += batch.strings[id].size();
    }
    return number;
}

std::uint32_t SegmentWriter::flow(const Batch& batch, std::uint32_t index) {
    std::uint32_t& number = flow_numbers_[index];
    if (number == kNone) {
        Flow flow = batch.flows[index];
        for (const auto member : {&Flow::process, &Flow::peer_process, &Flow::container, &Flow::domain})
            flow.*member = text(batch, flow.*member);
        number = flows_.number(flow);
    }
    return number;
}

template <typename Row>
std::uint32_t SegmentWriter::request(const Batch& batch, const Row& row) {
    return requests_.number({flow(batch, row.flow), text(batch, row.method), text(batch, row.path),
                             text(batch, row.route), http_traits_of(row), row.status});
}

std::size_t SegmentWriter::size_of(Part part) const {
    switch (part) {
        case Part::texts: return texts_.size();
        case Part::flows: return flows_.size();
        case Part::requests: return requests_.size();
        default: return lookups_.size();
    }
}

// Where the block that begins with `first` ends, were it full.
std::uint32_t SegmentWriter::block_end(Part part, std::uint32_t first) const {
    const auto size = static_cast<std::uint32_t>(size_of(part));
    const std::uint32_t most = std::min(size, first + static_cast<std::uint32_t>(kBlockSubjects));
    if (part != Part::texts) return most;
    std::size_t bytes = 0;
    std::uint32_t end = first;
    while (end < most && bytes < kBlockTextBytes) bytes += texts_.values()[end++].size();
    return end;
}

std::vector<SegmentWriter::NewBlock> SegmentWriter::unwritten(Marks& marks) const {
    std::vector<NewBlock> out;
    marks = written_;
    for (const Part part : kSegmentParts) {
        Written& mark = marks[place_of(part)];
        if (mark.count < size_of(part)) add_unwritten(part, mark, out);
    }
    return out;
}

void SegmentWriter::add_unwritten(Part part, Written& mark, std::vector<NewBlock>& out) const {
    const auto size = static_cast<std::uint32_t>(size_of(part));
    std::uint32_t begin = mark.count;
    std::vector<std::uint32_t> replaced;
    while (!mark.open.empty()) {
        const std::uint32_t first = mark.open.back();
        if (begin - first > 2 * (size - begin)) break;
        if (block_end(part, first) < size) {
            // There is no room in it, nor in those before it.
            mark.open.clear();
            break;
        }
        if (begin != mark.count) replaced.push_back(begin);
        begin = first;
        mark.open.pop_back();
    }
    while (begin < size) {
        const std::uint32_t end = block_end(part, begin);
        out.push_back({{number_, part, begin}, encode(part, begin, end), std::exchange(replaced, {})});
        if (end < size) mark.open.clear();
        if (end == size) mark.open.push_back(begin);
        begin = end;
    }
    mark.count = size;
}

Block SegmentWriter::encode(Part part, std::uint32_t first, std::uint32_t end) const {
    BlockWriter out;
    if (part == Part::texts) {
        out.add(Section::texts, [&](ByteWriter& bytes) {
            Numbers lengths;
            for (std::uint32_t i = first; i < end; i++) lengths.push_back(texts_.values()[i].size());
            write_sequence(bytes, lengths);
            for (std::uint32_t i = first; i < end; i++) {
                const std::string& text = texts_.values()[i];
                bytes.bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
            }
        });
    } else if (part == Part::flows) {
        add_attributes(out, part, flows_.values(), first, end);
    } else if (part == Part::requests) {
        add_attributes(out, part, requests_.values(), first, end);
    } else {
        add_attributes(out, part, lookups_.values(), first, end);
    }
    return out.finish(part, end - first, first);
}

template <typename Subject>
void SegmentWriter::add_attributes(BlockWriter& out, Part part, const std::vector<Subject>& subjects,
                                   std::uint32_t first, std::uint32_t end) const {
    Numbers values(end - first);
    std::vector<Address> addresses(end - first);
    if constexpr (!std::is_same_v<Subject, Flow>) {
        for (std::uint32_t i = first; i < end; i++) values[i - first] = subjects[i].flow;
        out.add_sequence(Section::flow, values);
    }
    for (std::size_t a = 0; a < kAttributeCount; a++) {
        const auto attribute = static_cast<Attribute>(a);
        if (!has(attributes_of(part), attribute)) continue;
        if (info(attribute).type != AttributeType::address) {
            for (std::uint32_t i = first; i < end; i++) values[i - first] = value_of(subjects[i], attribute);
            out.add_attribute(info(attribute).section, values);
        } else if constexpr (std::is_same_v<Subject, Flow>) {
            for (std::uint32_t i = first; i < end; i++)
                addresses[i - first] = subjects[i].*address_of(attribute);
            out.add_addresses(info(attribute).section, addresses);
        }
    }
}

}  // namespace weir::store
