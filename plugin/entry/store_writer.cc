#include "plugin/entry/store_writer.h"

#include "plugin/base/thread.h"

namespace weir::entry {

void StoreWriter::start() {
    thread_ = start_thread("weir-store", [this] { run(); });
}

void StoreWriter::join() {
    if (thread_.joinable()) thread_.join();
}

void StoreWriter::run() {
    while (const auto batch = outlet_.queue().pop()) note(store_.append(*batch));
    note(store_.flush());
}

// Says once that writing fails, and once that it works again.
void StoreWriter::note(const Status& status) {
    if (!status && !failing_) log_.error("the store cannot be written: " + status.error().message);
    if (status && failing_) log_.info("the store can be written again");
    failing_ = !status;
}

}  // namespace weir::entry
