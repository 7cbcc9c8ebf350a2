#include "abi/host/plugin_file.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace weir::host {
namespace {

// dlopen() searches the library path for a name without a slash; a plugin is the file that was named.
Expected<std::string> absolute_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr), std::free);
    if (!resolved) return fail("cannot load the plugin " + path + ": " + std::strerror(errno));
    return std::string(resolved.get());
}

// A plugin runs with all that the host may do, so nobody else may have a hand in its file.
Expected<void> check_trust(const std::string& path) {
    struct stat file {};
    if (stat(path.c_str(), &file) != 0)
        return fail("cannot load the plugin " + path + ": " + std::strerror(errno));
    if (!S_ISREG(file.st_mode)) return fail("cannot load the plugin " + path + ": it is not a file");
    if (file.st_uid != 0 && file.st_uid != geteuid()) {
        return fail("refused to load the plugin " + path + ": it belongs to user " +
                    std::to_string(file.st_uid) + ", neither root nor you (chown root " + path + ")");
    }
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail("refused to load the plugin " + path + ": its group or others may write it (chmod go-w " +
                    path + ")");
    }
    return {};
}

// The table of version 1.0 ends with get_extension; a newer plugin's is longer.
constexpr std::size_t kTableSize = offsetof(weir_plugin_v1, get_extension) + sizeof(void*);

bool has_every_function(const weir_plugin_v1& table) {
    return table.describe && table.schema && table.sample && table.validate && table.probe && table.create &&
           table.start && table.reconfigure && table.pause && table.resume && table.request_stop &&
           table.stop && table.destroy && table.last_error && table.get_extension;
}

Expected<void> check_table(const weir_plugin_v1* table) {
    const std::string asked = std::to_string(WEIR_ABI_MAJOR);
    if (table == nullptr) return fail("it does not speak version " + asked + " of the plugin ABI");
    if (table->struct_size < kTableSize) {
        return fail("its function table has " + std::to_string(table->struct_size) + " bytes where version " +
                    asked + ".0 of the plugin ABI has " + std::to_string(kTableSize));
    }
    if (table->abi_major != WEIR_ABI_MAJOR) {
        return fail("it speaks version " + std::to_string(table->abi_major) + '.' +
                    std::to_string(table->abi_minor) + " of the plugin ABI, this host version " + asked);
    }
    if (!has_every_function(*table)) return fail("its function table has gaps");
    return {};
}

}  // namespace

Expected<const weir_plugin_v1*> load_plugin(const std::string& path) {
    const auto file = absolute_path(path);
    if (!file) return fail(file.error());
    if (const auto trusted = check_trust(*file); !trusted) return fail(trusted.error());

    const auto unusable = [&](const std::string& why) {
        return fail("cannot use the plugin " + path + ": " + why);
    };
    void* handle = dlopen(file->c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return unusable(dlerror());
    void* symbol = dlsym(handle, WEIR_PLUGIN_ENTRY_NAME);
    if (symbol == nullptr) return unusable("it has no function " WEIR_PLUGIN_ENTRY_NAME);
    weir_plugin_entry_fn entry = nullptr;
    static_assert(sizeof entry == sizeof symbol);
    std::memcpy(&entry, &symbol, sizeof entry);

    const weir_plugin_v1* table = entry(WEIR_ABI_MAJOR, 0);
    if (const auto complete = check_table(table); !complete) return unusable(complete.error());
    return table;
}

}  // namespace weir::host
