#include "abi/host/http_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <httplib.h>

#include "abi/host/printable.h"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectTimeout = 3s;
constexpr auto kAnswerTimeout = 10s;
constexpr auto kLongestRetryAfter = 30s;
constexpr std::size_t kWordsKept = 300;
constexpr std::size_t kWordsRead = std::size_t{64} << 10U;

// The library connects to internet addresses only.
class UnixSocketClient final : public httplib::ClientImpl {
public:
    explicit UnixSocketClient(std::string path) : httplib::ClientImpl("localhost"), path_(std::move(path)) {}

private:
    bool create_and_connect_socket(Socket& socket, httplib::Error& error) override {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.data(), std::min(path_.size(), sizeof address.sun_path - 1));
        // Not blocking: a listener with a full backlog is one more server that is not there.
        const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        error = httplib::Error::Connection;
        if (made < 0) return false;
        if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            ::close(made);
            return false;
        }
        fcntl(made, F_SETFL, fcntl(made, F_GETFL) & ~O_NONBLOCK);
        error = httplib::Error::Success;
        socket.sock = made;
        return true;
    }

    const std::string path_;
};

std::unique_ptr<httplib::ClientImpl> make_client(const HttpUrl& url) {
    if (!url.unix_socket.empty()) return std::make_unique<UnixSocketClient>(url.unix_socket);
    if (url.tls) return std::make_unique<httplib::SSLClient>(url.host, url.port);
    return std::make_unique<httplib::ClientImpl>(url.host, url.port);
}

std::string error_text(httplib::Error error) {
    switch (error) {
        case httplib::Error::Connection: return "no connection";
        case httplib::Error::ConnectionTimeout: return "no connection within 3 s";
        case httplib::Error::Read: return "no answer";
        case httplib::Error::Write: return "the connection broke while sending";
        case httplib::Error::SSLConnection: return "no TLS connection";
        case httplib::Error::SSLLoadingCerts: return "cannot load the system's certificates";
        case httplib::Error::SSLServerVerification: return "the server's certificate is not trusted";
        default: return "the request failed (" + httplib::to_string(error) + ')';
    }
}

// Retry-After in seconds; the form with a date is not used by such servers.
std::chrono::milliseconds retry_after(const httplib::Response& response) {
    const std::string text = response.get_header_value("Retry-After");
    int seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    return std::clamp<std::chrono::milliseconds>(std::chrono::seconds(seconds), 0s, kLongestRetryAfter);
}

std::string answer_text(int status, const std::string& words) {
    std::string text = "HTTP " + std::to_string(status);
    const auto end = words.find_last_not_of(" \r\n\t");
    if (end != std::string::npos) text += ": " + shortened(printable(words.substr(0, end + 1)), kWordsKept);
    return text;
}

}  // namespace

HttpClient::HttpClient(const HttpUrl& url) : client_(make_client(url)) {
    client_->set_connection_timeout(kConnectTimeout);
    client_->set_read_timeout(kAnswerTimeout);
    client_->set_write_timeout(kAnswerTimeout);
    client_->set_keep_alive(true);
    client_->set_tcp_nodelay(true);
    client_->set_url_encode(false);
    if (!url.user.empty()) client_->set_basic_auth(url.user, url.password);
}

HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::post(const std::string& path, const HttpHeaders& headers, std::string_view body) {
    const auto too_late = std::chrono::steady_clock::now() + 2 * kAnswerTimeout;
    std::string words;
    httplib::Request request;
    request.method = "POST";
    request.path = path;
    request.headers.insert(headers.begin(), headers.end());
    request.body = body;
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
        words.append(data, size);
        return words.size() < kWordsRead && std::chrono::steady_clock::now() < too_late;
    };
    httplib::Response response;
    auto error = httplib::Error::Success;
    client_->send(request, response, error);
    // An answer counts even when its body broke off: the status says what became of the batch.
    if (response.status < 200) return {0, error_text(error), {}};
    return {response.status, answer_text(response.status, words), retry_after(response)};
}

void HttpClient::interrupt() { client_->stop(); }

}  // namespace weir::host
