// DNS messages, and streams of them, from any bytes.
//
// Input: u8, 1 = a stream; then a message, or pieces of a stream: u8 flags, 1 = cut behind it; u8 length,
// bytes.
#include "plugin/protocol/dns.h"
#include "tests/fuzz/input.h"

namespace {

using namespace weir::protocol;

std::span<const std::uint8_t> span_of(std::string_view bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

void read_message(std::span<const std::uint8_t> bytes) {
    const auto message = parse_dns(bytes);
    if (!message) return;
    // a name has at most 255 bytes, each written as four characters at most
    weir::fuzz::check(message->name.size() <= 4 * 255, "a bounded name");
    for (const char c : message->name) weir::fuzz::check(c > ' ' && c <= '~', "a printable name");
    weir::fuzz::check(message->records.size() <= bytes.size() / 11, "no more records than bytes can hold");
    weir::fuzz::check(dns_answers(*message).size() <= message->records.size(), "answers are records");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::fuzz::Input input(data, size);
    if ((input.byte() & 1) == 0) {
        const std::string_view rest = input.bytes(size);
        const std::vector<std::uint8_t> copy(rest.begin(), rest.end());  // of its own, for the sanitizer
        read_message(copy);
        return 0;
    }
    DnsStream stream;
    while (!input.is_empty()) {
        const bool is_cut = (input.byte() & 1) != 0;
        stream.feed(span_of(input.bytes(input.byte())), is_cut, read_message);
    }
    return 0;
}
