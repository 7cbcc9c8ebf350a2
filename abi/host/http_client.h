// POST over one connection that is kept: TCP, TLS or a unix socket.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "abi/host/url.h"

namespace httplib {
class ClientImpl;
}

namespace weir::host {

struct HttpAnswer {
    int status = 0;     // 0: there was none
    std::string words;  // of the server, or why there was no answer; printable and short
    std::chrono::milliseconds retry_after{};  // as the server asked, at most 30 s
};

using HttpHeaders = std::multimap<std::string, std::string>;

// One thread; interrupt() from any.
class HttpClient {
public:
    explicit HttpClient(const HttpUrl& url);
    ~HttpClient();

    // Takes at most a few seconds for the connection, and as long for each pause of the server in its answer.
    HttpAnswer post(const std::string& path, const HttpHeaders& headers, std::string_view body);

    // A post() that is under way returns soon.
    void interrupt();

private:
    std::unique_ptr<httplib::ClientImpl> client_;
};

}  // namespace weir::host
