// Every configuration key, once: the parser, the checks, the environment overrides, the sample file and
// schema() are driven by this table.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plugin/config/config.h"

namespace weir::config {

enum class Kind : std::uint8_t {
    boolean,
    integer,
    text,
    list,      // of texts
    table,     // of texts
    duration,  // "10s", "15m", "48h", "500ms"; kept in ns
    size,      // "512MiB", "1GiB"; kept in bytes
};

using TextList = std::vector<std::string>;
using TextTable = std::map<std::string, std::string>;
using Value = std::variant<bool, std::int64_t, std::string, TextList, TextTable>;

// Where the value lives in Config.
using Target =
    std::variant<bool Config::*, std::int64_t Config::*, std::string Config::*, TextList Config::*,
                 TextTable Config::*, std::int64_t Config::Limits::*, bool Config::Store::*,
                 std::string Config::Store::*, std::int64_t Config::Store::*, std::string Config::Http::*>;

struct Key {
    std::string_view section;  // "", "limits", "store" or "http": the table inside [[inputs.weir]]
    std::string_view name;
    Kind kind;
    std::string_view default_toml;  // as it would be written
    std::int64_t minimum = 0;       // of integers, durations (ns) and sizes (bytes)
    std::int64_t maximum = 0;
    std::span<const std::string_view> choices = {};  // of texts and lists; empty: anything
    Target target = static_cast<std::string Config::*>(nullptr);
    std::string_view help;  // one or more lines

    std::string path() const;         // "store.path"
    std::string environment() const;  // "WEIR_STORE_PATH"
    bool can_change_while_running() const;
};

std::span<const Key> keys();

// In the order in which they appear in the sample.
inline constexpr std::string_view kSections[] = {"", "limits", "store", "http"};

std::string_view to_string(Kind kind);

// Reads a value from text, as the environment has it and as strings in the file have it. The error is
// what is wrong, without the key's name.
Result<Value> parse_value(const Key& key, std::string_view text);

bool is_equal(const Key& key, const Config& a, const Config& b);

// Checks range and choices, then writes it into the configuration.
Status assign(const Key& key, const Value& value, Config& config);

}  // namespace weir::config
