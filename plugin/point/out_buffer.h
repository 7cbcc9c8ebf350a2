// The bytes of a batch of points in the making. Room is asked for once for a piece, which is then written
// through a plain pointer; memory is kept from batch to batch, so that encoding does not allocate.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace weir {

class OutBuffer {
public:
    // Where the next bytes go; there is room for `size` of them and, beyond, for kSlack that may be
    // overwritten by copies that are longer than what they copy.
    char* room(std::size_t size) {
        if (capacity_ - used_ < size + kSlack) grow(size + kSlack);
        return data_.get() + used_;
    }
    // What has been written ends at `end`, inside the room last asked for.
    void advance_to(const char* end) { used_ = static_cast<std::size_t>(end - data_.get()); }

    char* at(std::size_t offset) { return data_.get() + offset; }
    std::size_t size() const { return used_; }
    void cut(std::size_t size) { used_ = size; }
    std::string_view view() const { return {data_.get(), used_}; }

    static constexpr std::size_t kSlack = 32;

private:
    void grow(std::size_t size) {
        const std::size_t capacity = std::max<std::size_t>(2 * capacity_, used_ + size + 4096);
        std::unique_ptr<char[]> larger(new char[capacity]);
        if (used_ != 0) std::memcpy(larger.get(), data_.get(), used_);
        data_ = std::move(larger);
        capacity_ = capacity;
    }

    std::unique_ptr<char[]> data_;
    std::size_t capacity_ = 0;
    std::size_t used_ = 0;
};

inline char* copy(char* to, std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    return to + text.size();
}

// What stands before a value, made once: short ones are copied in two moves, whatever their length.
class Head {
public:
    explicit Head(std::string_view bytes) : bytes_(bytes), size_(bytes.size()) {
        bytes_.resize(std::max(size_, OutBuffer::kSlack));
    }

    std::size_t size() const { return size_; }
    std::string_view view() const { return {bytes_.data(), size_}; }
    // Into the room of an OutBuffer.
    char* copy_to(char* to) const {
        if (size_ > OutBuffer::kSlack) return copy(to, view());
        std::memcpy(to, bytes_.data(), OutBuffer::kSlack);
        return to + size_;
    }

private:
    std::string bytes_;  // padded
    std::size_t size_;
};

}  // namespace weir
