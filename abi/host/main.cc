// weir-host, the reference host: what an agent does with an input plugin, without the agent.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "abi/host/commands.h"

namespace weir::host {
namespace {

// Descriptors 0 to 2 that were closed would be given to the next file that is opened, and log lines would go
// there. What stands in for them can be opened, but not written to.
void fill_standard_descriptors() {
    for (;;) {
        const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (descriptor > STDERR_FILENO) close(descriptor);
        if (descriptor < 0 || descriptor > STDERR_FILENO) return;
    }
}

int dispatch(const Options& options, Log& log) {
    switch (options.command) {
        case Command::help: return print(help_text(), log);
        case Command::version: return print("weir-host " WEIR_HOST_VERSION, log);
        case Command::run: return run(options, log);
        case Command::probe: return probe(options, log);
        case Command::describe: return describe(options, log);
        case Command::sample_config: return sample_config(options, log);
        case Command::check_config: return check_config(options, log);
    }
    return kWrongUsage;
}

int start(const std::vector<std::string_view>& arguments) {
    fill_standard_descriptors();
    Log log;
    try {
        const auto options = parse_options(arguments);
        if (options) return dispatch(*options, log);
        log.plain("weir-host: " + options.error() + "\nSee weir-host --help.");
        return kWrongUsage;
    } catch (const std::exception& problem) {
        log.plain(std::string("weir-host: ") + problem.what());
        return kFailed;
    }
}

}  // namespace
}  // namespace weir::host

int main(int count, char** arguments) {
    return weir::host::start({arguments + std::min(count, 1), arguments + count});
}
