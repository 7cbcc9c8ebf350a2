#include "tests/unit/lmdb-store/support.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "lmdb-store/block_rows.h"
#include "lmdb-store/format.h"
#include "plugin/flow/batch_builder.h"
#include "plugin/query/field_values.h"

namespace weir::store::test {
namespace {

using query::AggregateQuery;
using query::AggregateResult;
using query::Layer;

std::uint64_t below(Random& random, std::uint64_t n) { return n == 0 ? 0 : random() % n; }

// Skewed, as traffic is.
std::uint64_t skewed(Random& random, std::uint64_t max) {
    const std::uint64_t kind = below(random, 10);
    if (kind < 4) return 0;
    if (kind < 9) return below(random, std::min<std::uint64_t>(max, 2000) + 1);
    return below(random, max + 1);
}

Address address(Random& random, const Shape& shape) {
    const std::uint64_t n = below(random, shape.hosts);
    if (n % 5 == 4) {
        Address out;
        out.bytes[0] = 0x20;
        out.bytes[1] = 0x01;
        out.bytes[14] = static_cast<std::uint8_t>(n >> 8);
        out.bytes[15] = static_cast<std::uint8_t>(n);
        return out;
    }
    return Address::v4(10, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                       static_cast<std::uint8_t>(n));
}

Flow make_flow(Random& random, const Shape& shape, BatchBuilder& into) {
    static constexpr const char* kNames[] = {"nginx", "<b>\"x\"</b>", "a b,c=d", "caf\xc3\xa9", "\xff\xfe"};
    const auto process = [&] {
        const std::uint64_t n = below(random, shape.processes + 1);
        return n == 0 ? 0 : into.intern(n <= 5 ? kNames[n - 1] : "process-" + std::to_string(n));
    };
    Flow flow;
    flow.local = address(random, shape);
    flow.remote = address(random, shape);
    flow.is_v6 = !flow.remote.is_v4();
    flow.netns = below(random, 3) == 0 ? 4026531840u + static_cast<std::uint32_t>(below(random, 3)) : 0;
    flow.pid = static_cast<std::uint32_t>(below(random, 5) == 0 ? 0 : 100 + below(random, shape.processes));
    flow.local_port = static_cast<std::uint16_t>(below(random, 2) == 0 ? 0 : 30000 + below(random, 20000));
    flow.remote_port = static_cast<std::uint16_t>(below(random, 4) == 0 ? below(random, 65536) : 443);
    flow.transport = below(random, 5) == 0 ? Transport::udp : Transport::tcp;
    flow.direction = static_cast<Direction>(below(random, 3));
    flow.peer_is_local = below(random, 4) == 0;
    flow.process = process();
    flow.peer_process = flow.peer_is_local ? process() : 0;
    if (below(random, 3) == 0) flow.container = into.intern("container-" + std::to_string(below(random, 4)));
    if (below(random, 3) == 0) flow.domain = into.intern("host" + std::to_string(below(random, 5)) + ".test");
    if (below(random, 6) == 0) {
        flow.nat = Address::v4(172, 16, 0, static_cast<std::uint8_t>(below(random, 200)));
        flow.nat_port = static_cast<std::uint32_t>(1 + below(random, 65535));
    }
    return flow;
}

void add_samples(Random& random, const Shape& shape, Histogram& into) {
    for (std::uint64_t n = below(random, shape.samples + 1); n > 0; n--) {
        into.add(skewed(random, shape.max_value), 1 + below(random, 3));
    }
}

void fill(Random& random, const Shape& shape, L4Row& row) {
    row.bytes_written += skewed(random, shape.max_value);
    row.bytes_read += skewed(random, shape.max_value);
    row.retransmits += below(random, 20) == 0 ? 1 + below(random, 5) : 0;
    row.tcp_established += below(random, 3);
    row.tcp_closed += below(random, 2);
    for (const auto member : {&L4Row::connect_refused, &L4Row::connect_timed_out, &L4Row::connect_unreachable,
                              &L4Row::connect_reset, &L4Row::connect_failed_other}) {
        const std::uint64_t failed = below(random, 20) == 0 ? 1 + below(random, 3) : 0;
        row.*member += failed;
        row.connect_failed += failed;
    }
    add_samples(random, shape, row.rtt);
    add_samples(random, shape, row.rtt_var);
}

L7Key make_request(Random& random, const Shape& shape, BatchBuilder& into) {
    static constexpr const char* kMethods[] = {"GET", "POST", "DELETE"};
    static constexpr std::uint16_t kStatuses[] = {0, 200, 204, 301, 304, 404, 429, 500, 503};
    L7Key key;
    key.flow = into.flow(make_flow(random, shape, into));
    key.method = into.intern(kMethods[below(random, 3)]);
    const std::uint64_t n = below(random, shape.paths);
    key.path =
        into.intern(n == 0 ? "/" : "/orders/" + std::to_string(n) + "/it\"ems<" + std::string(n % 7, 'x'));
    key.status = kStatuses[below(random, std::size(kStatuses))];
    static constexpr HttpVersion kVersions[] = {HttpVersion::http10, HttpVersion::http11, HttpVersion::http2};
    key.version = kVersions[below(random, std::size(kVersions))];
    if (key.version == HttpVersion::http2 && below(random, 2) == 0) {
        key.grpc_status = static_cast<std::int16_t>(below(random, 17));
    }
    key.truncated = below(random, 9) == 0;
    return key;
}

void add_l7_row(Random& random, const Shape& shape, BatchBuilder& into) {
    L7Row& row = into.l7(make_request(random, shape, into));
    row.count += 1 + below(random, 4);
    row.bytes_written += skewed(random, shape.max_value);
    row.bytes_read += skewed(random, shape.max_value);
    add_samples(random, shape, row.latency);
}

void add_dns_row(Random& random, const Shape& shape, BatchBuilder& into) {
    const std::uint32_t flow = into.flow(make_flow(random, shape, into));
    DnsRow& row = into.dns(flow, static_cast<std::int16_t>(static_cast<int>(below(random, 7)) - 1));
    row.count += 1 + below(random, 4);
    add_samples(random, shape, row.latency);
}

void add_slow_row(Random& random, const Shape& shape, BatchBuilder& into, std::int64_t end_ns) {
    const L7Key key = make_request(random, shape, into);
    SlowRow& row = into.add_slow();
    row.flow = key.flow;
    row.method = key.method;
    row.path = row.route = key.path;
    row.status = key.status;
    row.version = key.version;
    row.truncated = key.truncated;
    row.time_ns = end_ns - static_cast<std::int64_t>(below(random, 10 * kSecond));
    for (const auto member :
         {&SlowRow::latency, &SlowRow::total, &SlowRow::retransmits, &SlowRow::rtt, &SlowRow::unread_bytes,
          &SlowRow::unsent_bytes, &SlowRow::network_stall, &SlowRow::connection_age}) {
        row.*member = skewed(random, shape.max_value);
    }
}

std::string text(const Histogram& histogram) {
    std::ostringstream out;
    out << histogram.count() << '/' << histogram.sum() << '/' << histogram.max() << '[';
    for (const auto& bucket : histogram.buckets()) out << bucket.index << 'x' << bucket.count << ' ';
    out << ']';
    return out.str();
}

std::string text(const Batch& batch, const Flow& flow) {
    std::ostringstream out;
    out << flow.local.to_string() << ' ' << flow.local_port << ' ' << flow.remote.to_string() << ' '
        << flow.remote_port << " netns " << flow.netns << " pid " << flow.pid << ' '
        << to_string(flow.transport) << ' ' << to_string(flow.direction) << ' ' << flow.is_v6
        << flow.peer_is_local << " {" << batch.strings[flow.process] << "} {"
        << batch.strings[flow.peer_process] << "} {" << batch.strings[flow.container] << "} {"
        << batch.strings[flow.domain] << "} " << flow.nat.to_string() << ' ' << flow.nat_port;
    return out.str();
}

std::string text(const Batch& batch, const L4Row& row) {
    std::ostringstream out;
    out << batch.host << ' ' << batch.service << ' ' << text(batch, batch.flows[row.flow]) << ' '
        << row.bytes_written << ' ' << row.bytes_read << ' ' << row.retransmits << ' ' << row.tcp_established
        << ' ' << row.tcp_closed << ' ' << row.connect_failed << ' ' << row.connect_refused << ' '
        << row.connect_timed_out << ' ' << row.connect_unreachable << ' ' << row.connect_reset << ' '
        << row.connect_failed_other << ' ' << text(row.rtt) << ' ' << text(row.rtt_var);
    return out.str();
}

std::string text(const Batch& batch, const L7Row& row) {
    std::ostringstream out;
    out << batch.host << ' ' << batch.service << ' ' << text(batch, batch.flows[row.flow]) << ' '
        << batch.strings[row.method] << ' ' << batch.strings[row.path] << ' ' << batch.strings[row.route]
        << ' ' << row.status << ' ' << to_string(row.version) << ' ' << row.truncated << ' '
        << row.grpc_status << ' ' << row.count << ' ' << row.bytes_written << ' ' << row.bytes_read << ' '
        << text(row.latency);
    return out.str();
}

std::string text(const Batch& batch, const DnsRow& row) {
    std::ostringstream out;
    out << batch.host << ' ' << batch.service << ' ' << text(batch, batch.flows[row.flow]) << ' ' << row.rcode
        << ' ' << row.count << ' ' << text(row.latency);
    return out.str();
}

std::string text(const Batch& batch, const SlowRow& row) {
    std::ostringstream out;
    out << text(batch, query::request_of(row)) << ' ' << row.time_ns << ' ' << row.latency << ' ' << row.total
        << ' ' << row.retransmits << ' ' << row.rtt << ' ' << row.unread_bytes << ' ' << row.unsent_bytes
        << ' ' << row.network_stall << ' ' << row.connection_age;
    return out.str();
}

std::string text(const query::Measures& m) {
    std::ostringstream out;
    for (const std::uint64_t n :
         {m.bytes_written, m.bytes_read, m.client_sent, m.server_sent, m.retransmits, m.tcp_established,
          m.tcp_closed, m.connect_failed, m.connect_refused, m.connect_timed_out, m.connect_unreachable,
          m.connect_reset, m.connect_failed_other, m.count, m.status_3xx, m.status_4xx, m.status_5xx,
          m.dns_errors}) {
        out << n << ' ';
    }
    out << text(m.rtt) << text(m.rtt_var) << text(m.latency);
    return out.str();
}

template <typename F>
void for_each_row(const Batch& batch, Layer layer, F f) {
    switch (layer) {
        case Layer::l4: return static_cast<void>(std::for_each(batch.l4.begin(), batch.l4.end(), f));
        case Layer::l7: return static_cast<void>(std::for_each(batch.l7.begin(), batch.l7.end(), f));
        case Layer::dns: return static_cast<void>(std::for_each(batch.dns.begin(), batch.dns.end(), f));
    }
}

bool in_range(const query::TimeRange& range, std::int64_t time) {
    return range.from_ns < time && time <= range.to_ns;
}

// Puts the rows of a batch behind those of another, with flows and strings of their own.
void append(const Batch& from, Batch& into) {
    const auto flows = static_cast<std::uint32_t>(into.flows.size());
    const auto texts = static_cast<StringId>(into.strings.size()) - 1;
    const auto move = [texts](StringId& id) { id += id == 0 ? 0 : texts; };
    for (std::size_t i = 1; i < from.strings.size(); i++)
        into.strings.append(from.strings[static_cast<StringId>(i)]);
    for (Flow flow : from.flows) {
        for (const auto member : {&Flow::process, &Flow::peer_process, &Flow::container, &Flow::domain})
            move(flow.*member);
        into.flows.push_back(flow);
    }
    const auto append_rows = [&]<typename Row>() {
        for (Row row : RowColumns<Row>::rows(from)) {
            row.flow += flows;
            if constexpr (requires { row.path; }) {
                for (const auto member : {&Row::method, &Row::path, &Row::route}) move(row.*member);
            }
            RowColumns<Row>::rows(into).push_back(std::move(row));
        }
    };
    for (const Part part : kRowParts) with_row_type(part, append_rows);
}

using GroupKey = std::pair<std::vector<query::KeyPart>, std::int64_t>;

}  // namespace

TempDirectory::TempDirectory() {
    char name[] = "/tmp/weir-store-test-XXXXXX";
    if (mkdtemp(name) == nullptr) std::abort();
    path_ = name;
}

TempDirectory::~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TempDirectory::names(const std::string& prefix) const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(prefix)) out.push_back(name);
    }
    std::sort(out.begin(), out.end());
    return out;
}

BatchPtr make_batch(Random& random, std::int64_t end_ns, const Shape& shape, std::int64_t length_ns) {
    BatchBuilder builder;
    for (std::size_t i = 0; i < shape.l4_rows; i++) {
        const std::uint32_t flow = builder.flow(make_flow(random, shape, builder));
        fill(random, shape, builder.l4(flow));
    }
    for (std::size_t i = 0; i < shape.l7_rows; i++) add_l7_row(random, shape, builder);
    for (std::size_t i = 0; i < shape.dns_rows; i++) add_dns_row(random, shape, builder);
    for (std::size_t i = 0; i < shape.slow_rows; i++) add_slow_row(random, shape, builder, end_ns);
    std::unique_ptr<Batch> out = builder.take();
    out->begin_ns = end_ns - length_ns;
    out->end_ns = end_ns;
    out->host = "host-a";
    out->service = "ebpf";
    // Any but the one that tests count unreadable rows by.
    const auto loss = static_cast<Loss>(below(random, kLossCount));
    if (loss != Loss::store_unreadable) out->losses[static_cast<std::size_t>(loss)] = below(random, 5);
    for (auto& counter : out->reconciled) {
        if (below(random, 3) != 0) counter = Reconciled{below(random, 100), below(random, 100)};
    }
    return out;
}

std::vector<std::string> describe_rows(const Batch& batch, Layer layer) {
    std::vector<std::string> out;
    for_each_row(batch, layer, [&](const auto& row) { out.push_back(text(batch, row)); });
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::string> describe_slow_rows(const Batch& batch) {
    std::vector<std::string> out;
    for (const SlowRow& row : batch.slow) out.push_back(text(batch, row));
    std::sort(out.begin(), out.end());
    return out;
}

bool same_rows(const Batch& a, const Batch& b) {
    const auto same = [&](Layer layer) { return describe_rows(a, layer) == describe_rows(b, layer); };
    return std::all_of(std::begin(kLayers), std::end(kLayers), same) &&
           describe_slow_rows(a) == describe_slow_rows(b);
}

Encoded::Encoded(const Batch& batch) {
    SegmentWriter writer(1, batch, {});
    entry = make_entry(batch, make_runs(batch, writer.number_rows(batch)), 1);
    SegmentWriter::Marks marks;
    segment = writer.unwritten(marks);
}

std::vector<Block>& Encoded::blocks(Part part) {
    const auto at = std::find(kRowParts.begin(), kRowParts.end(), part) - kRowParts.begin();
    return entry.blocks[static_cast<std::size_t>(at)];
}

std::optional<Batch> Encoded::decode() const {
    Batch out;
    out.host = entry.header.host;
    out.service = entry.header.service;
    for (std::size_t i = 0; i < kRowParts.size(); i++) {
        Segment subjects;
        subjects.begin(kRowParts[i]);
        for (const auto& block : segment) subjects.add(block.key, block.block);
        subjects.end();
        for (const Block& block : entry.blocks[i]) {
            const auto reader = BlockReader::open(block);
            Batch rows;
            std::vector<std::uint8_t> lost;
            if (!reader || reader->part() != kRowParts[i] || !read_rows(*reader, subjects, rows, lost))
                return std::nullopt;
            if (std::find(lost.begin(), lost.end(), 1) != lost.end()) return std::nullopt;
            append(rows, out);
        }
    }
    return out;
}

bool same_measures(const query::Measures& a, const query::Measures& b) { return text(a) == text(b); }

Fixture::Fixture(Options with) : options(std::move(with)) {}

Fixture::~Fixture() { close(); }

Result<std::unique_ptr<Store>> Fixture::try_open() {
    return Store::open(options, clock, Logger([this](LogLevel, std::string_view line) {
                           const std::lock_guard lock(mutex_);
                           log_ += std::string(line) + "\n";
                       }),
                       ledger);
}

void Fixture::open() {
    auto opened = try_open();
    if (!opened) {
        std::fprintf(stderr, "cannot open: %s\n", opened.error().message.c_str());
        std::abort();
    }
    store_ = std::move(*opened);
}

void Fixture::close() { store_.reset(); }

std::string Fixture::log_text() const {
    const std::lock_guard lock(mutex_);
    return log_;
}

// Pairs whose client's row is selected, when the filter may select the other one without it.
std::set<query::FlowPair> Oracle::selected_pairs(const AggregateQuery& query, bool minutes) const {
    std::set<query::FlowPair> out;
    for (const BatchPtr& batch : batches_) {
        if (!in_range(query.range, minutes ? minute_end(batch->end_ns) : batch->end_ns)) continue;
        for_each_row(*batch, query.layer, [&](const auto& row) {
            const Flow& flow = batch->flows[row.flow];
            if (query::is_clients_row_of_pair(flow) && query::matches(query.filter, *batch, row))
                out.insert(query::pair_of(flow));
        });
    }
    return out;
}

AggregateResult Oracle::aggregate(const AggregateQuery& query, bool minutes) const {
    std::map<GroupKey, query::Group> groups;
    AggregateResult out;
    const bool by_pair = query::tells_sides_apart(query.filter);
    const auto pairs = by_pair ? selected_pairs(query, minutes) : std::set<query::FlowPair>();
    const auto is_left_out = [&](const Flow& flow) {
        return query::is_servers_row_of_pair(flow) && (!by_pair || pairs.contains(query::pair_of(flow)));
    };
    for (const BatchPtr& batch : batches_) {
        const std::int64_t time = minutes ? minute_end(batch->end_ns) : batch->end_ns;
        if (!in_range(query.range, time)) continue;
        for (std::size_t i = 0; i < kLossCount; i++) out.losses[i] += batch->losses[i];
        add_reconciled(out.reconciled, batch->reconciled);
        for_each_row(*batch, query.layer, [&](const auto& row) {
            const Flow& flow = batch->flows[row.flow];
            if (query.each_flow_once && is_left_out(flow)) return;
            if (!query::matches(query.filter, *batch, row)) return;
            query::Group group;
            for (const auto& dimension : query.by)
                group.key.push_back(query::key_part(dimension, *batch, row));
            if (query.step_ns > 0) group.time_ns = (time - 1) / query.step_ns * query.step_ns;
            auto& into = groups.try_emplace({group.key, group.time_ns}, group).first->second;
            into.rows++;
            into.measures.add(flow, row);
            out.totals.add(flow, row);
        });
    }
    for (auto& [key, group] : groups) out.groups.push_back(std::move(group));
    std::map<std::vector<query::KeyPart>, int> keys;
    for (const auto& group : out.groups) keys[group.key]++;
    out.group_count = keys.size();
    return out;
}

std::vector<std::string> Oracle::records(const query::RecordQuery& query) const {
    std::vector<std::string> out;
    std::vector<BatchPtr> newest(batches_.rbegin(), batches_.rend());
    for (const BatchPtr& batch : newest) {
        if (!in_range(query.range, batch->end_ns)) continue;
        const auto first = static_cast<std::ptrdiff_t>(out.size());
        const auto take = [&](const auto& row) {
            if (!query::matches(query.filter, *batch, row)) return;
            out.push_back(std::to_string(batch->end_ns) + " " + text(*batch, row));
        };
        if (query.slow) {
            std::for_each(batch->slow.begin(), batch->slow.end(), take);
        } else {
            for_each_row(*batch, query.layer, take);
        }
        std::sort(out.begin() + first, out.end());
    }
    return out;
}

void sort_within_intervals(std::vector<std::string>& records) {
    const auto time_of = [](const std::string& record) { return record.substr(0, record.find(' ')); };
    for (auto first = records.begin(); first != records.end();) {
        const std::string time = time_of(*first);
        const auto last =
            std::find_if(first, records.end(), [&](const auto& r) { return time_of(r) != time; });
        std::sort(first, last);
        first = last;
    }
}

std::string difference(const AggregateResult& got, const AggregateResult& expected, bool rows) {
    std::ostringstream out;
    if (got.group_count != expected.group_count)
        out << "group_count " << got.group_count << " not " << expected.group_count << '\n';
    if (!same_measures(got.totals, expected.totals)) {
        out << "totals " << text(got.totals) << "\n   not " << text(expected.totals) << '\n';
    }
    if (got.losses != expected.losses) out << "losses differ\n";
    for (std::size_t i = 0; i < kKernelCounters; i++) {
        const auto& a = got.reconciled[i];
        const auto& b = expected.reconciled[i];
        if (a.has_value() != b.has_value() || (a && (a->kernel != b->kernel || a->seen != b->seen)))
            out << "reconciled " << kKernelCounterNames[i] << " differs\n";
    }
    std::map<GroupKey, const query::Group*> found;
    for (const auto& group : got.groups) {
        if (!found.emplace(GroupKey{group.key, group.time_ns}, &group).second) out << "a group twice\n";
    }
    for (const auto& group : expected.groups) {
        const auto at = found.find({group.key, group.time_ns});
        std::string name;
        for (const auto& part : group.key) name += part.text + " ";
        if (at == found.end()) {
            out << "no group " << name << group.time_ns << '\n';
            continue;
        }
        if (!same_measures(at->second->measures, group.measures)) {
            out << "group " << name << ' ' << text(at->second->measures) << "\n  not " << text(group.measures)
                << '\n';
        }
        if (rows && at->second->rows != group.rows)
            out << "group " << name << "has " << at->second->rows << " rows\n";
    }
    if (got.groups.size() != expected.groups.size())
        out << got.groups.size() << " groups, not " << expected.groups.size() << '\n';
    return out.str();
}

std::string describe_record(const query::RecordPage& page, std::size_t i, Layer layer) {
    const auto& record = page.order[i];
    const std::string time = std::to_string(record.time_ns) + " ";
    if (!page.rows.slow.empty()) return time + text(page.rows, page.rows.slow[record.row]);
    switch (layer) {
        case Layer::l4: return time + text(page.rows, page.rows.l4[record.row]);
        case Layer::l7: return time + text(page.rows, page.rows.l7[record.row]);
        case Layer::dns: break;
    }
    return time + text(page.rows, page.rows.dns[record.row]);
}

}  // namespace weir::store::test
