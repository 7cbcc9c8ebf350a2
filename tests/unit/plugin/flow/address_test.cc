#include "plugin/flow/address.h"

#include <criterion/criterion.h>

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
