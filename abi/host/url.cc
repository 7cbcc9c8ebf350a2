#include "abi/host/url.h"

#include <algorithm>
#include <charconv>

namespace weir::host {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                            hex_digit(text[i + 2]) >= 0;
        if (escape) {
            out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

void take_user(std::string_view& authority, HttpUrl& url) {
    const auto at = authority.rfind('@');
    if (at == std::string_view::npos) return;
    const std::string_view user = authority.substr(0, at);
    const auto colon = user.find(':');
    url.user = percent_decoded(user.substr(0, colon));
    if (colon != std::string_view::npos) url.password = percent_decoded(user.substr(colon + 1));
    authority.remove_prefix(at + 1);
}

// False when host or port make no sense.
bool take_host_and_port(std::string_view authority, HttpUrl& url) {
    std::string_view rest;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return false;
        url.host = authority.substr(1, end - 1);
        rest = authority.substr(end + 1);
    } else {
        const auto colon = authority.find(':');
        url.host = authority.substr(0, colon);
        if (colon != std::string_view::npos) rest = authority.substr(colon);
    }
    url.port = url.tls ? 443 : 80;
    if (url.host.empty()) return false;
    if (rest.empty()) return true;
    if (!take_prefix(rest, ":")) return false;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), url.port);
    return error == std::errc{} && end == rest.data() + rest.size() && url.port >= 1 && url.port <= 65535;
}

void take_path_and_query(std::string_view rest, HttpUrl& url) {
    const auto path_end = std::min(rest.find('?'), rest.size());
    url.path = rest.substr(0, path_end);
    url.query = rest.substr(path_end);
    if (url.path == "/") url.path.clear();
}

Expected<HttpUrl> unix_url(std::string_view socket, std::string_view rest) {
    constexpr std::size_t kLongestSocket = 107;  // sockaddr_un
    HttpUrl url;
    url.unix_socket = percent_decoded(socket);
    url.host = "localhost";
    url.port = 80;
    if (url.unix_socket.empty()) return fail("the URL has no path of a unix socket");
    if (url.unix_socket.size() > kLongestSocket || url.unix_socket.find('\0') != std::string::npos) {
        return fail("the path of the unix socket is longer than " + std::to_string(kLongestSocket) +
                    " bytes");
    }
    take_path_and_query(rest, url);
    return url;
}

// What follows "unix:".
Expected<HttpUrl> parse_unix_url(std::string_view text) {
    if (text.starts_with("//")) text.remove_prefix(2);
    const auto colon = text.find(":/");
    if (colon != std::string_view::npos) return unix_url(text.substr(0, colon), text.substr(colon + 1));
    const auto end = std::min(text.find('?'), text.size());
    return unix_url(text.substr(0, end), text.substr(end));
}

// What follows "http+unix://".
Expected<HttpUrl> parse_encoded_unix_url(std::string_view text) {
    const auto end = std::min(text.find_first_of("/?"), text.size());
    return unix_url(text.substr(0, end), text.substr(end));
}

}  // namespace

std::string HttpUrl::without_secrets() const {
    if (!unix_socket.empty()) return "unix:" + unix_socket + (path.empty() ? "" : ':' + path);
    const bool brackets = host.find(':') != std::string::npos;
    return std::string(tls ? "https://" : "http://") + (brackets ? '[' + host + ']' : host) + ':' +
           std::to_string(port) + path;
}

Expected<HttpUrl> parse_http_url(const std::string& text) {
    const auto unsafe = [](unsigned char c) { return c <= ' ' || c >= 0x7F; };
    if (std::any_of(text.begin(), text.end(), unsafe)) {
        return fail("the URL holds spaces or characters that have to be written as %XX");
    }
    HttpUrl url;
    std::string_view rest = text;
    rest = rest.substr(0, rest.find('#'));
    if (take_prefix(rest, "unix:")) return parse_unix_url(rest);
    if (take_prefix(rest, "http+unix://")) return parse_encoded_unix_url(rest);
    if (take_prefix(rest, "https://")) {
        url.tls = true;
    } else if (!take_prefix(rest, "http://")) {
        return fail("the URL does not begin with http://, https:// or unix:");
    }
    const auto authority_end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, authority_end);
    rest.remove_prefix(authority_end);
    take_user(authority, url);
    if (!take_host_and_port(authority, url)) return fail("the URL has no valid host and port");

    take_path_and_query(rest, url);
    return url;
}

}  // namespace weir::host
