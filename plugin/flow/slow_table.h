// The slowest requests of each server and minute, with what their sockets said.
//
// A minute is made of intervals, and what an interval has reported stays reported: of each interval those
// are kept that are among the slowest of the minute so far.
//
// Owned by one thread; no locks.
#pragma once

#include <tsl/robin_map.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plugin/base/bytes_hash.h"
#include "plugin/base/ledger.h"
#include "plugin/flow/batch.h"
#include "plugin/flow/request.h"
#include "plugin/flow/route_table.h"

namespace weir {

// What the network explains of a latency at most, in ns. The server's end sees nothing of it: it waits
// neither for the request's first byte nor for its own answer's way. The client's end waits for one round
// trip and for whatever was sent again in the meantime: for the retransmission timer where there was time
// for it (its least value is 200 ms, RFC 6298 as Linux has it), for two round trips otherwise.
std::uint64_t network_stall(const Request& request);

class SlowTable {
public:
    struct Limits {
        std::size_t per_server = 5;
        std::size_t servers = 2048;
    };

    // The ledger must outlive the table.
    explicit SlowTable(Ledger& ledger) : ledger_(ledger) {}
    SlowTable(Ledger& ledger, Limits limits) : limits_(limits), ledger_(ledger) {}

    // Whether a request is kept: its row is then to be filled in by the caller, who owns its texts. Valid
    // until the next call; null when it is not slow enough. `time_ns` tells the minute.
    SlowRow* add(const ServerKey& server, bool is_server, std::uint64_t latency, std::uint64_t time_ns);

    // Calls take(row) for each row of the interval, and begins the next one.
    template <typename F>
    void drain(F take) {
        for (auto at = servers_.begin(); at != servers_.end();) {
            Server& server = at.value();
            for (const SlowRow& row : server.rows) take(row);
            const bool is_idle = server.rows.empty();
            server.rows.clear();
            at = is_idle ? servers_.erase(at) : std::next(at);
        }
    }

private:
    struct Server {
        std::uint64_t minute = 0;
        std::vector<std::uint64_t> latencies;  // the slowest of the minute, ascending
        std::vector<SlowRow> rows;             // of the interval
    };

    const Limits limits_ = {};
    Ledger& ledger_;
    tsl::robin_map<ServerKey, Server, BytesHash<ServerKey>, BytesEqual<ServerKey>> servers_;
};

}  // namespace weir
