// The commands that only ask: nothing is created, nothing is loaded.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "abi/host/commands.h"
#include "abi/host/instance.h"
#include "abi/host/plugin_file.h"
#include "abi/host/plugin_text.h"
#include "abi/host/printable.h"
#include "abi/host/text_file.h"

namespace weir::host {
namespace {

using StaticText = weir_code (*weir_plugin_v1::*)(weir_static*) WEIR_NOEXCEPT;

int print_static(const Options& options, StaticText member, Log& log) {
    const auto plugin = load_plugin(options.plugin);
    if (!plugin) {
        log.plain("weir-host: " + plugin.error());
        return kFailed;
    }
    weir_static text{};
    const weir_code code = ((*plugin)->*member)(&text);
    if (code != WEIR_OK || (text.data == nullptr && text.size != 0)) {
        log.plain("weir-host: the plugin does not answer: " + code_text(code));
        return kFailed;
    }
    return print({text.data, text.size}, log);
}

}  // namespace

int print(std::string_view text, Log& log) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (!text.ends_with('\n')) std::fputc('\n', stdout);
    if (std::fflush(stdout) == 0) return kFine;
    log.plain(std::string("weir-host: cannot write to stdout: ") + std::strerror(errno));
    return kFailed;
}

int describe(const Options& options, Log& log) {
    return print_static(options, &weir_plugin_v1::describe, log);
}

int sample_config(const Options& options, Log& log) {
    return print_static(options, &weir_plugin_v1::sample, log);
}

int check_config(const Options& options, Log& log) {
    const auto config = read_config(options.config);
    const auto plugin = config ? load_plugin(options.plugin) : fail(config.error());
    if (!plugin) {
        log.plain("weir-host: " + plugin.error());
        return kFailed;
    }
    const weir_borrowed text = borrowed(*config);
    const PluginText errors = ask_whole([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return (*plugin)->validate(&text, buffer, capacity, length);
    });
    if (errors.code == WEIR_OK) return print("ok", log);
    print(printable(errors.text.empty() ? code_text(errors.code) : errors.text, Newlines::keep), log);
    return kFailed;
}

}  // namespace weir::host
