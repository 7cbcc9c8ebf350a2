// HTTP/2 from the calls that move its bytes to rows of a batch: the kernel side's own code in user space, and
// what user space makes of its chunks. The bytes are those of real programs, cut in every way.
#include <criterion/criterion.h>

#include <algorithm>

#include "plugin/flow/flow_table.h"
#include "tests/unit/bpf/native_stream.h"
#include "tests/unit/plugin/protocol/http2_recording.h"

using namespace weir;
using namespace weir::test;

namespace {

struct Outcome {
    std::vector<std::string> requests;  // as in Http2Recording::expected
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    LossCounts losses{};
};

Outcome outcome_of(FlowTable& table, const Ledger& ledger) {
    Outcome out;
    const auto batch = table.finish(1, 2);
    for (const L7Row& row : batch->l7) {
        out.count += row.count;
        out.bytes += row.bytes_read + row.bytes_written;
        const std::string text = std::string(batch->strings[row.method]) + " " +
                                 std::string(batch->strings[row.path]) + " " + std::to_string(row.status) +
                                 " " + std::to_string(row.grpc_status);
        out.requests.insert(out.requests.end(), row.count, text);
    }
    std::sort(out.requests.begin(), out.requests.end());
    out.losses = ledger.totals();
    return out;
}

FlowOptions options() {
    FlowOptions out;
    out.drop_loopback = false;
    return out;
}

// The first call of each direction moves at least as much as tells HTTP/2 from anything else: what programs
// send first they send at once.
constexpr std::size_t kFirstCall = 24;

// `cut` says how many bytes of `left` the next call takes; `before` is called with each call's number.
template <typename Cut, typename Before>
Outcome follow(const Http2Recording& recording, bool is_server, Cut cut, Before before) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    NativeEnd end(is_server, false, table);
    std::size_t number = 0;
    bool is_first[] = {true, true};
    for (const auto& piece : recording.pieces) {
        for (std::size_t at = 0; at < piece.bytes.size();) {
            const std::size_t left = piece.bytes.size() - at;
            const bool is_begin = std::exchange(is_first[piece.from_client], false);
            const std::size_t least = is_begin ? kFirstCall : 1;
            const std::size_t n = std::min(std::max(cut(left), least), left);
            before(number++);
            end.call(piece.from_client, std::string_view(piece.bytes).substr(at, n));
            at += n;
        }
    }
    native_set_ring_full(0);
    end.close();
    return outcome_of(table, ledger);
}

template <typename Cut>
void expect_all(const Http2Recording& recording, const char* name, std::size_t at, Cut cut) {
    for (const bool is_server : {true, false}) {
        const Outcome outcome = follow(recording, is_server, cut, [](std::size_t) {});
        cr_assert(outcome.requests == recording.expected, "%s cut at %zu: %zu requests, first %s", name, at,
                  outcome.requests.size(), outcome.requests.empty() ? "" : outcome.requests[0].c_str());
        cr_assert(outcome.losses == LossCounts{}, "%s cut at %zu", name, at);
        // what comes after the last response belongs to no request any more
        cr_assert(outcome.bytes <= recording.size && outcome.bytes + 300 > recording.size,
                  "%s cut at %zu: %lu of %zu", name, at, outcome.bytes, recording.size);
    }
}

// HTTP/2 begins once more behind the 101, where the rule for first calls holds again.
bool is_upgraded(std::string_view name) { return name == "upgrade"; }

}  // namespace

Test(http2_streams, recordings_as_they_were) {
    for (const auto& name : kHttp2Recordings) {
        expect_all(read_http2_recording(name), name, 0, [](std::size_t left) { return left; });
    }
}

Test(http2_streams, recordings_cut_at_every_byte) {
    for (const auto& name : kHttp2Recordings) {
        if (is_upgraded(name)) continue;
        const Http2Recording recording = read_http2_recording(name);
        // of the long ones every seventh
        for (std::size_t at = 1; at<recording.size; at += recording.size> 5000 ? 7 : 1) {
            expect_all(recording, name, at, [at, passed = std::size_t{0}](std::size_t left) mutable {
                const std::size_t n = passed < at && at < passed + left ? at - passed : left;
                passed += n;
                return n;
            });
        }
    }
}

Test(http2_streams, recordings_in_small_pieces) {
    for (const auto& name : kHttp2Recordings) {
        if (is_upgraded(name)) continue;
        const Http2Recording recording = read_http2_recording(name);
        for (const std::size_t n : {1u, 2u, 3u, 5u, 8u, 9u, 10u, 24u, 64u}) {
            expect_all(recording, name, n, [n](std::size_t) { return n; });
        }
    }
}

// What finds the ring full is missing from the connection's bytes, and its requests are counted all the same.
Test(http2_streams, any_call_may_find_the_ring_full) {
    for (const auto& name : kHttp2Recordings) {
        if (is_upgraded(name)) continue;  // its first request is HTTP/1's: counted by the fold
        const Http2Recording recording = read_http2_recording(name);
        const auto first = std::find_if(recording.pieces.begin(), recording.pieces.end(),
                                        [](const auto& piece) { return piece.from_client; });
        const auto skipped = static_cast<std::size_t>(first - recording.pieces.begin());
        for (std::size_t lost = 0; lost < recording.pieces.size(); lost++) {
            if (lost == skipped) continue;
            const Outcome outcome = follow(
                recording, lost % 2 == 0, [](std::size_t left) { return left; },
                [&](std::size_t call) { native_set_ring_full(call == lost); });
            cr_assert_eq(outcome.count, recording.expected.size(), "%s without call %zu: %lu", name, lost,
                         outcome.count);
        }
    }
}
