// Connects that failed before there was a SYN, of threads that made no other since: bpf/attempts.h says how
// they are known. Both sides write the notes; a note belongs to whoever has claimed it.
#pragma once

#include "plugin/base/status.h"
#include "plugin/source/source.h"

namespace weir {

class UnsentConnects {
public:
    UnsentConnects() = default;
    ~UnsentConnects() { unmap(); }
    UnsentConnects(const UnsentConnects&) = delete;
    UnsentConnects& operator=(const UnsentConnects&) = delete;

    // `fd`: of the map `attempts`.
    Status map(int fd);
    void unmap();

    // Hands over those that are old enough to be sure of. The last time it waits until all are, for a moment.
    // `ticks`: the kernel side's, which nobody else counts on meanwhile.
    void sweep(RecordSink& sink, __u64& ticks, bool last);

private:
    bool take_old(RecordSink& sink, __u64 tick);

    weir_attempt* attempts_ = nullptr;
};

}  // namespace weir
