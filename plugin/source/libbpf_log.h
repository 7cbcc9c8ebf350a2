// What libbpf says while it works, caught by thread. libbpf has one print function for the whole
// process; it is installed once and keeps the words of a thread that asked for them, to be shown when
// something failed. Words of other threads are dropped.
#pragma once

#include <string>

namespace weir {

class LibbpfLog {
public:
    LibbpfLog();
    ~LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;

    // The first warnings, on one line; empty when there were none.
    std::string summary() const;

private:
    std::string words_;
};

}  // namespace weir
