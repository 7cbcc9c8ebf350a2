#include "abi/host/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::host {
namespace {

constexpr std::size_t kLargest = 1U << 20U;

Expected<std::string> read_to_end(int descriptor) {
    std::string text;
    char part[16384];
    for (;;) {
        const ssize_t got = read(descriptor, part, sizeof part);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(std::strerror(errno));
        if (got == 0) return text;
        text.append(part, static_cast<std::size_t>(got));
        if (text.size() > kLargest) return fail("larger than 1 MiB, so hardly a configuration");
    }
}

}  // namespace

Expected<std::string> read_config(const std::string& path) {
    const auto because = [&](const std::string& why) { return fail("cannot read " + path + ": " + why); };
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return because(std::strerror(errno));
    auto text = read_to_end(descriptor);
    close(descriptor);
    if (!text) return because(text.error());
    return text;
}

}  // namespace weir::host
