#include "http/api/access.h"

#include <criterion/criterion.h>

#include <string>

using namespace weir;
using namespace weir::http;

namespace {

Request request(const std::string& host, const std::string& origin = "") {
    Request out;
    out.headers.emplace_back("Host", host);
    if (!origin.empty()) out.headers.emplace_back("Origin", origin);
    out.local_address = Address::v4(10, 0, 0, 5);
    return out;
}

Request with(const std::string& name, const std::string& value) {
    Request out = request("localhost");
    out.headers.emplace_back(name, value);
    return out;
}

int source_status(const Request& one) {
    const Access access("", {"10.1.1.1", "web-1"});
    const auto refused = access.check_source(one);
    return refused ? refused->status : 200;
}

std::string session_of(const std::string& cookie) { return cookie.substr(0, cookie.find(';')); }

}  // namespace

Test(access, own_hosts) {
    for (const std::string host :
         {"localhost", "LOCALHOST:9531", "127.0.0.1", "127.0.0.1:9531", "127.9.9.9", "[::1]", "[::1]:80",
          "10.0.0.5:9531", "10.1.1.1:9531", "web-1", "Web-1:1"}) {
        cr_expect_eq(source_status(request(host)), 200, "%s", host.c_str());
    }
}

Test(access, foreign_hosts) {
    for (const std::string host :
         {"evil.example", "evil.example:9531", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.6",
          "[2001:db8::1]:80", "web-10", "0.0.0.0", "notlocalhost"}) {
        cr_expect_eq(source_status(request(host)), 403, "%s", host.c_str());
    }
    for (const std::string host : {"", ":80", "[::1", "localhost:80x", "localhost:80:80", "[]:80"}) {
        cr_expect_eq(source_status(request(host)), 400, "%s", host.c_str());
    }
    cr_expect_eq(source_status(Request()), 400);
}

Test(access, origins) {
    cr_expect_eq(source_status(request("localhost:9531", "http://localhost:9531")), 200);
    cr_expect_eq(source_status(request("localhost:9531", "https://LOCALHOST:9531")), 200);
    for (const std::string origin :
         {"http://localhost", "http://localhost:3000", "http://127.0.0.1:9531", "null", "http://evil.example",
          "localhost:9531", "file://localhost:9531", "://"}) {
        cr_expect_eq(source_status(request("localhost:9531", origin)), 403, "%s", origin.c_str());
    }
}

Test(access, without_a_token_everybody_may_ask) {
    const Access access("", {});
    cr_expect(access.allows(request("localhost")));
    cr_expect_not(access.token_is(""));
}

Test(access, tokens) {
    const Access access("s3cr%41t", {});
    cr_expect_not(access.allows(request("localhost")));
    cr_expect(access.allows(with("Authorization", "Bearer s3cr%41t")));
    cr_expect(access.allows(with("authorization", "bearer s3cr%41t")));
    for (const std::string value : {"s3cr%41t", "Bearer", "Bearer ", "Bearer s3crAt", "Bearer s3cr%41t ",
                                    "Bearer s3cr%41", "Basic s3cr%41t"}) {
        cr_expect_not(access.allows(with("Authorization", value)), "%s", value.c_str());
    }
}

Test(access, sessions) {
    Access access("token", {});
    const std::string cookie = access.begin_session(false);
    cr_expect(cookie.find("; HttpOnly") != std::string::npos);
    cr_expect(cookie.find("; SameSite=Strict") != std::string::npos);
    cr_expect(cookie.find("Secure") == std::string::npos);
    cr_expect(access.begin_session(true).find("; Secure") != std::string::npos);

    const std::string session = session_of(cookie);
    cr_expect(access.allows(with("Cookie", session)));
    cr_expect(access.allows(with("Cookie", "a=b; " + session + "; c=d")));
    cr_expect_not(access.allows(with("Cookie", session + "0")));
    cr_expect_not(access.allows(with("Cookie", session.substr(0, session.size() - 1))));
    cr_expect_not(access.allows(with("Cookie", "weir_session=")));
    cr_expect_not(access.allows(with("Cookie", "weir_session")));
    cr_expect_not(access.allows(with("Cookie", "x" + session)));
    cr_expect_not(Access("token", {}).allows(with("Cookie", session)));
}

Test(access, the_number_of_sessions_is_bounded) {
    Access access("token", {});
    const std::string first = session_of(access.begin_session(false));
    std::string last;
    for (int i = 0; i < 64; i++) last = session_of(access.begin_session(false));
    cr_expect_not(access.allows(with("Cookie", first)));
    cr_expect(access.allows(with("Cookie", last)));
}
