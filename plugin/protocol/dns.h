// DNS messages (RFC 1035, with the extended rcode of RFC 6891) out of bytes, and out of a TCP stream of
// bytes. Pure; the bytes are hostile: compression pointers only lead backward, so no name loops, and counts
// are believed only as far as there are bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::protocol {

inline constexpr std::uint16_t kDnsA = 1;
inline constexpr std::uint16_t kDnsCname = 5;
inline constexpr std::uint16_t kDnsAaaa = 28;
inline constexpr std::uint16_t kDnsClassIn = 1;

// An A, AAAA or CNAME of the answer section.
struct DnsRecord {
    std::string owner;
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;                   // s
    std::array<std::uint8_t, 16> address{};  // of A and AAAA; IPv4 mapped
    std::string target;                      // of CNAME
};

// Names are in lower case without the final dot ("." is the root); what is not a printable ASCII character is
// written \DDD, and a dot or backslash inside a label has a backslash before it.
struct DnsMessage {
    std::uint16_t id = 0;
    bool is_response = false;
    bool is_truncated = false;  // the server says that it had more to say
    bool is_cut = false;        // bytes end before the message does: `records` may be too few
    std::uint8_t opcode = 0;    // 0 = query
    std::uint16_t rcode = 0;
    std::string name;  // of the question; empty when there is none, as in some errors
    std::uint16_t type = 0;
    std::uint16_t question_class = 0;
    std::vector<DnsRecord> records;
};

// Needs the header and the whole question; the records that follow are read as far as the bytes reach.
// Nothing when it is no DNS message.
std::optional<DnsMessage> parse_dns(std::span<const std::uint8_t> bytes);

// An address that the question's name leads to.
struct DnsAnswer {
    std::array<std::uint8_t, 16> address{};
    std::uint32_t ttl = 0;  // the least on the way
};

// Follows the chain of CNAMEs from the question. Records that it does not lead to are no answer to what was
// asked, and left out.
std::vector<DnsAnswer> dns_answers(const DnsMessage& message);

// One direction of a TCP connection: messages with their length in two bytes before each (RFC 1035, 4.2.2),
// over any split.
class DnsStream {
public:
    using OnMessage = std::function<void(std::span<const std::uint8_t>)>;

    // `bytes` passed; `is_cut` says that after them more passed which was not kept. Hands over messages that
    // are complete, and cut ones; the span is valid during the call. Where the stream makes no sense (its
    // begin was not seen, or something between is missing), it waits for a chunk that is a message, or the
    // length of one.
    void feed(std::span<const std::uint8_t> bytes, bool is_cut, const OnMessage& on_message);

    // Nothing is waiting for its rest.
    bool is_idle() const { return header_ == 0 && !is_lost_; }

private:
    // Of longer messages only this much is kept: the question and the first records are what matters.
    static constexpr std::size_t kMaxKept = 4096;

    std::size_t take(std::span<const std::uint8_t> bytes, const OnMessage& on_message);
    void finish(const OnMessage& on_message);

    std::vector<std::uint8_t> kept_;  // of the message in work
    std::size_t header_ = 0;          // bytes of its length that passed
    std::size_t size_ = 0;            // its length
    std::size_t passed_ = 0;          // bytes of it that passed
    bool is_lost_ = false;
};

}  // namespace weir::protocol
