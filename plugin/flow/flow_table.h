// Adds records up to flows, one interval at a time.
//
// A flow is what its key says: both ends, ports (the client's ephemeral one folded), namespace,
// process. The table has a ceiling; over it the smallest flows fold into one "~other" for each direction and
// transport (see fold.h), so totals stay exact. finish() turns the interval into a Batch and begins the next.
//
// Owned by one thread; no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/ledger.h"
#include "plugin/flow/batch.h"
#include "plugin/flow/batch_builder.h"
#include "plugin/flow/dns_tracker.h"
#include "plugin/flow/flow_filter.h"
#include "plugin/flow/http2_table.h"
#include "plugin/flow/identity.h"
#include "plugin/flow/request.h"
#include "plugin/flow/route_table.h"
#include "plugin/flow/seen_counts.h"
#include "plugin/flow/slow_table.h"
#include "plugin/source/source.h"

namespace weir {

struct FlowOptions {
    std::string host;
    std::string service;
    std::uint16_t ephemeral_port = 10001;  // client ports from here on fold; 0 = none do
    bool drop_loopback = true;
    bool drop_v6 = false;
    bool drop_tcp = false;         // connections; their requests stay
    std::size_t max_rows = 65536;  // of an interval, for each layer
    DnsOptions dns;
    std::shared_ptr<const FlowFilter> filter;  // of what is left out, null: nothing
    RouteOptions routes;
    std::vector<std::string> redact;  // rules of protocol::Redaction
};

class FlowTable final : public RecordSink, private DnsListener, private RequestSink {
public:
    // The ledger, and the identity where there is one, must outlive the table.
    FlowTable(FlowOptions options, Ledger& ledger, Identity* identity = nullptr);
    ~FlowTable() override;

    void on_tcp(const weir_tcp_record& record) override;
    void on_http(const weir_http_record& record, std::string_view head) override;
    void on_udp(const weir_udp_record& record) override;
    void on_dns(const weir_dns_record& record, std::span<const std::uint8_t> data) override;
    void on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data) override;

    // Ends what waits too long at boot time `now`; called before finish().
    void expire(std::uint64_t now);

    // The interval's product, losses not filled in. The table is empty afterwards.
    std::unique_ptr<Batch> finish(std::int64_t begin_ns, std::int64_t end_ns);

    // What was seen since the last time of what the kernel counts, too.
    SeenCounts::ByNetns take_seen() { return seen_.take(); }

    // Records that the filter has left out since the start.
    std::uint64_t filtered() const { return filtered_; }

    // Takes effect from the next record on.
    void set_options(FlowOptions options);

private:
    struct Memory;  // what outlives an interval

    void on_lookup(const weir_conn_id& asked, std::int16_t rcode, std::uint64_t latency) override;
    void on_answer(const weir_conn_id& id, const protocol::DnsMessage& answer, std::uint64_t time) override;

    std::uint32_t why_failed(const weir_tcp_record& record);
    weir_conn_id with_source(const weir_conn_id& id);
    bool is_dropped(const weir_conn_id& id);
    void fold_client_port(std::uint16_t& port) const;
    bool is_client_local(const weir_conn_id& id);
    Flow flow_of(const weir_conn_id& id, const std::optional<Translation>& translation);
    StringId intern(std::string_view text);
    std::uint32_t find_flow(const weir_conn_id& id);
    std::uint32_t known_flow(const weir_conn_id& key);
    void add_http(const weir_http_record& record, std::string_view head);
    void on_request(const weir_conn_id& id, const Request& request) override;
    L7Row& find_request(std::uint32_t flow, const Request& request);
    std::uint32_t find_other(const weir_conn_id& like);
    void make_room();
    void fold_early();
    std::unique_ptr<Batch> fold(std::unique_ptr<Batch> batch);
    bool join_twins();
    void note_slow(const L7Row& row, const Request& request);
    void report_slow();
    // Requests of a flow that are told apart by their status class only.
    L7Row& folded_requests(std::uint32_t flow, std::uint16_t status);
    void learn_local_ends(const Batch& batch);
    void name_local_peers(Batch& batch);

    FlowOptions options_;
    bool drops_any_ = false;
    Ledger& ledger_;
    Identity* const identity_;
    DnsTracker dns_;
    SeenCounts seen_;
    std::uint64_t filtered_ = 0;
    std::uint64_t now_ = 0;  // boot time of the record in work
    BatchBuilder rows_;
    std::unique_ptr<Memory> memory_;
    Http2Table http2_;
    SlowTable slow_;
    std::uint64_t interval_end_ = 0;  // boot time
    std::string scratch_;
};

}  // namespace weir
