// A place that points go to. A new kind is one more file and one more row in target.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "abi/host/expected.h"

namespace weir::host {

// Points as the plugin encoded them; shared by the targets, never changed.
struct Batch {
    std::string bytes;
    std::uint64_t points = 0;
};

struct Delivery {
    enum class Result : std::uint8_t {
        done,     // the batch is there, whole
        retry,    // not there now: try the same batch again
        refused,  // it will never be taken: drop it
        closed,   // nothing will be taken any more
    };
    Result result = Result::done;
    std::string why;                         // empty when done; safe to print after printable()
    std::chrono::milliseconds not_before{};  // retry: the least wait that the other side asked for
};

// One thread calls deliver(), always again with the same batch after `retry`.
class Target {
public:
    virtual ~Target() = default;

    // As messages call it; holds no secret.
    virtual std::string name() const = 0;
    // Before anything starts: why this cannot work here, if that can be known without leaving a trace.
    virtual Expected<void> check() { return {}; }
    // When the run has started, before the first batch.
    virtual void open() {}
    // One attempt. Bounded in time, or ended by interrupt().
    virtual Delivery deliver(const Batch& batch) = 0;
    // [any thread] Makes a deliver() that is under way return soon, and later ones at once.
    virtual void interrupt() {}
};

// A target from its word on the command line, such as "file:/tmp/points". The error is one for the person who
// wrote the command line.
Expected<std::unique_ptr<Target>> make_target(const std::string& word, std::int32_t points_format);

// The kinds; each gets what follows its prefix.
Expected<std::unique_ptr<Target>> make_stdout_target(const std::string& rest, std::int32_t points_format);
Expected<std::unique_ptr<Target>> make_file_target(const std::string& rest, std::int32_t points_format);
Expected<std::unique_ptr<Target>> make_influx_target(const std::string& rest, std::int32_t points_format);

}  // namespace weir::host
