// The HTTP/2 connections that are being followed: chunks of their bytes go in, requests come out.
//
// A connection begins with its first chunk and ends with its last, or when it has to make room: the one
// that was quiet for longest goes, and what it had open is reported as it is. All of them together stay
// within a number and within an amount of memory.
//
// A connection may begin as HTTP/1.1 and be upgraded. Its first request then comes as an HTTP/1 record
// with status 101, and is answered as stream 1. Such records are held back until the interval's end, so
// that the request is reported once, with the status that it got.
//
// Owned by one thread; no locks.
#pragma once

#include <tsl/robin_map.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string_view>
#include <vector>

#include "bpf/events.h"
#include "plugin/base/ledger.h"
#include "plugin/flow/request.h"
#include "plugin/protocol/http2.h"

namespace weir {

struct Http2Limits {
    std::size_t connections = 4096;
    std::size_t bytes = std::size_t{32} << 20;
};

class Http2Table {
public:
    // The sink, called from within the calls below, and the ledger must outlive the table.
    Http2Table(RequestSink& sink, Ledger& ledger, Http2Limits limits = {});
    ~Http2Table();
    Http2Table(const Http2Table&) = delete;
    Http2Table& operator=(const Http2Table&) = delete;

    void on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data);

    // Takes the record of a request that may turn out to be stream 1 of a connection to come. False when
    // it is none, or there is no room.
    bool hold(const weir_http_record& record);
    // Records that were held back for nothing: to be reported as they are.
    std::vector<weir_http_record> release();

    // Ends an interval at this boot time: reports bytes of requests that go on, and gives up those whose end
    // seems lost.
    void flush(std::uint64_t now_ns);

    std::size_t connection_count() const { return by_cookie_.size(); }

private:
    class Connection;
    using Connections = std::list<Connection>;  // the one used last is the first

    Connection& find_or_begin(const weir_chunk_record& record);
    void begin_upgraded(Connection& connection, const weir_chunk_record& record);
    void make_room();
    void end(Connections::iterator connection);

    RequestSink& sink_;
    Ledger& ledger_;
    const Http2Limits limits_;
    protocol::MemoryBudget budget_;
    Connections connections_;
    tsl::robin_map<std::uint64_t, Connections::iterator> by_cookie_;
    std::vector<weir_http_record> held_;
};

}  // namespace weir
