// The emit thread: encodes the batches of the outlet as points, for the delivery.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "plugin/base/ledger.h"
#include "plugin/entry/delivery.h"
#include "plugin/entry/outlet.h"
#include "plugin/point/encoder.h"

namespace weir::entry {

using TagMap = std::map<std::string, std::string>;

class Emitter {
public:
    // All references must outlive the emitter. `tags` come before the host's global tags.
    Emitter(PointFormat format, Outlet& outlet, Delivery& delivery, TagMap tags, Ledger& ledger);
    ~Emitter() { join(); }
    Emitter(const Emitter&) = delete;
    Emitter& operator=(const Emitter&) = delete;

    void start();
    // Returns when the outlet, which is closed already, is encoded.
    void join();

    // Paused: batches are taken from the outlet and not made into points. Any thread.
    void set_paused(bool paused) { paused_ = paused; }
    // Any thread.
    void set_tags(TagMap tags);

private:
    void run();
    void refresh_encoder();
    void emit(const Batch& batch);
    template <typename Row>
    void emit_rows(const Batch& batch, const std::vector<Row>& rows);
    void flush();

    const PointFormat format_;
    Outlet& outlet_;
    Delivery& delivery_;
    Ledger& ledger_;
    std::unique_ptr<PointEncoder> encoder_;
    std::vector<Tag> host_tags_;  // those in the encoder
    std::atomic<bool> paused_{false};

    std::mutex mutex_;  // of what follows
    TagMap tags_;
    bool tags_changed_ = true;

    std::thread thread_;
};

}  // namespace weir::entry
