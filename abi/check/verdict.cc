#include "abi/check/verdict.h"

#include <unistd.h>

#include <algorithm>

#include "abi/host/printable.h"

namespace weir::check {

void Verdict::send(char kind, std::string text) {
    // Below what a pipe writes whole, also with several threads.
    constexpr std::size_t kLongest = 500;
    text = host::shortened(host::printable(text), kLongest);
    text.insert(text.begin(), kind);
    text += '\n';
    [[maybe_unused]] const ssize_t written = write(pipe_, text.data(), text.size());
}

}  // namespace weir::check
