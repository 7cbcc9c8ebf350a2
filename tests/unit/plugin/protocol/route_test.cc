#include "plugin/protocol/route.h"

#include <criterion/criterion.h>

namespace {

struct Case {
    char path[100];
    char route[60];
};

constexpr Case kCases[] = {
    {"/", "/"},
    {"", ""},
    {"/orders/1842/items", "/orders/{id}/items"},
    {"/orders/1842", "/orders/{id}"},
    {"/orders/1842/", "/orders/{id}/"},
    {"/v1/users", "/v1/users"},
    {"/users/3fa85f64-5717-4562-b3fc-2c963f66afa6/cart", "/users/{id}/cart"},
    {"/commit/9fceb02d0ae598e95dc970b74767f19372d61af8", "/commit/{id}"},
    {"/commit/9fceb02d", "/commit/{id}"},
    {"/cafe", "/cafe"},
    {"/report/2024-05-01/csv", "/report/{id}/csv"},
    {"/token/eyJhbGciOiJIUzI1NiIsInR5c", "/token/{id}"},
    {"/how-to-write-a-very-long-title", "/how-to-write-a-very-long-title"},
    {"/img/logo-2.png", "/img/logo-2.png"},
    {"*", "*"},
    {"//1//", "//{id}//"},
};

}  // namespace

Test(route, folds_ids_and_keeps_words) {
    std::string route = "left over";
    for (const Case& c : kCases) {
        weir::protocol::fold_route(c.path, route);
        cr_assert_str_eq(route.c_str(), c.route, "%s", c.path);
    }
}
