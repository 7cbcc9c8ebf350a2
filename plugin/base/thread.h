// Threads of a plugin that lives in somebody else's process.
//
// Each has a name (visible in ps -T and in crash dumps) and blocks every signal, so that the host's
// handlers never run on a thread of ours.
#pragma once

#include <signal.h>

#include <functional>
#include <string>
#include <thread>

namespace weir {

// Starts a joinable thread. At most 15 characters of the name are shown by the system.
std::thread start_thread(std::string name, std::function<void()> body);

// Blocks every signal in the calling thread for as long as it lives: threads started meanwhile, by
// a library for example, inherit the mask.
class BlockSignals {
public:
    BlockSignals();
    ~BlockSignals();
    BlockSignals(const BlockSignals&) = delete;
    BlockSignals& operator=(const BlockSignals&) = delete;

private:
    sigset_t saved_;
};

}  // namespace weir
