#include "abi/check/config_source.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace weir::check {
namespace {

constexpr std::string_view kDirectory = "@DIR@";

std::string text_of(weir_code (*function)(weir_static*) noexcept) {
    weir_static text{};
    return function(&text) == WEIR_OK ? std::string(text.data, text.size) : std::string();
}

std::string nanoseconds(std::int64_t count) { return std::to_string((count + 999'999) / 1'000'000) + "ms"; }

bool offers(const nlohmann::json& key, const char* choice) {
    const auto choices = key.find("choices");
    if (choices == key.end() || !choices->is_array()) return false;
    for (const auto& one : *choices) {
        if (one == choice) return true;
    }
    return false;
}

}  // namespace

ConfigSource::ConfigSource(const weir_plugin_v1& plugin, const std::string& file, std::string directory)
    : directory_(std::move(directory)) {
    if (file.empty()) {
        text_ = text_of(plugin.sample);
        read_schema(plugin);
        return;
    }
    std::ifstream input(file, std::ios::binary);
    text_.assign(std::istreambuf_iterator<char>(input), {});
}

void ConfigSource::read_schema(const weir_plugin_v1& plugin) {
    const auto schema = nlohmann::json::parse(text_of(plugin.schema), nullptr, false);
    if (!schema.is_array()) return;
    for (const auto& key : schema) {
        if (!key.is_object()) continue;
        const std::string name = key.value("name", "");
        const std::string variable = key.value("environment", "");
        if (variable.empty()) continue;
        if (name.ends_with("path")) overrides_.push_back({variable, std::string(kDirectory) + "/store"});
        if (name.ends_with("listen")) overrides_.push_back({variable, "127.0.0.1:0"});
        if (name == "interval" && key.contains("minimum")) {
            overrides_.push_back({variable, nanoseconds(key["minimum"].get<std::int64_t>())});
        }
        if (name == "loopback" && offers(key, "keep")) overrides_.push_back({variable, "keep"});
    }
}

std::string ConfigSource::filled(std::string text, int number) const {
    const std::string directory = directory_ + "/instance-" + std::to_string(number);
    mkdir(directory.c_str(), 0700);
    for (auto at = text.find(kDirectory); at != std::string::npos; at = text.find(kDirectory, at)) {
        text.replace(at, kDirectory.size(), directory);
    }
    return text;
}

std::string ConfigSource::make(int number) const {
    for (const Override& one : overrides_) setenv(one.variable.c_str(), filled(one.value, number).c_str(), 1);
    return filled(text_, number);
}

}  // namespace weir::check
