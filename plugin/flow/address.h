// An IP address as 16 bytes, IPv4 mapped (::ffff:a.b.c.d), in network byte order: the one form in
// which addresses travel from the kernel to the store. Trivially copyable, totally ordered.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// What kind of address it is, as the points name it (tags *_ip_type).
enum class AddressType : std::uint8_t { other, private_, loopback, multicast };

struct Address {
    std::array<std::uint8_t, 16> bytes{};

    static Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
    // Nothing when the text is not an IPv4 or IPv6 address.
    static std::optional<Address> parse(std::string_view text);

    bool is_v4() const;
    AddressType type() const;
    // Dotted quad for IPv4 and v4-mapped, RFC 5952 for IPv6.
    std::string to_string() const;
    // The same into a buffer of kMaxText bytes, without a NUL; returns the length.
    std::size_t write_to(char* buffer) const;
    static constexpr std::size_t kMaxText = 46;

    auto operator<=>(const Address&) const = default;
};

std::string_view to_string(AddressType type);

}  // namespace weir
