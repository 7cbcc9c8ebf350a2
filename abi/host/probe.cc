// probe: what a plugin could do on this machine, as a table for people or as the plugin's JSON.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "abi/host/commands.h"
#include "abi/host/instance.h"
#include "abi/host/plugin_file.h"
#include "abi/host/plugin_text.h"
#include "abi/host/printable.h"

namespace weir::host {
namespace {

using nlohmann::json;

// A value as a cell of the table; a member that is missing leaves the cell empty.
std::string cell(const json& object, const char* key) {
    if (!object.is_object() || !object.contains(key)) return {};
    const json& value = object.at(key);
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_null()) return {};
    return printable(value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(width, text.size()), ' ');
    return text;
}

std::string requirements_table(const json& requirements) {
    constexpr std::string_view kName = "requirement";
    std::size_t width = kName.size();
    for (const json& requirement : requirements) width = std::max(width, cell(requirement, "name").size());
    std::string table = '\n' + padded(std::string(kName), width) + "  met  detail\n";
    for (const json& requirement : requirements) {
        std::string line = padded(cell(requirement, "name"), width) + "  " +
                           padded(cell(requirement, "met"), 3) + "  " + cell(requirement, "detail");
        line.erase(line.find_last_not_of(' ') + 1);
        table += line + '\n';
    }
    return table;
}

std::string as_table(const json& answer) {
    std::string text;
    constexpr std::pair<const char*, std::string_view> kHead[] = {
        {"can_run", "can run  "}, {"tier", "tier     "}, {"why", "why      "}};
    for (const auto& [key, label] : kHead) {
        if (const std::string value = cell(answer, key); !value.empty())
            text += std::string(label) + value + '\n';
    }
    if (answer.is_object() && answer.contains("requirements") && answer["requirements"].is_array()) {
        text += requirements_table(answer["requirements"]);
    }
    return text;
}

}  // namespace

int probe(const Options& options, Log& log) {
    const auto plugin = load_plugin(options.plugin);
    if (!plugin) {
        log.plain("weir-host: " + plugin.error());
        return kFailed;
    }
    const PluginText answer = ask_whole([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return (*plugin)->probe(buffer, capacity, length);
    });
    const json parsed = json::parse(answer.text, nullptr, false);
    if (parsed.is_discarded()) {
        log.plain("weir-host: the plugin's probe gave no answer: " + code_text(answer.code) + '\n' +
                  answer.text);
        return kFailed;
    }
    const int printed = print(options.json ? answer.text : as_table(parsed), log);
    return answer.code == WEIR_OK ? printed : kFailed;
}

}  // namespace weir::host
