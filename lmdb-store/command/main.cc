#include <cstdio>
#include <exception>

#include "abi/host/printable.h"
#include "lmdb-store/command/command.h"

namespace weir::store::command {

// What is printed may come from traffic or a hostile file.
int complain(const Error& error) {
    std::fprintf(stderr, "weir-store: %s\n", host::printable(error.message).c_str());
    return 1;
}

}  // namespace weir::store::command

namespace {

using namespace weir;
using namespace weir::store;

int run(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
        if (word != "--help" && word != "-h") continue;
        std::fputs(command::usage().c_str(), stdout);
        return 0;
    }
    const auto arguments = command::parse(words, system_clock().wall_ns());
    if (!arguments) {
        command::complain(arguments.error());
        return 2;
    }
    int (*const chosen)(const Archive&, const command::Arguments&) =
        arguments->command == "info"    ? command::info
        : arguments->command == "check" ? command::check
        : arguments->command == "dump"  ? command::dump
        : arguments->command == "top"   ? command::top
                                        : nullptr;
    if (chosen == nullptr) {
        command::complain({ErrorCode::invalid_argument,
                           "there is no command '" + arguments->command + "'; see weir-store --help"});
        return 2;
    }
    const auto archive = Archive::open(arguments->path, system_clock());
    if (!archive) return command::complain(archive.error());
    const int code = chosen(**archive, *arguments);
    if (std::fflush(stdout) != 0)
        return command::complain({ErrorCode::internal, "the output cannot be written"});
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        return weir::store::command::complain({ErrorCode::internal, error.what()});
    }
}
