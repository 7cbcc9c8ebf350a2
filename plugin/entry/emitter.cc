#include "plugin/entry/emitter.h"

#include <algorithm>

#include "plugin/base/thread.h"

namespace weir::entry {
namespace {

// What the host gets in one call.
constexpr std::uint64_t kMaxPoints = 1000;
constexpr std::size_t kMaxBytes = 1 << 20;

constexpr std::chrono::milliseconds kFirstPause{20};
constexpr std::chrono::milliseconds kLongestPause{1000};

}  // namespace

Emitter::Emitter(const Host& host, Outlet& outlet, TagMap tags, Ledger& ledger)
    : host_(host), log_(host.logger()), outlet_(outlet), ledger_(ledger), tags_(std::move(tags)) {}

Emitter::~Emitter() { stop(std::chrono::steady_clock::now()); }

void Emitter::start() {
    thread_ = start_thread("weir-emit", [this] { run(); });
}

bool Emitter::stop(Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        give_up_ = deadline;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    return refused_ == 0;
}

void Emitter::set_tags(TagMap tags) {
    const std::lock_guard lock(mutex_);
    tags_ = std::move(tags);
    tags_changed_ = true;
}

void Emitter::run() {
    while (const auto batch = outlet_.queue().pop()) {
        if (paused_) continue;
        refresh_encoder();
        emit(**batch);
    }
}

void Emitter::refresh_encoder() {
    const std::uint64_t version = host_.global_tags_version();
    TagMap own;
    {
        const std::lock_guard lock(mutex_);
        if (!tags_changed_ && encoder_ && version == tags_version_) return;
        tags_changed_ = false;
        own = tags_;
    }
    tags_version_ = version;
    std::vector<Tag> tags;
    for (const auto& [key, value] : own) tags.push_back({key, value});
    for (Tag& tag : host_.global_tags()) tags.push_back(std::move(tag));
    encoder_ = make_encoder(PointFormat::line_protocol, tags);
}

void Emitter::emit(const Batch& batch) {
    emit_rows(batch, batch.l4);
    emit_rows(batch, batch.l7);
    emit_rows(batch, batch.dns);
    flush();
}

template <typename Row>
void Emitter::emit_rows(const Batch& batch, const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        encoder_->append(batch, row);
        if (encoder_->point_count() >= kMaxPoints || encoder_->bytes().size() >= kMaxBytes) flush();
    }
}

void Emitter::flush() {
    const std::uint64_t count = encoder_->point_count();
    if (count == 0) return;
    bool taken = false;
    bool told = false;
    for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
        const weir_emit_result answer = host_.emit(encoder_->bytes(), count);
        taken = answer == WEIR_EMIT_OK;
        if (taken) break;
        busy_++;
        if (pause == kLongestPause && !told) {
            told = true;
            host_.report_status(WEIR_E_TIMEOUT, "the host has not taken points for more than a second");
        }
        if (answer == WEIR_EMIT_CLOSED && is_stopping()) break;
        if (!wait_to_retry(pause)) break;
    }
    if (told && taken) host_.report_status(WEIR_OK, "the host takes points again");
    if (taken) {
        points_ += count;
    } else {
        refused_ += count;
        ledger_.add(Loss::points_refused, count);
    }
    encoder_->clear();
}

bool Emitter::is_stopping() {
    const std::lock_guard lock(mutex_);
    return give_up_ != Deadline::max();
}

// False when there is no time left.
bool Emitter::wait_to_retry(std::chrono::milliseconds pause) {
    std::unique_lock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + pause;
    const auto over = [&] { return give_up_ <= std::chrono::steady_clock::now(); };
    changed_.wait_until(lock, std::min(until, give_up_), over);
    return !over();
}

}  // namespace weir::entry
