// The host's words on stderr: whole lines with time and level, safe for a terminal.
//
// A reader of stderr who stops reading must not stop the plugin, whose threads log through here: a line waits
// a moment for room, then it is dropped and counted, and the next line that gets through says how many were.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace weir::host {

// Thread-safe.
class Log {
public:
    // "2026-01-31T12:00:00.123Z warning text"; `level` is a WEIR_LOG_ value. Debug lines are left out.
    void line(std::int32_t level, std::string_view text);
    void info(std::string_view text);
    void warning(std::string_view text);
    void error(std::string_view text);

    // Text for the person at the terminal, as it is but printable, with a newline at its end.
    void plain(std::string_view text);

private:
    void write(std::string_view text);

    std::mutex mutex_;
    std::uint64_t dropped_ = 0;
};

}  // namespace weir::host
