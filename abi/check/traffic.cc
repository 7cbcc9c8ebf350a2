#include "abi/check/traffic.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

namespace weir::check {
namespace {

constexpr std::string_view kRequest = "GET /weir-abi-check HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
constexpr useconds_t kPause = 50'000;

void pass_on(int from, int to, std::string_view text) {
    char buffer[256];
    if (write(from, text.data(), text.size()) < 0) return;
    [[maybe_unused]] const ssize_t got = read(to, buffer, sizeof buffer);
}

void exchange(int listener, const sockaddr* address, socklen_t size) {
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(client, address, size) == 0) {
        const int server = accept(listener, nullptr, nullptr);
        pass_on(client, server, kRequest);
        pass_on(server, client, kAnswer);
        close(server);
    }
    close(client);
}

[[noreturn]] void run() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, any, size) != 0 || listen(listener, 8) != 0 || getsockname(listener, any, &size) != 0)
        _exit(1);
    for (;; usleep(kPause)) exchange(listener, any, size);
}

}  // namespace

Traffic::Traffic() : process_(fork()) {
    if (process_ == 0) run();
}

Traffic::~Traffic() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
}

}  // namespace weir::check
