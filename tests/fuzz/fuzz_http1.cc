// The kernel side's HTTP, in user space, fed with calls that move any bytes.
//
// Input: u8, 1 = this end is the server, 2 = joined midway; then calls: u8 flags, u8 length, bytes.
#include "tests/fuzz/input.h"
#include "tests/unit/bpf/native_stream.h"

namespace {

enum Flags : std::uint8_t {
    kFromClient = 1,
    kWalk = 2,        // comes by afterwards
    kUnreadable = 4,  // as many bytes, times 256
    kRingFull = 8,
    kVectors = 16,  // in three parts
    kLong = 32,     // the bytes eight times
};

class Sink final : public weir::RecordSink {
public:
    void on_tcp(const weir_tcp_record&) override {}
    void on_udp(const weir_udp_record&) override {}
    void on_dns(const weir_dns_record&, std::span<const std::uint8_t>) override {}
    void on_http(const weir_http_record& record, std::string_view head) override {
        bytes += record.request_bytes + record.response_bytes;
        weir::fuzz::check(head.find('?') == std::string_view::npos, "no query string leaves the kernel side");
        weir::fuzz::check(record.latencies <= record.count, "no more latencies than requests");
        weir::fuzz::check(record.latency_max <= record.latency_sum, "the slowest is one of them");
        if (record.count == 0) return;
        weir::fuzz::check(record.status == 0 || (record.status >= 100 && record.status <= 999), "a status");
        weir::fuzz::check(weir::protocol::parse_request_head(head, record.method_len).has_value(), "a head");
    }
    void on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data) override {
        weir::fuzz::check(data.size() == record.len, "a chunk as long as it says");
    }

    std::uint64_t bytes = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::fuzz::Input input(data, size);
    const std::uint8_t kind = input.byte();
    Sink sink;
    std::uint64_t moved = 0;
    {
        weir::test::NativeEnd end((kind & 1) != 0, (kind & 2) != 0, sink);
        while (!input.is_empty()) {
            const std::uint8_t flags = input.byte();
            const std::size_t n = input.byte();
            const bool from_client = (flags & kFromClient) != 0;
            native_set_ring_full((flags & kRingFull) != 0);
            if ((flags & kUnreadable) != 0) {
                end.unreadable(from_client, n * 256 + 1);
                moved += n * 256 + 1;
            } else {
                const std::string_view part = input.bytes(n);
                std::string bytes(part);
                for (int i = 0; (flags & kLong) != 0 && i < 7; i++) bytes += part;
                const std::string_view all = bytes;
                const std::size_t third = bytes.size() / 3;
                moved += bytes.size();
                if (bytes.empty()) continue;
                if ((flags & kVectors) != 0) {
                    end.call(from_client,
                             {all.substr(0, third), all.substr(third, third), all.substr(2 * third)});
                } else {
                    end.call(from_client, all);
                }
            }
            if ((flags & kWalk) != 0) end.walk();
        }
    }
    native_set_ring_full(0);
    weir::fuzz::check(sink.bytes <= moved, "no more bytes than were moved");
    return 0;
}
