#include "plugin/entry/emitter.h"

#include "plugin/base/thread.h"

namespace weir::entry {
namespace {

// What the host gets in one call.
constexpr std::uint64_t kMaxPoints = 1000;
constexpr std::size_t kMaxBytes = 1 << 20;

}  // namespace

Emitter::Emitter(PointFormat format, Outlet& outlet, Delivery& delivery, TagMap tags, Ledger& ledger)
    : format_(format), outlet_(outlet), delivery_(delivery), ledger_(ledger), tags_(std::move(tags)) {}

void Emitter::start() {
    thread_ = start_thread("weir-emit", [this] { run(); });
}

void Emitter::join() {
    if (thread_.joinable()) thread_.join();
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
    std::vector<Tag> host_tags = delivery_.global_tags();
    std::vector<Tag> tags;
    {
        const std::lock_guard lock(mutex_);
        if (!tags_changed_ && host_tags == host_tags_) return;
        tags_changed_ = false;
        for (const auto& [key, value] : tags_) tags.push_back({key, value});
    }
    tags.insert(tags.end(), host_tags.begin(), host_tags.end());
    host_tags_ = std::move(host_tags);
    encoder_ = make_encoder(format_, tags);
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
    if (encoder_->refused() != 0) ledger_.add(Loss::points_unwritable, encoder_->refused());
    if (encoder_->point_count() != 0) delivery_.put(encoder_->bytes(), encoder_->point_count());
    encoder_->clear();
}

}  // namespace weir::entry
