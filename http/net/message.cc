#include "http/net/message.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

namespace weir::http {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_token(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    const auto fits = [&](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
               kMarks.find(c) != std::string_view::npos;
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return out;
}

// The text up to `separator`, which is taken off the rest together with it.
std::string_view take_until(std::string_view& rest, std::string_view separator) {
    const std::size_t at = rest.find(separator);
    const std::string_view out = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + separator.size());
    return out;
}

bool decode_query(std::string_view text, Pairs& into) {
    while (!text.empty()) {
        std::string_view pair = take_until(text, "&");
        if (pair.empty()) continue;
        const auto name = decode(take_until(pair, "="), true);
        const auto value = decode(pair, true);
        if (!name || !value) return false;
        into.emplace_back(*name, *value);
    }
    return true;
}

// Fills a ParsedHead; each step says whether the request is still good.
class HeadParser {
public:
    HeadParser(std::string_view head, ParsedHead& out) : rest_(head), out_(out) {}

    void parse() {
        if (!request_line(take_until(rest_, "\r\n"))) return;
        while (!rest_.empty()) {
            if (!header_line(take_until(rest_, "\r\n"))) return;
        }
        if (!check_headers()) return;
        out_.state = ParsedHead::State::complete;
    }

private:
    bool refuse(int status, std::string_view why) {
        out_.state = ParsedHead::State::refused;
        out_.status = status;
        out_.why = why;
        return false;
    }

    bool request_line(std::string_view line) {
        Request& request = out_.request;
        if (std::count(line.begin(), line.end(), ' ') != 2) return refuse(400, "a malformed request line");
        request.method = take_until(line, " ");
        const std::string_view target = take_until(line, " ");
        if (!is_token(request.method)) return refuse(400, "a malformed method");
        if (line != "HTTP/1.1" && line != "HTTP/1.0") {
            return line.starts_with("HTTP/") ? refuse(505, "only HTTP/1.1 is spoken here")
                                             : refuse(400, "a malformed request line");
        }
        request.keep_alive = line == "HTTP/1.1";
        return read_target(target);
    }

    bool read_target(std::string_view target) {
        if (target.size() > kMaxTargetBytes) return refuse(414, "the address is too long");
        if (target.empty() || target[0] != '/' || std::any_of(target.begin(), target.end(), is_control)) {
            return refuse(400, "a malformed address");
        }
        const auto path = decode(take_until(target, "?"), false);
        if (!path || !decode_query(target, out_.request.query)) {
            return refuse(400, "a malformed %-escape in the address");
        }
        out_.request.path = *path;
        return true;
    }

    bool header_line(std::string_view line) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
            return refuse(400, "a malformed header");
        }
        const std::string_view name = line.substr(0, colon);
        std::string_view value = line.substr(colon + 1);
        const auto blank = [](char c) { return c == ' ' || c == '\t'; };
        while (!value.empty() && blank(value.front())) value.remove_prefix(1);
        while (!value.empty() && blank(value.back())) value.remove_suffix(1);
        const auto forbidden = [](char c) { return is_control(c) && c != '\t'; };
        if (std::any_of(value.begin(), value.end(), forbidden)) return refuse(400, "a malformed header");
        if (out_.request.headers.size() == kMaxHeaders) return refuse(431, "too many headers");
        out_.request.headers.emplace_back(name, value);
        return true;
    }

    bool check_headers() {
        Request& request = out_.request;
        for (const std::string_view name : {"Host", "Origin", "Authorization", "Content-Length"}) {
            const auto same = [&](const auto& header) { return equal_ignoring_case(header.first, name); };
            if (std::count_if(request.headers.begin(), request.headers.end(), same) > 1) {
                return refuse(400, "a header that may come only once came twice");
            }
        }
        if (request.has_header("Transfer-Encoding")) return refuse(400, "Transfer-Encoding is not taken");
        if (request.has_header("Content-Encoding")) return refuse(400, "Content-Encoding is not taken");
        if (equal_ignoring_case(request.header("Connection"), "close")) request.keep_alive = false;
        if (equal_ignoring_case(request.header("Connection"), "keep-alive")) request.keep_alive = true;
        return read_content_length();
    }

    bool read_content_length() {
        if (!out_.request.has_header("Content-Length")) return true;
        const std::string_view text = out_.request.header("Content-Length");
        const char* const last = text.data() + text.size();
        const auto [end, error] = std::from_chars(text.data(), last, out_.request.content_length);
        if (error != std::errc() || end != last) return refuse(400, "a malformed Content-Length");
        return true;
    }

    std::string_view rest_;
    ParsedHead& out_;
};

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200: return "OK";
        case 204: return "No Content";
        case 304: return "Not Modified";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return "";
    }
}

// Not strftime(): its names of days follow the host's locale.
std::string http_date(std::time_t now) {
    static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm t{};
    gmtime_r(&now, &t);
    const auto two = [](int n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    std::string out(kDays[t.tm_wday]);
    out += ", " + two(t.tm_mday) + " ";
    out += kMonths[t.tm_mon];
    out += " " + std::to_string(t.tm_year + 1900) + " " + two(t.tm_hour) + ":" + two(t.tm_min) + ":" +
           two(t.tm_sec) + " GMT";
    return out;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view Request::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (equal_ignoring_case(key, name)) return value;
    }
    return {};
}

bool Request::has_header(std::string_view name) const {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const auto& header) { return equal_ignoring_case(header.first, name); });
}

ParsedHead parse_head(std::string_view input) {
    ParsedHead out;
    const std::size_t end = input.find(kEndOfHead);
    const std::string_view head = input.substr(0, end);
    for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
        if (at > 0 && head[at - 1] == '\r') continue;
        out.state = ParsedHead::State::refused;
        out.status = 400;
        out.why = "lines must end with CR LF";
        return out;
    }
    if (head.size() > kMaxHeadBytes) {
        out.state = ParsedHead::State::refused;
        out.status = head.find("\r\n") > kMaxTargetBytes ? 414 : 431;
        out.why = "the request is too long";
        return out;
    }
    if (end == std::string_view::npos) return out;
    out.length = end + kEndOfHead.size();
    HeadParser(head, out).parse();
    return out;
}

std::string serialize(const Response& response, bool head_only, bool keep_alive) {
    const bool has_body = response.status != 204 && response.status != 304;
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
    out += reason_phrase(response.status);
    out += "\r\nDate: " + http_date(std::time(nullptr)) + "\r\n";
    for (const auto& [name, value] : response.headers) out += name + ": " + value + "\r\n";
    if (has_body) out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    if (has_body && !head_only) out += response.body;
    return out;
}

}  // namespace weir::http
