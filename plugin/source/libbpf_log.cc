#include "plugin/source/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace weir {
namespace {

constexpr std::size_t kKept = 16 * 1024;

thread_local std::string* listening = nullptr;

int on_print(libbpf_print_level level, const char* format, va_list arguments) {
    if (listening == nullptr || level == LIBBPF_DEBUG) return 0;
    std::array<char, 4096> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    if (level == LIBBPF_WARN && listening->size() < kKept) listening->append(line.data());
    return 0;
}

}  // namespace

LibbpfLog::LibbpfLog() {
    static std::once_flag once;
    std::call_once(once, [] { libbpf_set_print(on_print); });
    listening = &words_;
}

LibbpfLog::~LibbpfLog() { listening = nullptr; }

std::string LibbpfLog::summary() const {
    constexpr std::size_t kLongest = 400;
    std::string out;
    for (const char c : words_.substr(0, kLongest)) out.push_back(c == '\n' ? ' ' : c);
    return out;
}

}  // namespace weir
