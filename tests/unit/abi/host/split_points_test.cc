#include "abi/host/split_points.h"

#include <criterion/criterion.h>

#include <string>

#include "weir_abi.h"

namespace {

using weir::host::Batch;
using weir::host::split_points;

std::string joined(const std::vector<Batch>& parts) {
    std::string text;
    for (const Batch& part : parts) text += part.bytes;
    return text;
}

struct Case {
    char first[80];
    char second[80];
};

// Pairs of points; the first ones hold what looks like an end.
constexpr Case kLines[] = {
    {"m,t=1 f=1i 1\n", "m f=2i 2\n"},
    {"m f=\"a\nb\" 1\n", "m f=2i 2\n"},
    {"m f=\"a\\\"\nb\" 1\n", "m f=2i 2\n"},
    {"m f=\"a\\\\\" 1\n", "m f=\"\n\" 2\n"},
    {"m,t=a\"b f=1i 1\n", "m f=\"x\" 2\n"},
    {"m,t=a\\ \"b f=1i 1\n", "m f=2i 2\n"},
    {"m\\ x,t=\"\\,\" f=\"=,\n \" 1\n", "m f=2i 2\n"},
    {"m f=\"\" 1\n", "m f=1i"},
};

Test(split_points, lines_end_outside_of_strings) {
    for (const Case& points : kLines) {
        const Batch batch = Batch::of(std::string(points.first) + points.second, 2);
        const auto parts = split_points(batch, WEIR_FORMAT_LINE_PROTOCOL, 1);
        cr_assert(parts.size() == 2, "%s", points.first);
        cr_assert(parts[0].bytes == points.first, "%s", points.first);
        cr_assert(parts[1].bytes == points.second, "%s", points.second);
        cr_assert(parts[0].points == 1 && parts[1].points == 1);
    }
}

Test(split_points, as_many_as_allowed) {
    std::string text;
    for (int i = 0; i < 1000; i++) text += "m f=" + std::to_string(i) + "i 1\n";
    for (const std::uint64_t most : {1U, 3U, 256U, 999U, 1000U, 5000U}) {
        const auto parts = split_points(Batch::of(text, 1000), WEIR_FORMAT_LINE_PROTOCOL, most);
        cr_assert(parts.size() == (1000 + most - 1) / most, "%lu", most);
        cr_assert(joined(parts) == text);
        std::uint64_t points = 0;
        for (const Batch& part : parts) {
            cr_assert(part.points <= most);
            points += part.points;
        }
        cr_assert(points == 1000);
    }
    cr_assert(split_points(Batch::of(text, 1000), WEIR_FORMAT_LINE_PROTOCOL, 0).size() == 1);
}

// A point of any size as PBPoints has it: tag, length, bytes.
std::string message(std::size_t size) {
    std::string out("\x0A", 1);
    std::size_t rest = size;
    for (; rest >= 0x80; rest >>= 7) out += static_cast<char>(rest | 0x80);
    out += static_cast<char>(rest);
    return out + std::string(size, '\n');
}

Test(split_points, messages) {
    const std::size_t sizes[] = {0, 1, 127, 128, 300, 70'000};
    std::string bytes;
    for (const std::size_t size : sizes) bytes += message(size);
    const auto parts = split_points(Batch::of(bytes, 6), WEIR_FORMAT_PROTOBUF, 1);
    cr_assert(parts.size() == 6);
    for (std::size_t i = 0; i < 6; i++) cr_assert(parts[i].bytes == message(sizes[i]), "%zu", sizes[i]);
    cr_assert(joined(split_points(Batch::of(bytes, 6), WEIR_FORMAT_PROTOBUF, 4)) == bytes);
}

Test(split_points, what_is_no_message_stays_whole) {
    const std::string endless(12, '\xFF');
    for (const std::string& bytes :
         {std::string("\x0A\x05xx", 4), std::string("\x0A", 1), "\x0A" + endless, std::string("\x12\x00", 2),
          message(3) + "\x0A", message(3) + "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"}) {
        const auto parts = split_points(Batch::of(bytes, 5), WEIR_FORMAT_PROTOBUF, 2);
        cr_assert(parts.size() == 1 && parts[0].bytes == bytes && parts[0].points == 5);
    }
}

}  // namespace
