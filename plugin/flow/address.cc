#include "plugin/flow/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

AddressType type_of_v4(const std::uint8_t* b) {
    if (b[0] == 127) return AddressType::loopback;
    if (b[0] >= 224 && b[0] <= 239) return AddressType::multicast;
    const bool rfc1918 = b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168);
    return rfc1918 ? AddressType::private_ : AddressType::other;
}

char* write_v4(char* to, const std::uint8_t* b) {
    for (std::size_t i = 0; i < 4; i++) {
        if (i != 0) *to++ = '.';
        to = std::to_chars(to, to + 3, unsigned{b[i]}).ptr;
    }
    return to;
}

struct Run {
    std::size_t begin = 0;
    std::size_t length = 0;
};

// The first of the longest runs of zeros, of two at least (RFC 5952, 4.2).
Run longest_zeros(const std::array<unsigned, 8>& groups) {
    Run best, run;
    for (std::size_t i = 0; i < groups.size(); i++) {
        run = groups[i] == 0 ? Run{run.length == 0 ? i : run.begin, run.length + 1} : Run{};
        if (run.length > best.length) best = run;
    }
    return best.length >= 2 ? best : Run{groups.size(), 0};
}

char* copy_colons(char* to) {
    *to++ = ':';
    *to++ = ':';
    return to;
}

char* write_v6(char* to, const std::array<std::uint8_t, 16>& bytes) {
    std::array<unsigned, 8> groups{};
    for (std::size_t i = 0; i < groups.size(); i++)
        groups[i] = unsigned{bytes[2 * i]} << 8 | bytes[2 * i + 1];
    const Run zeros = longest_zeros(groups);
    if (zeros.begin == 0 && zeros.length == 6)
        return write_v4(copy_colons(to), &bytes[12]);  // as inet_ntop()
    for (std::size_t i = 0; i < groups.size(); i++) {
        if (i == zeros.begin) {
            *to++ = ':';
            i += zeros.length - 1;
            if (i + 1 == groups.size()) *to++ = ':';
            continue;
        }
        if (i != 0) *to++ = ':';
        to = std::to_chars(to, to + 4, groups[i], 16).ptr;
    }
    return to;
}

}  // namespace

Address Address::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    Address out;
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
    out.bytes[12] = a;
    out.bytes[13] = b;
    out.bytes[14] = c;
    out.bytes[15] = d;
    return out;
}

std::optional<Address> Address::parse(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN] = {};
    if (text.size() >= sizeof(buffer)) return std::nullopt;
    std::copy(text.begin(), text.end(), buffer);
    in_addr four{};
    if (inet_pton(AF_INET, buffer, &four) == 1) {
        std::array<std::uint8_t, 4> b{};
        std::memcpy(b.data(), &four, b.size());
        return v4(b[0], b[1], b[2], b[3]);
    }
    Address out;
    if (inet_pton(AF_INET6, buffer, out.bytes.data()) == 1) return out;
    return std::nullopt;
}

bool Address::is_v4() const { return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin()); }

AddressType Address::type() const {
    if (is_v4()) return type_of_v4(bytes.data() + 12);
    if (bytes[0] == 0xff) return AddressType::multicast;
    if ((bytes[0] & 0xfe) == 0xfc) return AddressType::private_;                      // fc00::/7
    if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return AddressType::private_;  // fe80::/10
    const bool zeros = std::all_of(bytes.begin(), bytes.end() - 1, [](auto b) { return b == 0; });
    return zeros && bytes[15] == 1 ? AddressType::loopback : AddressType::other;
}

std::string Address::to_string() const {
    char buffer[kMaxText];
    return {buffer, write_to(buffer)};
}

// inet_ntop() does the same, and takes ten times as long.
std::size_t Address::write_to(char* buffer) const {
    char* const end = is_v4() ? write_v4(buffer, bytes.data() + 12) : write_v6(buffer, bytes);
    return static_cast<std::size_t>(end - buffer);
}

std::string_view to_string(AddressType type) {
    switch (type) {
        case AddressType::private_: return "private";
        case AddressType::loopback: return "loopback";
        case AddressType::multicast: return "multicast";
        case AddressType::other: break;
    }
    return "other";
}

}  // namespace weir
