#include "plugin/protocol/http_request.h"

#include <criterion/criterion.h>

using weir::protocol::parse_request_head;

namespace {

struct Case {
    char head[80];
    unsigned method_length;
    char method[10];
    char path[40];
};

constexpr Case kCases[] = {
    {"GET /", 3, "GET", "/"},
    {"GET /a/b.html", 3, "GET", "/a/b.html"},
    {"OPTIONS *", 7, "OPTIONS", "*"},
    {"GET http://example.com/x", 3, "GET", "/x"},
    {"GET http://example.com", 3, "GET", "/"},
    {"CONNECT example.com:443", 7, "CONNECT", "example.com:443"},
    {"GET /x?secret=1", 3, "GET", "/x"},
    {"GET ", 3, "GET", ""},
};

}  // namespace

Test(http_request, method_and_path) {
    for (const Case& c : kCases) {
        const auto request = parse_request_head(c.head, c.method_length);
        cr_assert(request.has_value(), "%s", c.head);
        cr_assert(request->method == c.method, "%s", c.head);
        cr_assert(request->path == c.path, "%s", c.head);
    }
}

Test(http_request, what_is_no_request) {
    cr_assert_not(parse_request_head("", 0).has_value());
    cr_assert_not(parse_request_head("GET", 3).has_value());
    cr_assert_not(parse_request_head("GET /", 0).has_value());
    cr_assert_not(parse_request_head("GETX/", 3).has_value());
    cr_assert_not(parse_request_head("GET /", 200).has_value());
}
