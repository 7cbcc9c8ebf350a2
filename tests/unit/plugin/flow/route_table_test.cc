#include "plugin/flow/route_table.h"

#include <criterion/criterion.h>

using namespace weir;

namespace {

constexpr std::int64_t kHour = 3'600'000'000'000;

ServerKey server(std::uint16_t port) { return {Address::v4(10, 0, 0, 1), 0, port}; }

}  // namespace

Test(route_table, patterns_come_first) {
    RouteTable table({{"/users/{name}", "/static/**"}, 10});
    cr_assert(table.route(server(80), "/users/anna") == "/users/{name}");
    cr_assert(table.route(server(80), "/users/anna/7") == "/users/anna/{id}");
    cr_assert(table.route(server(80), "/static/a/b/c.js") == "/static/**");
    cr_assert(table.route(server(80), "/static") == "/static/**");
}

Test(route_table, a_server_has_so_many_routes_and_the_rest_is_other) {
    RouteTable table({{"/known/{x}"}, 3});
    cr_assert(table.route(server(80), "/a") == "/a");
    cr_assert(table.route(server(80), "/b") == "/b");
    cr_assert(table.route(server(80), "/c/1") == "/c/{id}");
    cr_assert(table.route(server(80), "/d") == kOther);
    cr_assert(table.route(server(80), "/a") == "/a", "those that were first stay");
    cr_assert(table.route(server(80), "/c/2") == "/c/{id}");
    cr_assert(table.route(server(80), "/known/d") == "/known/{x}", "patterns need no room");
    cr_assert(table.route(server(81), "/d") == "/d", "each server has its own");
}

Test(route_table, routes_that_are_not_used_give_their_place_back) {
    RouteTable table({{}, 2});
    table.forget_old(kHour);
    table.route(server(80), "/scan/a");
    table.route(server(80), "/used");
    for (int hour = 2; hour < 4; hour++) {
        cr_assert(table.route(server(80), "/new") == kOther);
        table.forget_old(hour * kHour);
        cr_assert(table.route(server(80), "/used") == "/used");
    }
    cr_assert(table.route(server(80), "/new") == "/new");
    cr_assert(table.route(server(80), "/scan/a") == kOther);
}

Test(route_table, servers_are_bounded_too) {
    RouteTable table({{}, 1});
    for (std::uint32_t port = 0; port < 20000; port++) {
        cr_assert(table.route({Address::v4(10, 0, 0, 1), 0, port}, "/a") == "/a");
    }
}
