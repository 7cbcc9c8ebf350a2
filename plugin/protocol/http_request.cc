#include "plugin/protocol/http_request.h"

namespace weir::protocol {
namespace {

// RFC 9112, section 3.2: origin form starts with '/', absolute form with a scheme.
std::string_view path_of_target(std::string_view target) {
    if (target.empty() || target.front() == '/' || target == "*") return target;
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return target;
    const std::size_t slash = target.find('/', scheme + 3);
    return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

}  // namespace

std::optional<HttpRequest> parse_request_head(std::string_view head, std::size_t method_length) {
    if (method_length == 0 || method_length >= head.size() || head[method_length] != ' ') return std::nullopt;
    HttpRequest request;
    request.method = head.substr(0, method_length);
    const std::string_view target = head.substr(method_length + 1);
    request.path =
        request.method == "CONNECT" ? target : path_of_target(target.substr(0, target.find_first_of("?#")));
    return request;
}

}  // namespace weir::protocol
