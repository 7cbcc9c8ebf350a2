// influx:URL, any endpoint that takes line protocol by POST: InfluxDB 1, 2 and 3, VictoriaMetrics, Telegraf,
// GreptimeDB, QuestDB.
//
// What an answer means for the batch:
//   2xx                          it is there
//   429, 502, 503, 504           not now, for as long as it takes (Retry-After is honoured up to 30 s)
//   no connection, no answer     the same. A server that took the batch and lost its answer gets it again;
//   the
//                                points have the same time and tags, so it overwrites what it has
//   other 5xx                    the same, but given up after kServerFaults: it may be this batch that the
//                                server trips over, and what waits behind it must not wait for ever
//   all else                     refused: the same request would be answered the same way
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "abi/host/printable.h"
#include "abi/host/target.h"
#include "abi/host/url.h"
#include "weir_abi.h"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectTimeout = 3s;
constexpr auto kAnswerTimeout = 10s;
constexpr auto kLongestRetryAfter = 30s;
constexpr int kServerFaults = 120;  // about ten minutes at the longest back-off
constexpr std::size_t kWordsKept = 300;
constexpr std::size_t kWordsRead = std::size_t{64} << 10U;

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

bool is_outage(int status) { return status == 429 || (status >= 502 && status <= 504); }

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

std::unique_ptr<httplib::ClientImpl> make_client(const HttpUrl& url) {
    std::unique_ptr<httplib::ClientImpl> client;
    if (url.tls) {
        client = std::make_unique<httplib::SSLClient>(url.host, url.port);
    } else {
        client = std::make_unique<httplib::ClientImpl>(url.host, url.port);
    }
    client->set_connection_timeout(kConnectTimeout);
    client->set_read_timeout(kAnswerTimeout);
    client->set_write_timeout(kAnswerTimeout);
    client->set_keep_alive(true);
    client->set_tcp_nodelay(true);
    client->set_url_encode(false);
    if (!url.user.empty()) client->set_basic_auth(url.user, url.password);
    return client;
}

class InfluxTarget final : public Target {
public:
    explicit InfluxTarget(HttpUrl url) : url_(std::move(url)), client_(make_client(url_)) {
        const char* token = std::getenv("INFLUX_TOKEN");
        if (token != nullptr && url_.user.empty())
            headers_.emplace("Authorization", std::string("Token ") + token);
        headers_.emplace("Content-Type", "text/plain; charset=utf-8");
        headers_.emplace("User-Agent", "weir-host/" WEIR_HOST_VERSION);
    }

    std::string name() const override { return "influx:" + url_.without_secrets(); }
    Delivery deliver(const Batch& batch) override;
    void interrupt() override { client_->stop(); }

private:
    Delivery judge(int status, std::string why, std::chrono::milliseconds not_before);

    HttpUrl url_;
    std::unique_ptr<httplib::ClientImpl> client_;
    httplib::Headers headers_;
    int faults_ = 0;  // answers 5xx in a row to the batch under way
};

Delivery InfluxTarget::deliver(const Batch& batch) {
    std::string words;
    httplib::Request request;
    request.method = "POST";
    request.path = url_.path + url_.query;
    request.headers = headers_;
    request.body = batch.bytes;
    request.content_receiver = [&words](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
        words.append(data, size);
        return words.size() < kWordsRead;
    };
    httplib::Response response;
    auto error = httplib::Error::Success;
    client_->send(request, response, error);
    // An answer counts even when its body broke off: the status says what became of the batch.
    if (response.status < 200) return {Delivery::Result::retry, error_text(error), {}};
    return judge(response.status, answer_text(response.status, words), retry_after(response));
}

Delivery InfluxTarget::judge(int status, std::string why, std::chrono::milliseconds not_before) {
    using Result = Delivery::Result;
    const bool fault = status >= 500 && !is_outage(status);
    faults_ = fault ? faults_ + 1 : 0;
    if (status < 300) return {};
    if (is_outage(status)) return {Result::retry, std::move(why), not_before};
    if (fault && faults_ < kServerFaults) return {Result::retry, std::move(why), not_before};
    faults_ = 0;
    return {Result::refused, std::move(why), {}};
}

}  // namespace

Expected<std::unique_ptr<Target>> make_influx_target(const std::string& rest, std::int32_t points_format) {
    if (points_format != WEIR_FORMAT_LINE_PROTOCOL) {
        return fail("the target influx: takes line protocol only, so --format protobuf does not go with it");
    }
    auto url = parse_http_url(rest);
    if (!url) return fail("the target influx: is wrong: " + url.error());
    if (url->path.empty()) {
        url->path = "/write";
        if (url->query.empty()) url->query = "?db=weir&precision=ns";
    }
    return std::make_unique<InfluxTarget>(std::move(*url));
}

}  // namespace weir::host
