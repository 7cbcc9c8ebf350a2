// Writes and reads the store's bytes. Numbers are little-endian, as the machines are that Weir runs on.
//
// The reader trusts nothing: what it reads may come from a damaged or hostile file. Reading past the end
// gives zeros and sets failed(), which sticks, so a decoder reads a whole structure and asks once.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace weir::store {

static_assert(std::endian::native == std::endian::little);

using Bytes = std::span<const std::uint8_t>;

// Signed numbers as unsigned ones that are small when the number is near 0: 0, -1, 1, -2, ...
constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

class ByteWriter {
public:
    explicit ByteWriter(std::vector<std::uint8_t>& out) : out_(out) {}

    template <std::unsigned_integral T>
    void fixed(T value) {
        const std::size_t at = out_.size();
        out_.resize(at + sizeof(T));
        std::memcpy(out_.data() + at, &value, sizeof(T));
    }
    // Seven bits a byte, least significant first; the top bit says that more follow.
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<std::uint8_t>(value | 0x80));
        out_.push_back(static_cast<std::uint8_t>(value));
    }
    void bytes(Bytes data) { out_.insert(out_.end(), data.begin(), data.end()); }
    // Length, then the bytes.
    void text(std::string_view text) {
        varint(text.size());
        out_.insert(out_.end(), text.begin(), text.end());
    }
    std::size_t size() const { return out_.size(); }
    std::vector<std::uint8_t>& buffer() { return out_; }

private:
    std::vector<std::uint8_t>& out_;
};

class ByteReader {
public:
    explicit ByteReader(Bytes data) : data_(data) {}

    template <std::unsigned_integral T>
    T fixed() {
        T value = 0;
        const Bytes from = take(sizeof(T));
        if (!from.empty()) std::memcpy(&value, from.data(), sizeof(T));
        return value;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint64_t byte = fixed<std::uint8_t>();
            value |= (byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        failed_ = true;
        return 0;
    }
    // The next n bytes; empty and failed when there are fewer.
    Bytes take(std::size_t n) {
        if (n > remaining()) {
            failed_ = true;
            at_ = data_.size();
            return {};
        }
        const Bytes out = data_.subspan(at_, n);
        at_ += n;
        return out;
    }
    std::string_view text() {
        const std::uint64_t size = varint();
        const Bytes from = take(size > remaining() ? remaining() + 1 : static_cast<std::size_t>(size));
        return {reinterpret_cast<const char*>(from.data()), from.size()};
    }
    std::size_t remaining() const { return data_.size() - at_; }
    bool failed() const { return failed_; }
    bool at_end() const { return remaining() == 0; }
    void fail() { failed_ = true; }

private:
    Bytes data_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

}  // namespace weir::store
