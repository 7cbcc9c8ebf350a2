#include "plugin/base/thread.h"

#include <pthread.h>

namespace weir {

BlockSignals::BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
}

BlockSignals::~BlockSignals() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

std::thread start_thread(std::string name, std::function<void()> body) {
    const BlockSignals blocked;  // inherited from its first instruction on
    return std::thread([name = std::move(name), body = std::move(body)] {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        body();
    });
}

}  // namespace weir
