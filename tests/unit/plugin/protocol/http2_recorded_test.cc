// What real programs said to each other (tests/fuzz/corpus/http2), fed in every way it may come.
#include <criterion/criterion.h>

#include <algorithm>

#include "tests/unit/plugin/protocol/http2_recording.h"
#include "tests/unit/plugin/protocol/http2_wire.h"

using namespace weir::protocol;
using namespace weir::test;

namespace {

using Recording = Http2Recording;
using Piece = Http2Recording::Piece;

// A connection that began as HTTP/1.1: what passed before it was upgraded is not HTTP/2's.
void take_upgrade(Recording& recording, Watched& w) {
    const auto first_sent = std::find_if(recording.pieces.begin(), recording.pieces.end(),
                                         [](const Piece& piece) { return piece.from_client; });
    if (kHttp2Preface.starts_with(first_sent->bytes.substr(0, 3))) return;
    Http2Request first;
    first.method = "GET";
    first.path = "/a.txt";
    first.begin_ns = 1;
    for (const bool from_client : {true, false}) {
        std::string head;
        for (Piece& piece : recording.pieces) {
            if (piece.from_client != from_client) continue;
            head += std::exchange(piece.bytes, "");
            const std::size_t end = head.find("\r\n\r\n");
            if (end == std::string::npos) continue;
            piece.bytes = head.substr(end + 4);
            w.miss(from_client, end + 4);
            (from_client ? first.request_bytes : first.response_bytes) = end + 4;
            break;
        }
    }
    w.connection.begin_upgraded(&first);
}

void expect_all(const Recording& recording, Watched& w, const char* name, std::size_t cut) {
    w.connection.close();
    auto texts = w.log.texts();
    std::sort(texts.begin(), texts.end());
    cr_assert(texts == recording.expected, "%s cut at %zu: %zu requests, first %s", name, cut, texts.size(),
              texts.empty() ? "" : texts[0].c_str());
    cr_assert_eq(w.log.lost(Http2Loss::bytes_missing), 0u, "%s cut at %zu", name, cut);
    cr_assert_eq(w.log.lost(Http2Loss::headers_unknown), 0u, "%s cut at %zu", name, cut);
}

}  // namespace

Test(http2_recorded, as_it_was) {
    for (const auto& name : kHttp2Recordings) {
        Recording recording = read_http2_recording(name);
        Watched w;
        take_upgrade(recording, w);
        for (const Piece& piece : recording.pieces) w.feed(piece.from_client, piece.bytes);
        const std::size_t open = w.connection.stream_count();
        expect_all(recording, w, name, 0);
        cr_assert_eq(open, 0u, "%s: every stream was seen to end", name);
        for (const auto& entry : w.log.entries) {
            cr_assert_gt(entry.request.begin_ns, 0u);
            cr_assert_geq(entry.request.response_ns, entry.request.begin_ns);
            cr_assert_geq(entry.request.end_ns, entry.request.response_ns);
        }
    }
}

Test(http2_recorded, byte_by_byte) {
    for (const auto& name : kHttp2Recordings) {
        Recording recording = read_http2_recording(name);
        Watched w;
        take_upgrade(recording, w);
        for (const Piece& piece : recording.pieces) {
            for (const char& byte : piece.bytes) w.feed(piece.from_client, {&byte, 1});
        }
        expect_all(recording, w, name, 1);
    }
}

Test(http2_recorded, cut_at_every_byte) {
    for (const auto& name : kHttp2Recordings) {
        const std::size_t size = read_http2_recording(name).size;
        for (std::size_t cut = 1; cut < size; cut++) {
            Recording recording = read_http2_recording(name);
            Watched w;
            take_upgrade(recording, w);
            std::size_t at = 0;
            for (const Piece& piece : recording.pieces) {
                const std::size_t first =
                    cut > at && cut < at + piece.bytes.size() ? cut - at : piece.bytes.size();
                w.feed(piece.from_client, std::string_view(piece.bytes).substr(0, first));
                if (first != piece.bytes.size())
                    w.feed(piece.from_client, std::string_view(piece.bytes).substr(first));
                at += piece.bytes.size();
            }
            expect_all(recording, w, name, cut);
        }
    }
}

Test(http2_recorded, joined_at_every_piece) {
    for (const auto& name : kHttp2Recordings) {
        const Recording recording = read_http2_recording(name);
        for (std::size_t from = 1; from < recording.pieces.size(); from++) {
            Watched w;
            for (std::size_t i = 0; i < recording.pieces.size(); i++) {
                const Piece& piece = recording.pieces[i];
                if (i < from) {
                    w.miss(piece.from_client, piece.bytes.size());
                } else {
                    w.feed(piece.from_client, piece.bytes);
                }
            }
            w.connection.close();
            cr_assert_leq(w.log.count, recording.expected.size(), "%s from %zu", name, from);
            // nothing is made up: what is said is said of a request that there was
            for (const std::string& text : w.log.texts()) {
                const bool is_true =
                    text.find("unknown") != std::string::npos ||
                    std::any_of(recording.expected.begin(), recording.expected.end(), [&](const auto& e) {
                        return e.substr(0, e.find(' ', 5)) == text.substr(0, text.find(' ', 5));
                    });
                cr_assert(is_true, "%s from %zu: %s", name, from, text.c_str());
            }
        }
    }
}

Test(http2_recorded, any_piece_but_the_clients_first_may_be_lost) {
    for (const auto& name : kHttp2Recordings) {
        Recording recording = read_http2_recording(name);
        const auto first = std::find_if(recording.pieces.begin(), recording.pieces.end(),
                                        [](const Piece& piece) { return piece.from_client; });
        for (std::size_t lost = 0; lost < recording.pieces.size(); lost++) {
            if (lost == static_cast<std::size_t>(first - recording.pieces.begin())) continue;
            Recording copy = recording;
            Watched w;
            take_upgrade(copy, w);
            for (std::size_t i = 0; i < copy.pieces.size(); i++) {
                const Piece& piece = copy.pieces[i];
                if (i == lost) {
                    w.miss(piece.from_client, piece.bytes.size());
                } else {
                    w.feed(piece.from_client, piece.bytes);
                }
            }
            w.connection.close();
            cr_assert_eq(w.log.count, recording.expected.size(), "%s without piece %zu: %zu", name, lost,
                         static_cast<std::size_t>(w.log.count));
        }
    }
}
