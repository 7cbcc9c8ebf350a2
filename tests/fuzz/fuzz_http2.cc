// An HTTP/2 connection from any bytes, with any of them missing.
//
// Input: pieces: u8 flags, u16 length, little-endian, bytes; 1 = from the client, 2 = as many bytes are
// missing (and none follow), 4 = an interval ends.
#include <optional>

#include "plugin/protocol/http2.h"
#include "tests/fuzz/input.h"

namespace {

using namespace weir::protocol;

constexpr std::size_t kStreams = 32;
constexpr std::size_t kBudget = 256 << 10;

class Sink final : public Http2Sink {
public:
    void on_request(const Http2Request& request) override {
        using weir::fuzz::check;
        check(request.path.size() <= kMaxHttp2Path && request.method.size() <= kMaxHttp2Method,
              "bounded texts");
        check(request.response_ns == 0 || request.response_ns >= request.begin_ns, "no negative latency");
        check(request.status < 1000, "a status");
        bytes += request.request_bytes + request.response_bytes;
        requests++;
    }
    void on_loss(Http2Loss, std::uint64_t) override {}

    std::uint64_t bytes = 0;
    std::uint64_t requests = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::fuzz::Input input(data, size);
    MemoryBudget budget(kBudget);
    Sink sink;
    std::uint64_t offset[2] = {}, time = 0, moved = 0;
    {
        Http2Connection connection(budget, sink, {.streams = kStreams, .damaged_ns = 5000});
        while (!input.is_empty()) {
            const std::uint8_t flags = input.byte();
            const std::size_t n = input.number();
            const std::size_t side = flags & 1;
            time += 1000;
            if ((flags & 4) != 0) connection.flush(time);
            if ((flags & 2) != 0) {
                offset[side] += n;
                moved += n;
                continue;
            }
            const std::string_view bytes = input.bytes(n);
            connection.feed({side == 1, time, offset[side], bytes});
            offset[side] += bytes.size();
            moved += bytes.size();
            weir::fuzz::check(connection.stream_count() <= kStreams, "bounded streams");
            weir::fuzz::check(budget.used() <= kBudget, "bounded memory");
        }
        connection.close();
    }
    // the length of a last frame is believed
    weir::fuzz::check(sink.bytes <= moved + (sink.requests << 24), "no more bytes than were moved");
    weir::fuzz::check(budget.used() == 0, "everything is given back");
    return 0;
}
