// How long the host has been in a callback: one watch for each thread that calls it.
//
// The thread itself brackets its calls; any other may look. A call that takes too long is found out once,
// either by who looks while it lasts or at its end.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace weir::entry {

class CallWatch {
public:
    static constexpr std::chrono::nanoseconds kTooLong = std::chrono::seconds(1);

    struct Slow {
        const char* name = "";
        double seconds = 0;  // so far
    };

    // Runs a callback of that name.
    template <typename Callback>
    auto call(const char* name, Callback callback) {
        struct End {
            CallWatch& watch;
            ~End() { watch.since_ = 0; }
        };
        name_ = name;
        reported_ = false;
        since_ = now();
        const End end{*this};
        return callback();
    }

    // The call that is under way, when it takes too long and nobody has said so yet.
    std::optional<Slow> find_slow() {
        const std::int64_t since = since_;
        if (since == 0 || now() - since < kTooLong.count() || reported_.exchange(true)) return std::nullopt;
        return Slow{name_, seconds_since(since)};
    }

    // Of the call under way; 0 when there is none.
    double seconds() const {
        const std::int64_t since = since_;
        return since == 0 ? 0 : seconds_since(since);
    }
    bool is_too_long() const { return seconds() * 1e9 >= static_cast<double>(kTooLong.count()); }

private:
    static std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
    static double seconds_since(std::int64_t since) { return static_cast<double>(now() - since) * 1e-9; }

    std::atomic<const char*> name_{""};
    std::atomic<std::int64_t> since_{0};  // steady clock, ns
    std::atomic<bool> reported_{false};
};

}  // namespace weir::entry
