#include "lmdb-store/sequence.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace weir::store {
namespace {

constexpr unsigned kMaxExceptions = 255;

enum class Form : std::uint8_t { constant = 0, steps = 1, packed = 2, ascending = 3 };

constexpr std::uint64_t low_bits(unsigned width) {
    return width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
}

struct ChunkPlan {
    unsigned width = 0;
    unsigned exceptions = 0;
    std::size_t bits = 0;
};

// The width that makes the chunk smallest; what an exception costs is estimated from above.
ChunkPlan plan_chunk(std::span<const std::uint64_t> values) {
    std::array<unsigned, 65> with_width{};
    for (const std::uint64_t value : values) with_width[static_cast<unsigned>(std::bit_width(value))]++;
    unsigned top = 64;
    while (top > 0 && with_width[top] == 0) top--;

    ChunkPlan best{top, 0, values.size() * top};
    unsigned over = 0;
    for (unsigned width = top; width-- > 0;) {
        over += with_width[width + 1];
        if (over > kMaxExceptions) break;
        const std::size_t each = 8 + 8 * ((top - width + 6) / 7);
        const std::size_t bits = values.size() * width + over * each;
        if (bits < best.bits) best = {width, over, bits};
    }
    return best;
}

void pack(ByteWriter& out, std::span<const std::uint64_t> values, unsigned width) {
    if (width == 0) return;
    // Whole words first, then as many bytes of them as there are bits.
    std::array<std::uint64_t, kChunk + 1> words;
    std::size_t word = 0;
    unsigned filled = 0;
    words[0] = 0;
    for (const std::uint64_t value : values) {
        const std::uint64_t low = value & low_bits(width);
        words[word] |= low << filled;
        filled += width;
        if (filled >= 64) {
            filled -= 64;
            words[++word] = filled == 0 ? 0 : low >> (width - filled);
        }
    }
    out.bytes({reinterpret_cast<const std::uint8_t*>(words.data()), (values.size() * width + 7) / 8});
}

void write_chunk(ByteWriter& out, std::span<const std::uint64_t> values) {
    const ChunkPlan plan = plan_chunk(values);
    out.fixed(static_cast<std::uint8_t>(plan.width));
    out.fixed(static_cast<std::uint8_t>(plan.exceptions));
    pack(out, values, plan.width);
    if (plan.exceptions == 0) return;
    for (std::size_t i = 0; i < values.size(); i++) {
        if (values[i] > low_bits(plan.width)) out.fixed(static_cast<std::uint8_t>(i));
    }
    for (const std::uint64_t value : values) {
        if (value > low_bits(plan.width)) out.varint(value >> plan.width);
    }
}

struct Shape {
    std::uint64_t min = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t max = 0;
    bool steps = true;
    bool ascending = true;
};

Shape shape_of(std::span<const std::uint64_t> values) {
    Shape out;
    std::uint64_t before = values[0];
    out.min = out.max = before;
    for (const std::uint64_t value : values.subspan(1)) {
        out.min = std::min(out.min, value);
        out.max = std::max(out.max, value);
        out.steps &= value - before == 1;
        out.ascending &= value >= before;
        before = value;
    }
    out.steps &= out.ascending;
    return out;
}

// Gives the chunks of f(i) for i in [0, count) to visit(chunk), one by one.
template <typename F, typename Visit>
void each_chunk(std::size_t count, F f, Visit visit) {
    std::array<std::uint64_t, kChunk> chunk;
    for (std::size_t i = 0; i < count; i += kChunk) {
        const std::size_t n = std::min(kChunk, count - i);
        for (std::size_t k = 0; k < n; k++) chunk[k] = f(i + k);
        visit(std::span<const std::uint64_t>(chunk.data(), n));
    }
}

void put_form(ByteWriter& out, Form form) { out.fixed(static_cast<std::uint8_t>(form)); }

// Loads 8 bytes at any place; the caller sees to it that they are there.
std::uint64_t load(const std::uint8_t* from) {
    std::uint64_t out = 0;
    std::memcpy(&out, from, sizeof(out));
    return out;
}

// `packed` must be readable for 9 bytes beyond its last bit.
void unpack(const std::uint8_t* packed, unsigned width, std::uint64_t base, std::size_t n,
            std::uint64_t* out) {
    const std::uint64_t mask = low_bits(width);
    std::size_t bit = 0;
    if (width <= 56) {
        for (std::size_t i = 0; i < n; i++, bit += width) {
            out[i] = base + ((load(packed + (bit >> 3)) >> (bit & 7)) & mask);
        }
        return;
    }
    for (std::size_t i = 0; i < n; i++, bit += width) {
        const unsigned shift = bit & 7;
        std::uint64_t value = load(packed + (bit >> 3)) >> shift;
        if (shift > 0) value |= std::uint64_t{packed[(bit >> 3) + 8]} << (64 - shift);
        out[i] = base + (value & mask);
    }
}

constexpr std::size_t kSlack = 9;

void read_chunk(ByteReader& in, std::uint64_t base, std::size_t n, std::uint64_t* out) {
    const unsigned width = in.fixed<std::uint8_t>();
    const unsigned exceptions = in.fixed<std::uint8_t>();
    if (width > 64 || exceptions > n) in.fail();
    if (in.failed()) return;
    const Bytes packed = in.take((n * width + 7) / 8);
    const bool has_slack = in.remaining() >= kSlack;
    const Bytes positions = in.take(exceptions);
    if (in.failed()) return;
    if (has_slack) {
        unpack(packed.data(), width, base, n, out);
    } else {
        std::array<std::uint8_t, kChunk * 8 + kSlack> copy{};
        std::copy(packed.begin(), packed.end(), copy.begin());
        unpack(copy.data(), width, base, n, out);
    }
    for (const std::uint8_t position : positions) {
        const std::uint64_t high = in.varint();
        if (position >= n || width >= 64) return in.fail();
        out[position] += high << width;
    }
}

void skip_chunk(ByteReader& in, std::size_t n) {
    const unsigned width = in.fixed<std::uint8_t>();
    const unsigned exceptions = in.fixed<std::uint8_t>();
    if (width > 64 || exceptions > n) return in.fail();
    in.take((n * width + 7) / 8 + exceptions);
    for (unsigned i = 0; i < exceptions; i++) in.varint();
}

template <typename T>
void read_chunks(ByteReader& in, std::uint64_t base, std::size_t count, T* out, const ChunkSet* wanted) {
    std::array<std::uint64_t, kChunk> wide;
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < count && !in.failed(); i += kChunk) {
        const std::size_t n = std::min(kChunk, count - i);
        if (wanted != nullptr && !wanted->has(i / kChunk)) {
            skip_chunk(in, n);
        } else if constexpr (sizeof(T) == sizeof(std::uint64_t)) {
            read_chunk(in, base, n, out + i);
        } else {
            wide[n - 1] = 0;
            read_chunk(in, base, n, wide.data());
            if (in.failed()) return;
            for (std::size_t k = 0; k < n; k++) {
                all |= wide[k];
                out[i + k] = static_cast<T>(wide[k]);
            }
        }
    }
    if (all > std::numeric_limits<T>::max()) in.fail();
}

template <typename T>
void read_ascending(ByteReader& in, std::size_t count, std::vector<T>& out) {
    std::uint64_t value = in.varint();
    const std::uint64_t base = in.varint();
    std::array<std::uint64_t, kChunk> gaps;
    out[0] = static_cast<T>(value);
    if (value > std::numeric_limits<T>::max()) return in.fail();
    for (std::size_t i = 1; i < count; i += kChunk) {
        const std::size_t n = std::min(kChunk, count - i);
        read_chunk(in, base, n, gaps.data());
        if (in.failed()) return;
        for (std::size_t k = 0; k < n; k++) {
            const std::uint64_t before = value;
            value += gaps[k];
            if (value < before) return in.fail();
            out[i + k] = static_cast<T>(value);
        }
        if (value > std::numeric_limits<T>::max()) return in.fail();
    }
}

template <typename T>
void read_values(ByteReader& in, Form form, std::size_t count, std::vector<T>& out, const ChunkSet* wanted) {
    if (form == Form::ascending) return read_ascending(in, count, out);
    const std::uint64_t first = in.varint();
    if (form == Form::packed) return read_chunks(in, first, count, out.data(), wanted);
    const std::uint64_t step = form == Form::steps ? 1 : 0;
    const std::uint64_t last = first + step * (count - 1);
    if (last < first || last > std::numeric_limits<T>::max()) return in.fail();
    for (std::size_t i = 0; i < count; i++) out[i] = static_cast<T>(first + step * i);
}

}  // namespace

void write_sequence(ByteWriter& out, std::span<const std::uint64_t> values) {
    out.varint(values.size());
    if (values.empty()) return put_form(out, Form::constant);
    const Shape shape = shape_of(values);
    if (shape.min == shape.max || shape.steps) {
        put_form(out, shape.min == shape.max ? Form::constant : Form::steps);
        return out.varint(values[0]);
    }
    const auto packed = [&](std::size_t i) { return values[i] - shape.min; };
    const auto write = [&](std::span<const std::uint64_t> chunk) { write_chunk(out, chunk); };
    if (shape.ascending) {
        std::uint64_t base = std::numeric_limits<std::uint64_t>::max();
        for (std::size_t i = 1; i < values.size(); i++) base = std::min(base, values[i] - values[i - 1]);
        const auto gap = [&](std::size_t i) { return values[i + 1] - values[i] - base; };
        const auto bits_of = [](std::size_t count, auto f) {
            std::size_t bits = 0;
            each_chunk(count, f,
                       [&](std::span<const std::uint64_t> chunk) { bits += plan_chunk(chunk).bits; });
            return bits;
        };
        if (bits_of(values.size() - 1, gap) < bits_of(values.size(), packed)) {
            put_form(out, Form::ascending);
            out.varint(values[0]);
            out.varint(base);
            return each_chunk(values.size() - 1, gap, write);
        }
    }
    put_form(out, Form::packed);
    out.varint(shape.min);
    each_chunk(values.size(), packed, write);
}

template <typename T>
void read_sequence(ByteReader& in, std::size_t max_count, std::vector<T>& out, const ChunkSet* wanted) {
    const std::uint64_t count = in.varint();
    const auto form = in.fixed<std::uint8_t>();
    if (count > max_count || form > static_cast<std::uint8_t>(Form::ascending)) in.fail();
    if (in.failed() || count == 0) return out.clear();
    // What it held before is written over, and not cleared first.
    out.resize(static_cast<std::size_t>(count));
    read_values(in, static_cast<Form>(form), out.size(), out, wanted);
    if (in.failed()) out.clear();
}

template void read_sequence(ByteReader&, std::size_t, std::vector<std::uint32_t>&, const ChunkSet*);
template void read_sequence(ByteReader&, std::size_t, std::vector<std::uint64_t>&, const ChunkSet*);

}  // namespace weir::store
