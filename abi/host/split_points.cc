// Line protocol: a point ends with a newline, but a newline inside of a quoted string field belongs to the
// string. Quotes mean something only in the fields, which begin at the first space that no backslash escapes.
// Protobuf: a PBPoints message is a sequence of fields number 1, each tag 0x0A, length, point; any part of
// the sequence is a PBPoints message again.
#include "abi/host/split_points.h"

#include "weir_abi.h"

namespace weir::host {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// How many bytes the first line of `text` has, with its newline; all when the newline is missing.
std::size_t line_size(std::string_view text) {
    bool in_fields = false;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        switch (text[i]) {
            case '\\': ++i; break;
            case ' ': in_fields = true; break;
            case '"': quoted = in_fields && !quoted; break;
            case '\n':
                if (!quoted) return i + 1;
                break;
            default: break;
        }
    }
    return text.size();
}

// How many bytes the first point of a PBPoints message has, with tag and length; kNone when it is none.
std::size_t message_size(std::string_view bytes) {
    constexpr char kTag = 0x0A;
    constexpr int kLongestVarint = 10;
    if (bytes.front() != kTag) return kNone;
    std::uint64_t length = 0;
    for (std::size_t i = 1; i < bytes.size() && i <= kLongestVarint; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        length |= std::uint64_t{byte & 0x7FU} << (7 * (i - 1));
        if ((byte & 0x80U) != 0) continue;
        const std::size_t rest = bytes.size() - i - 1;
        return length <= rest ? i + 1 + static_cast<std::size_t>(length) : kNone;
    }
    return kNone;
}

std::size_t point_size(std::string_view bytes, std::int32_t format) {
    return format == WEIR_FORMAT_PROTOBUF ? message_size(bytes) : line_size(bytes);
}

}  // namespace

std::vector<Batch> split_points(const Batch& batch, std::int32_t format, std::uint64_t most) {
    if (most == 0 || batch.points <= most) return {batch};
    std::vector<Batch> parts;
    std::string_view rest = batch.bytes;
    while (!rest.empty()) {
        std::size_t size = 0;
        std::uint64_t points = 0;
        while (points < most && size < rest.size()) {
            const std::size_t next = point_size(rest.substr(size), format);
            if (next == kNone) return {batch};
            size += next;
            ++points;
        }
        parts.push_back({batch.owner, rest.substr(0, size), points});
        rest.remove_prefix(size);
    }
    return parts;
}

}  // namespace weir::host
