// The ABI's way of making texts: into a buffer of the caller's, with the full length told.
#pragma once

#include <algorithm>
#include <string>

#include "weir_abi.h"

namespace weir::host {

struct PluginText {
    weir_code code = WEIR_OK;
    std::string text;
};

inline weir_borrowed borrowed(const std::string& text) { return {text.data(), text.size()}; }

// Room for any text of sane size at the first call: some calls are too dear, or do too much, to make twice.
inline constexpr std::size_t kFirstRoom = 64 * 1024;

// The text of one call of `ask(buffer, capacity, &length)`, cut when it is longer than the room.
template <typename Ask>
PluginText ask_once(Ask ask, std::size_t room = kFirstRoom) {
    PluginText answer;
    answer.text.resize(room);
    std::uint64_t length = 0;
    answer.code = ask(answer.text.data(), answer.text.size(), &length);
    answer.text.resize(std::min<std::uint64_t>(length, room));
    return answer;
}

// The same for calls that may be repeated: the whole text, up to 16 MiB.
template <typename Ask>
PluginText ask_whole(Ask ask) {
    constexpr std::uint64_t kMost = 16U << 20U;
    std::uint64_t length = 0;
    const auto noting_length = [&](char* buffer, std::uint64_t capacity, std::uint64_t* out) {
        const weir_code code = ask(buffer, capacity, &length);
        *out = length;
        return code;
    };
    PluginText answer = ask_once(noting_length);
    if (length > answer.text.size()) answer = ask_once(noting_length, std::min(length, kMost));
    return answer;
}

}  // namespace weir::host
