#include "plugin/protocol/route.h"

#include <criterion/criterion.h>

#include <string>

using namespace weir::protocol;

namespace {

struct Case {
    char path[100];
    char route[60];
};

constexpr Case kCases[] = {
    {"/", "/"},
    {"", ""},
    {"*", "*"},
    {"//1//", "//{id}//"},
    {"/orders/1842/items", "/orders/{id}/items"},
    {"/orders/1842", "/orders/{id}"},
    {"/orders/1842/", "/orders/{id}/"},
    {"/v1/users", "/v1/users"},
    {"/api/v2.1/users", "/api/v2.1/users"},
    {"/users/3fa85f64-5717-4562-b3fc-2c963f66afa6/cart", "/users/{id}/cart"},
    {"/users/3FA85F64-5717-4562-B3FC-2C963F66AFA6/cart", "/users/{id}/cart"},
    {"/users/3fa85f6457174562b3fc2c963f66afa6", "/users/{id}"},
    {"/commit/9fceb02d0ae598e95dc970b74767f19372d61af8", "/commit/{id}"},
    {"/commit/9fceb02d", "/commit/{id}"},
    {"/cafe", "/cafe"},
    {"/decade", "/decade"},
    {"/report/2024-05-01/csv", "/report/{id}/csv"},
    {"/report/2024-05", "/report/{id}"},
    {"/report/20240501T120000Z", "/report/{id}"},
    {"/report/2024-05-01T12:00:00Z", "/report/{id}"},
    {"/host/10.0.0.1/load", "/host/{id}/load"},
    {"/map/-3.5,48.1", "/map/{id}"},
    {"/token/eyJhbGciOiJIUzI1NiIsInR5c", "/token/{id}"},
    {"/token/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/token/{id}"},
    {"/mail/anna@example.com", "/mail/{id}"},
    {"/mail/anna%40example.com/inbox", "/mail/{id}/inbox"},
    {"/how-to-write-a-very-long-title", "/how-to-write-a-very-long-title"},
    {"/the-10-best-phones-of-2024-so-far", "/the-10-best-phones-of-2024-so-far"},
    {"/img/logo-2.png", "/img/logo-2.png"},
    {"/img/1842.png", "/img/{id}.png"},
    {"/app/main.9fceb02d.js", "/app/main.9fceb02d.js"},
    {"/app/9fceb02d0ae598e9.js", "/app/{id}.js"},
    {"/.well-known/acme", "/.well-known/acme"},
    {"/k8s", "/k8s"},
    {"/s3/bucket", "/s3/bucket"},
};

std::string redacted(const Redaction& redaction, const char* path) {
    std::string out;
    return redaction.apply(path, out) ? out : path;
}

}  // namespace

Test(route, folds_ids_and_keeps_words) {
    std::string route = "left over";
    for (const Case& c : kCases) {
        fold_route(c.path, route);
        cr_assert_str_eq(route.c_str(), c.route, "%s", c.path);
    }
}

Test(route, anything_too_long_for_a_word_is_an_id) {
    std::string route;
    fold_route("/x/" + std::string(5000, 'q'), route);
    cr_assert_str_eq(route.c_str(), "/x/{id}");
}

Test(route, folding_twice_changes_nothing) {
    std::string once, twice;
    for (const Case& c : kCases) {
        fold_route(c.path, once);
        fold_route(once, twice);
        cr_assert_str_eq(once.c_str(), twice.c_str());
    }
}

Test(route, patterns_match_by_segment_in_their_order) {
    const RoutePatterns patterns({"/users/me", "/users/{name}/**", "/a/*/c", "/{x}"});
    cr_assert(patterns.match("/users/me") == "/users/me");
    cr_assert(patterns.match("/users/anna") == "/users/{name}/**");
    cr_assert(patterns.match("/users/anna/cart/1") == "/users/{name}/**");
    cr_assert(patterns.match("/a/b/c") == "/a/*/c");
    cr_assert(patterns.match("/a//c").empty(), "an empty segment is none");
    cr_assert(patterns.match("/a/b/c/d").empty());
    cr_assert(patterns.match("/one") == "/{x}");
    cr_assert(patterns.match("/").empty());
    cr_assert(patterns.match("").empty());
    cr_assert(RoutePatterns().match("/one").empty());
}

Test(route, mistakes_in_patterns_have_a_reason) {
    cr_assert(RoutePatterns::mistake("/a/{b}/**").empty());
    cr_assert(RoutePatterns::mistake("/").empty());
    cr_assert_not(RoutePatterns::mistake("a").empty());
    cr_assert_not(RoutePatterns::mistake("").empty());
    cr_assert_not(RoutePatterns::mistake("/a?b").empty());
    cr_assert_not(RoutePatterns::mistake("/**/a").empty());
    cr_assert_not(RoutePatterns::mistake("/a**").empty());
}

Test(redaction, hides_segments_wherever_they_stand) {
    const Redaction redaction({"reset/*", "sk_*", "u/*/key*"});
    cr_assert(redacted(redaction, "/a/b") == "/a/b");
    cr_assert(redacted(redaction, "/reset/abc/x") == "/reset/{redacted}/x");
    cr_assert(redacted(redaction, "/v1/reset/abc") == "/v1/reset/{redacted}");
    cr_assert(redacted(redaction, "/pay/sk_live_1/sk_2") == "/pay/{redacted}/{redacted}");
    cr_assert(redacted(redaction, "/u/7/keyring") == "/u/7/{redacted}");
    cr_assert(redacted(redaction, "/u/7/ring") == "/u/7/ring");
    cr_assert(redacted(redaction, "/reset/") == "/reset/", "nothing is there to hide");
    cr_assert(redacted(redaction, "reset") == "reset");
    cr_assert(redacted(Redaction(), "/reset/abc") == "/reset/abc");
}

Test(redaction, mistakes_in_rules_have_a_reason) {
    cr_assert(Redaction::mistake("reset/*").empty());
    cr_assert_not(Redaction::mistake("").empty());
    cr_assert_not(Redaction::mistake("/reset").empty());
    cr_assert_not(Redaction::mistake("reset/").empty());
}
