// The store thread: the one that writes to the store.
#pragma once

#include <memory>
#include <thread>

#include "lmdb-store/store.h"
#include "plugin/base/log.h"
#include "plugin/entry/outlet.h"

namespace weir::entry {

class StoreWriter {
public:
    // All references must outlive the writer.
    StoreWriter(store::Store& store, Outlet& outlet, Logger log)
        : store_(store), outlet_(outlet), log_(std::move(log)) {}
    ~StoreWriter() { join(); }
    StoreWriter(const StoreWriter&) = delete;
    StoreWriter& operator=(const StoreWriter&) = delete;

    void start();
    // Returns when the outlet, which is closed already, is written out and the store flushed.
    void join();

private:
    void run();
    void note(const Status& status);

    store::Store& store_;
    Outlet& outlet_;
    const Logger log_;
    bool failing_ = false;
    std::thread thread_;
};

}  // namespace weir::entry
