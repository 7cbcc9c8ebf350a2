// Where facts come from: the kernel, by whichever means this machine offers, or a recording.
//
// A source yields the records of bpf/events.h. All calls but capabilities() are made by one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/events.h"
#include "plugin/base/status.h"

namespace weir {

class RecordSink {
public:
    virtual ~RecordSink() = default;
    virtual void on_tcp(const weir_tcp_record& record) = 0;
    // `head` is the record's head, checked to lie inside what was received.
    virtual void on_http(const weir_http_record& record, std::string_view head) = 0;
    virtual void on_udp(const weir_udp_record& record) = 0;
    // Only the members before `data` are filled in; `data` is checked to lie inside what was received.
    virtual void on_dns(const weir_dns_record& record, std::span<const std::uint8_t> data) = 0;
    // Likewise. Sinks that do not follow HTTP/2 leave it.
    virtual void on_chunk(const weir_chunk_record&, std::span<const std::uint8_t> /*data*/) {}
};

struct Capabilities {
    std::string tier;  // "tracepoint", "recording"
    std::string why;   // one sentence
    bool tcp = false;
    bool http = false;
    bool udp = false;
    bool dns = false;
    bool calls_on_demand = false;  // UDP and DNS are followed while follow_calls() asks for it
};

class Source {
public:
    virtual ~Source() = default;

    // All or nothing: on failure whatever was loaded or attached is gone again.
    virtual Status start() = 0;
    // Becomes readable when records should be drained before the next tick; -1 when there is no such thing.
    virtual int wake_fd() const = 0;
    // Hands over what has happened so far.
    virtual void drain(RecordSink& sink) = 0;
    // Ends an interval: drains, then hands over what live connections have moved since the last time. What is
    // left to the next sweep because its owner is not known yet comes with the last one as it is.
    virtual void sweep(RecordSink& sink, bool last) = 0;
    // Detaches everything. What happened until now can still be had by a last sweep before it.
    virtual void stop() = 0;
    // Whether sends and receives are looked at, where a source can do without; on at the start unless
    // Capabilities::calls_on_demand says otherwise.
    virtual void follow_calls(bool) {}
    // Processes, by name, of which nobody wants to know: a source may spare itself looking at what they send and
    // receive. Replaces those of before; to be called between start() and stop().
    virtual void pass_by(const std::vector<std::string>&) {}
    virtual Capabilities capabilities() const = 0;
};

// Checks a record of `size` bytes and hands it to the sink. False when it makes no sense.
bool dispatch_record(const void* data, std::size_t size, RecordSink& sink);

}  // namespace weir
