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

// A host has few addresses, and with them few endpoints. Where it has more, the endpoint table is of no use,
// and takes no room: so many of them, and one for so many bytes that the segment may take.
constexpr std::size_t kMaxEndpoints = 8 * 1024;
constexpr std::size_t kEndpointShare = 256;

// What a subject takes in the store, texts aside: about the most.
constexpr std::size_t kSubjectBytes = 32;

std::size_t place_of(Part part) {
    return static_cast<std::size_t>(std::find(kSegmentParts.begin(), kSegmentParts.end(), part) -
                                    kSegmentParts.begin());
}

constexpr std::array kFlowTexts = {&Flow::process, &Flow::peer_process, &Flow::container, &Flow::domain};

// The numbers of value_of(i) for all i in [0, count); of so many at a time that they stay in the cache.
template <typename Value, typename Key, typename Hash, typename Equal, typename ValueOf, typename Out>
void number_all(Numbering<Value, Key, Hash, Equal>& numbering, std::size_t count, ValueOf value_of, Out out) {
    constexpr std::size_t kAtATime = 512;
    std::vector<Key> keys;
    std::array<std::uint32_t, kAtATime> numbers;
    keys.reserve(std::min(count, kAtATime));
    for (std::size_t first = 0; first < count; first += keys.size()) {
        keys.clear();
        while (keys.size() < kAtATime && first + keys.size() < count)
            keys.push_back(value_of(first + keys.size()));
        numbering.number(std::span<const Key>(keys), numbers.data());
        for (std::size_t i = 0; i < keys.size(); i++) out(first + i, numbers[i]);
    }
}

// The same for those i whose number is not kNone.
template <typename Value, typename Key, typename Hash, typename Equal, typename ValueOf>
void renumber(Numbering<Value, Key, Hash, Equal>& numbering, ValueOf value_of,
              std::vector<std::uint32_t>& numbers) {
    std::vector<std::uint32_t> used;
    for (std::uint32_t i = 0; i < numbers.size(); i++) {
        if (numbers[i] != kNone) used.push_back(i);
    }
    number_all(
        numbering, used.size(), [&](std::size_t i) { return value_of(used[i]); },
        [&](std::size_t i, std::uint32_t number) { numbers[used[i]] = number; });
}

}  // namespace

SegmentWriter::SegmentWriter(std::uint64_t number, const Batch& first, const Limits& limits)
    : number_(number), limits_(limits), host_(first.host), service_(first.service), begin_ns_(first.end_ns) {
    texts_.number({});
    written_[place_of(Part::texts)].count = 1;
}

bool SegmentWriter::takes(const Batch& batch, bool begins_minute) const {
    if (batch.host != host_ || batch.service != service_) return false;
    const std::size_t subjects =
        texts_.size() + flows_.size() + requests_.size() + lookups_.size() + endpoints_.size();
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
    number_flows(batch);
    rows_.l4.resize(batch.l4.size());
    for (std::size_t i = 0; i < batch.l4.size(); i++) rows_.l4[i] = flow_numbers_[batch.l4[i].flow];
    number_requests(batch.l7, rows_.l7);
    number_requests(batch.slow, rows_.slow);
    rows_.dns.resize(batch.dns.size());
    number_all(
        lookups_, batch.dns.size(),
        [&](std::size_t i) {
            const DnsRow& row = batch.dns[i];
            return Lookup{flow_numbers_[row.flow], static_cast<std::uint32_t>(zigzag(row.rcode))};
        },
        [&](std::size_t i, std::uint32_t number) { rows_.dns[i] = number; });
    number_endpoints();
    return rows_;
}

// Those of the subjects that are new.
void SegmentWriter::number_endpoints() {
    const auto add = [this](const auto& subjects, std::vector<std::uint32_t>& out, auto endpoint_of) {
        for (std::size_t i = out.size(); i < subjects.size(); i++)
            out.push_back(endpoint_number(endpoint_of(subjects[i])));
    };
    const auto of_flow = [](const Flow& flow) {
        return Endpoint{flow.local, static_cast<std::uint32_t>(traits_of(flow)), 0, 0};
    };
    add(flows_.values(), rows_.flow_endpoints, of_flow);
    add(requests_.values(), rows_.request_endpoints, [&](const Request& request) {
        Endpoint out = of_flow(flows_.values()[request.flow]);
        out.status = request.status;
        return out;
    });
    add(lookups_.values(), rows_.lookup_endpoints, [&](const Lookup& lookup) {
        Endpoint out = of_flow(flows_.values()[lookup.flow]);
        out.rcode = lookup.rcode;
        return out;
    });
}

// Those of the flows and requests that rows are about.
void SegmentWriter::number_texts(const Batch& batch) {
    text_numbers_.assign(batch.strings.size(), kNone);
    for (std::size_t i = 0; i < batch.flows.size(); i++) {
        if (flow_numbers_[i] == kNone) continue;
        for (const auto member : kFlowTexts) text_numbers_[batch.flows[i].*member] = 0;
    }
    const auto mark = [&](const auto& rows) {
        for (const auto& row : rows) {
            for (const StringId id : {row.method, row.path, row.route}) text_numbers_[id] = 0;
        }
    };
    mark(batch.l7);
    mark(batch.slow);
    const std::size_t before = texts_.size();
    renumber(
        texts_, [&](std::uint32_t id) { return std::string_view(batch.strings[id]); }, text_numbers_);
    for (std::size_t i = before; i < texts_.size(); i++) text_bytes_ += texts_.values()[i].size();
}

std::uint32_t SegmentWriter::endpoint_number(const Endpoint& endpoint) {
    const std::size_t most = std::min<std::size_t>(kMaxEndpoints, limits_.bytes / kEndpointShare);
    return endpoints_.size() < most ? endpoints_.number(endpoint) : endpoints_.find(endpoint, kNoEndpoint);
}

// Those that rows refer to, and their texts.
void SegmentWriter::number_flows(const Batch& batch) {
    flow_numbers_.assign(batch.flows.size(), kNone);
    const auto mark = [&](const auto& rows) {
        for (const auto& row : rows) flow_numbers_[row.flow] = 0;
    };
    mark(batch.l4);
    mark(batch.l7);
    mark(batch.dns);
    mark(batch.slow);
    number_texts(batch);
    renumber(
        flows_,
        [&](std::size_t i) {
            Flow flow = batch.flows[i];
            for (const auto member : kFlowTexts) flow.*member = text_numbers_[flow.*member];
            return flow;
        },
        flow_numbers_);
}

template <typename Row>
void SegmentWriter::number_requests(const std::vector<Row>& rows, std::vector<std::uint32_t>& out) {
    out.resize(rows.size());
    number_all(
        requests_, rows.size(),
        [&](std::size_t i) {
            const Row& row = rows[i];
            return Request{flow_numbers_[row.flow],  text_numbers_[row.method], text_numbers_[row.path],
                           text_numbers_[row.route], http_traits_of(row),       row.status};
        },
        [&](std::size_t i, std::uint32_t number) { out[i] = number; });
}

std::size_t SegmentWriter::size_of(Part part) const {
    switch (part) {
        case Part::texts: return texts_.size();
        case Part::flows: return flows_.size();
        case Part::requests: return requests_.size();
        case Part::endpoints: return endpoints_.size();
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
    } else if (part == Part::endpoints) {
        add_attributes(out, part, endpoints_.values(), first, end);
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
    if constexpr (requires { subjects[0].flow; }) {
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
        } else if constexpr (std::is_same_v<Subject, Endpoint>) {
            for (std::uint32_t i = first; i < end; i++) addresses[i - first] = subjects[i].local;
            out.add_addresses(info(attribute).section, addresses);
        }
    }
}

}  // namespace weir::store
