#pragma once

#include <sys/types.h>

namespace weir::check {

// Something for a plugin to see: a process that asks itself for pages over loopback, twenty times a second,
// until it is told to end or its parent is gone. Not started: nothing, and points may not come.
class Traffic {
public:
    Traffic();
    ~Traffic();
    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;

private:
    pid_t process_ = -1;
};

}  // namespace weir::check
