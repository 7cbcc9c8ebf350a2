#include "plugin/flow/address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

#include <random>

using weir::Address;
using weir::AddressType;

namespace {

struct Case {
    char text[48];
    AddressType type;
    bool is_v4;
};

// an array of plain values: Criterion runs each test in a fresh process
constexpr Case kCases[] = {
    {"127.0.0.1", AddressType::loopback, true},      {"127.255.0.9", AddressType::loopback, true},
    {"10.0.0.1", AddressType::private_, true},       {"172.16.0.1", AddressType::private_, true},
    {"172.31.255.255", AddressType::private_, true}, {"172.32.0.1", AddressType::other, true},
    {"192.168.3.4", AddressType::private_, true},    {"192.169.0.1", AddressType::other, true},
    {"224.0.0.251", AddressType::multicast, true},   {"239.1.1.1", AddressType::multicast, true},
    {"8.8.8.8", AddressType::other, true},           {"0.0.0.0", AddressType::other, true},
    {"::1", AddressType::loopback, false},           {"::", AddressType::other, false},
    {"fe80::1", AddressType::private_, false},       {"fd00:10:96::30", AddressType::private_, false},
    {"ff02::fb", AddressType::multicast, false},     {"2001:db8::8a2e:370:7334", AddressType::other, false},
};

}  // namespace

Test(address, types_and_text) {
    for (const Case& c : kCases) {
        const auto address = Address::parse(c.text);
        cr_assert(address.has_value(), "%s", c.text);
        cr_assert_eq(address->type(), c.type, "%s", c.text);
        cr_assert_eq(address->is_v4(), c.is_v4, "%s", c.text);
        cr_assert(address->to_string() == c.text, "%s", c.text);
    }
}

Test(address, v4_mapped_is_v4) {
    const auto mapped = Address::parse("::ffff:10.1.2.3");
    cr_assert(mapped.has_value());
    cr_assert(*mapped == Address::v4(10, 1, 2, 3));
    cr_assert(mapped->to_string() == "10.1.2.3");
}

Test(address, what_is_no_address) {
    for (const char* text : {"", "1.2.3", "256.1.1.1", "1.2.3.4:80", "::g", "example.com", " 1.2.3.4"}) {
        cr_assert_not(Address::parse(text).has_value(), "%s", text);
    }
    cr_assert_not(Address::parse(std::string(1000, '1')).has_value());
}

// The system's own function is the oracle; runs of zeros of every kind come up.
Test(address, text_is_as_the_system_writes_it) {
    std::mt19937 random(1);
    for (int i = 0; i < 20'000; i++) {
        Address address;
        for (auto& byte : address.bytes) {
            const auto r = static_cast<unsigned>(random());
            byte = static_cast<std::uint8_t>(r % 4 == 0 ? r >> 8 : r % 4 == 1 ? 1 : 0);
        }
        if (i % 4 == 0) {
            address = Address::v4(address.bytes[0], address.bytes[1], address.bytes[2], address.bytes[3]);
        }
        char text[INET6_ADDRSTRLEN];
        const bool v4 = address.is_v4();
        inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes.data() + (v4 ? 12 : 0), text, sizeof(text));
        cr_assert(address.to_string() == text, "%s, not %s", address.to_string().c_str(), text);
    }
}
