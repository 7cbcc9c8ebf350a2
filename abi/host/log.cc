#include "abi/host/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

#include "abi/host/printable.h"
#include "weir_abi.h"

namespace weir::host {
namespace {

constexpr int kPatienceMs = 20;
// Together with time and level a line stays below PIPE_BUF: a pipe takes it whole or not at all.
constexpr std::size_t kLongestText = PIPE_BUF - 64;

const char* level_name(std::int32_t level) {
    switch (level) {
        case WEIR_LOG_DEBUG: return "debug";
        case WEIR_LOG_INFO: return "info";
        case WEIR_LOG_WARNING: return "warning";
        default: return "error";
    }
}

std::string time_text() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    char day[32];
    std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    char text[48];
    std::snprintf(text, sizeof text, "%s.%03ldZ", day, now.tv_nsec / 1'000'000);
    return text;
}

// False when stderr has no room for now or is gone.
bool write_all(std::string_view text) {
    while (!text.empty()) {
        pollfd stderr_ready{STDERR_FILENO, POLLOUT, 0};
        if (poll(&stderr_ready, 1, kPatienceMs) <= 0) return false;
        const ssize_t written =
            ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

void Log::line(std::int32_t level, std::string_view text) {
    if (level == WEIR_LOG_DEBUG) return;
    write(time_text() + ' ' + level_name(level) + ' ' + shortened(printable(text), kLongestText) + '\n');
}

void Log::info(std::string_view text) { line(WEIR_LOG_INFO, text); }
void Log::warning(std::string_view text) { line(WEIR_LOG_WARNING, text); }
void Log::error(std::string_view text) { line(WEIR_LOG_ERROR, text); }

void Log::plain(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    write(printable(text, Newlines::keep) + '\n');
}

void Log::write(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (dropped_ > 0 &&
        write_all("(" + std::to_string(dropped_) + " lines were lost: stderr was not read)\n")) {
        dropped_ = 0;
    }
    if (!write_all(text)) ++dropped_;
}

}  // namespace weir::host
