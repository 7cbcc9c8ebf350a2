// What a fuzz target reads its input with, and how it fails.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace weir::fuzz {

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

    bool is_empty() const { return left_.empty(); }
    // 0 when there is no more.
    std::uint8_t byte() { return left_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes(1)[0]); }
    std::uint16_t number() {
        const std::uint16_t low = byte();
        return static_cast<std::uint16_t>(low | byte() << 8);
    }
    // As many as there are.
    std::string_view bytes(std::size_t n) {
        const std::string_view out = left_.substr(0, n);
        left_.remove_prefix(out.size());
        return out;
    }

private:
    std::string_view left_;
};

inline void check(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

}  // namespace weir::fuzz
