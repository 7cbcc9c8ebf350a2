// What the file is, before anything is asked of it.
#include <dlfcn.h>

#include <algorithm>
#include <fstream>

#include "abi/check/elf_symbols.h"
#include "abi/check/process_state.h"
#include "abi/check/rule.h"

namespace weir::check {
namespace {

void symbols(Bench& bench) {
    const auto names = exported_symbols(bench.settings().plugin);
    bench.check(std::find(names.begin(), names.end(), WEIR_PLUGIN_ENTRY_NAME) != names.end(),
                "the file does not export " WEIR_PLUGIN_ENTRY_NAME);
    for (const std::string& name : names) {
        // The linker's and the sanitizers' own, which no version script is to blame for.
        const bool tools = name == "_init" || name == "_fini" || name.starts_with("__asan") ||
                           name.starts_with("__ubsan") || name.starts_with("__tsan");
        bench.check(name == WEIR_PLUGIN_ENTRY_NAME || tools, "the file exports " + name + " as well");
    }
}

void quiet_load(Bench& bench) {
    process_state before{};
    process_state after{};
    // The plugin's libraries may be mapped, and no more than that.
    process_state_take(&before, 1);
    bench.load();
    process_state_take(&after, before.threads);
    bench.check(after.threads == before.threads, "loading starts a thread");
    bench.check(after.descriptors == before.descriptors, "loading leaves a descriptor open");
    for (int aspect = 0; aspect < ASPECT_COUNT; ++aspect) {
        int detail = 0;
        const bool differs =
            process_state_differs(&before, &after, static_cast<process_aspect>(aspect), &detail) != 0;
        bench.check(!differs, "loading changes the process (aspect " + std::to_string(aspect) + ", number " +
                                  std::to_string(detail) + ")");
    }
}

bool is_mapped(const void* address) {
    std::ifstream maps("/proc/self/maps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx", &from, &to) == 2 && wanted >= from && wanted < to)
            return true;
    }
    return false;
}

void resident(Bench& bench) {
    bench.load();
    const weir_plugin_v1* table = &bench.plugin();
    const weir_plugin_entry_fn entry = bench.entry();
    bench.verdict().step("dlclose");
    dlclose(bench.handle());
    if (!bench.check(is_mapped(table), "dlclose unmaps it (link with -z nodelete)")) return;
    bench.check(entry(WEIR_ABI_MAJOR, 0) == table, "after dlclose the entry gives another table");
}

void foreign_major(Bench& bench) {
    bench.load();
    for (const std::uint32_t major : {0U, WEIR_ABI_MAJOR + 1, 1000U, UINT32_MAX}) {
        bench.check(bench.entry()(major, 0) == nullptr,
                    "a host of major version " + std::to_string(major) + " gets a table");
    }
}

void any_minor(Bench& bench) {
    bench.load();
    for (const std::uint32_t minor : {0U, 1U, 1000U, UINT32_MAX}) {
        bench.check(bench.entry()(WEIR_ABI_MAJOR, minor) == &bench.plugin(),
                    "a host of minor version " + std::to_string(minor) + " does not get the same table");
    }
}

void table(Bench& bench) {
    bench.load();
    const weir_plugin_v1& t = bench.plugin();
    bench.check(t.abi_major == WEIR_ABI_MAJOR, "abi_major is " + std::to_string(t.abi_major));
    bench.check(t.reserved0 == 0, "reserved0 is not 0");
    bench.check(t.struct_size % sizeof(void*) == 0 && t.struct_size < 1U << 16U,
                "struct_size is " + std::to_string(t.struct_size));
    bench.check(t.build_id.data != nullptr && t.build_id.size > 0, "there is no build_id");
    const bool complete = t.describe && t.schema && t.sample && t.validate && t.probe && t.create &&
                          t.start && t.reconfigure && t.pause && t.resume && t.request_stop && t.stop &&
                          t.destroy && t.last_error && t.get_extension;
    bench.check(complete, "a function of the table is NULL");
}

constexpr Rule kRules[] = {
    {"symbols", "the file exports weir_plugin_entry and nothing else", symbols},
    {"quiet-load", "loading starts no thread, opens nothing and changes nothing", quiet_load},
    {"resident", "dlclose is allowed and does nothing", resident},
    {"foreign-major", "a host of another major version gets no table", foreign_major},
    {"any-minor", "a host of any minor version gets the same table", any_minor},
    {"table", "the table has its version, its size and every function", table},
};

}  // namespace

std::span<const Rule> load_rules() { return kRules; }

}  // namespace weir::check
