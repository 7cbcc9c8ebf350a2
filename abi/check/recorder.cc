#include "abi/check/recorder.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <string_view>

#include "abi/check/process_state.h"
#include "abi/check/text.h"

namespace weir::check {
namespace {

constexpr std::string_view kName = "weir-abi-check";
constexpr std::string_view kVersion = "1";

// More than any rule looks at: a plugin without back-pressure must not fill the memory.
constexpr std::size_t kMostOffers = 100'000;

bool is_one_line_of_utf8(std::string_view text) {
    return !text.empty() && text.find('\n') == std::string_view::npos && is_utf8(text);
}

}  // namespace

weir_host_v1 Recorder::table() {
    weir_host_v1 table{};
    table.struct_size = sizeof table;
    table.ctx = reinterpret_cast<std::uintptr_t>(this);
    table.points_format = format_;
    table.name = {kName.data(), kName.size()};
    table.version = {kVersion.data(), kVersion.size()};
    table.log = log;
    table.emit_points = emit;
    table.emit_status = status;
    table.now_ns = now;
    table.global_tags = global_tags;
    table.should_stop = should_stop;
    table.get_extension = extension;
    return table;
}

Recorder& Recorder::called(weir_host_ctx ctx) {
    auto& self = *reinterpret_cast<Recorder*>(static_cast<std::uintptr_t>(ctx));
    ++self.calls_;
    if (self.closed_) ++self.stray_calls_;
    return self;
}

void Recorder::complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (complaints_.size() < 10) complaints_.push_back(what);
}

void Recorder::log(weir_host_ctx ctx, std::int32_t level, const char* text, std::uint64_t size) noexcept {
    Recorder& self = called(ctx);
    if (self.log_hook_) self.log_hook_();
    const std::string_view line(text == nullptr ? "" : text, text == nullptr ? 0 : size);
    if (level < WEIR_LOG_DEBUG || level > WEIR_LOG_ERROR) {
        self.complain("log has level " + std::to_string(level));
    }
    if (!is_one_line_of_utf8(line)) self.complain("log has no single line of UTF-8: " + std::string(line));
}

weir_emit_result Recorder::emit(weir_host_ctx ctx, std::int32_t format, const std::uint8_t* bytes,
                                std::uint64_t size, std::uint64_t points) noexcept {
    Recorder& self = called(ctx);
    Offer offer{{}, points, format, self.answer_, gettid(), all_signals_blocked() == 1};
    if (bytes != nullptr) offer.bytes.assign(reinterpret_cast<const char*>(bytes), size);
    const weir_emit_result answer = offer.answer;
    {
        const std::lock_guard lock(self.mutex_);
        if (self.offers_.size() < kMostOffers) self.offers_.push_back(std::move(offer));
    }
    if (self.emit_hook_) self.emit_hook_();
    return answer;
}

void Recorder::status(weir_host_ctx ctx, weir_code code, const char* text, std::uint64_t size) noexcept {
    Recorder& self = called(ctx);
    if (code > 0) self.complain("emit_status has code " + std::to_string(code));
    if (size > 0 && (text == nullptr || !is_one_line_of_utf8({text, size}))) {
        self.complain("emit_status has no single line of UTF-8");
    }
}

std::int64_t Recorder::now(weir_host_ctx ctx) noexcept {
    called(ctx);
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::uint64_t Recorder::global_tags(weir_host_ctx ctx, char* buffer, std::uint64_t capacity,
                                    std::uint64_t* length) noexcept {
    const Recorder& self = called(ctx);
    if (buffer != nullptr) {
        std::memcpy(buffer, self.tags_.data(), std::min<std::uint64_t>(capacity, self.tags_.size()));
    }
    if (length != nullptr) *length = self.tags_.size();
    return 1;
}

std::int32_t Recorder::should_stop(weir_host_ctx ctx) noexcept {
    called(ctx);
    return 0;
}

const void* Recorder::extension(weir_host_ctx ctx, const char* /*id*/, std::uint64_t /*size*/) noexcept {
    called(ctx);
    return nullptr;
}

std::vector<Offer> Recorder::offers() const {
    const std::lock_guard lock(mutex_);
    return offers_;
}

std::size_t Recorder::offer_count() const {
    const std::lock_guard lock(mutex_);
    return offers_.size();
}

std::size_t Recorder::taken() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(
        offers_.begin(), offers_.end(), [](const Offer& offer) { return offer.answer == WEIR_EMIT_OK; }));
}

std::vector<std::string> Recorder::complaints() const {
    const std::lock_guard lock(mutex_);
    return complaints_;
}

}  // namespace weir::check
