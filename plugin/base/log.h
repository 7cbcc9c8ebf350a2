// Log lines go to the host; Weir owns no file or terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace weir {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// Thread-safe. Must not be called while a lock is held (the host's callback may take its own).
class Logger {
public:
    using Sink = std::function<void(LogLevel, std::string_view)>;

    Logger() = default;
    explicit Logger(Sink sink) : sink_(std::move(sink)) {}

    void log(LogLevel level, std::string_view message) const {
        if (sink_) sink_(level, message);
    }
    void debug(std::string_view message) const { log(LogLevel::debug, message); }
    void info(std::string_view message) const { log(LogLevel::info, message); }
    void warning(std::string_view message) const { log(LogLevel::warning, message); }
    void error(std::string_view message) const { log(LogLevel::error, message); }

private:
    Sink sink_;
};

}  // namespace weir
