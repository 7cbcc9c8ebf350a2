#include "plugin/config/config.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plugin/base/listen_address.h"
#include "plugin/config/keys.h"
#include "plugin/flow/flow_filter.h"
#include "plugin/protocol/route.h"

namespace weir::config {
namespace {

constexpr std::string_view kTable = "inputs.weir";
constexpr std::size_t kMinTokenLength = 16;

std::string at_line(const toml::node& node, const std::string& key, const std::string& what) {
    return "line " + std::to_string(node.source().begin.line) + ": " + key + ": " + what;
}

// Collects every mistake, so that one check shows them all.
class Parser {
public:
    Parser(Config& config, Environment environment) : config_(config), environment_(environment) {}

    std::vector<std::string> run(const toml::table& root) {
        for (const Key& key : keys()) set_default(key);
        if (const toml::table* table = find_instance(root)) read_section("", *table);
        for (const Key& key : keys()) apply_environment(key);
        if (errors_.empty()) check_together();
        return std::move(errors_);
    }

    // On top of what the configuration is already.
    std::vector<std::string> run_part(const toml::table& root) {
        if (const toml::table* table = find_instance(root)) read_section("", *table);
        if (errors_.empty()) check_together();
        return std::move(errors_);
    }

private:
    void set_default(const Key& key) {
        const auto parsed = toml::parse("v = " + std::string(key.default_toml));
        read_value(key, *parsed.table().get("v"), key.path());
    }

    // The one [[inputs.weir]]; anything else in the file is a mistake.
    const toml::table* find_instance(const toml::table& root) {
        const toml::table* found = nullptr;
        for (const auto& [name, node] : root) {
            if (name != "inputs" || !node.is_table()) {
                unknown(node, std::string(name.str()));
                continue;
            }
            for (const auto& [input, instances] : *node.as_table()) {
                found = input == "weir" ? read_instances(instances) : found;
                if (input != "weir") unknown(instances, "inputs." + std::string(input.str()));
            }
        }
        return found;
    }

    const toml::table* read_instances(const toml::node& node) {
        const toml::array* instances = node.as_array();
        if (instances == nullptr || instances->empty() || !instances->is_array_of_tables()) {
            errors_.push_back(at_line(node, std::string(kTable), "must be written as [[inputs.weir]]"));
            return nullptr;
        }
        if (instances->size() > 1) {
            errors_.push_back(at_line(*instances->get(1), std::string(kTable),
                                      "only one is read; give each instance a configuration of its own"));
        }
        return instances->get(0)->as_table();
    }

    void read_section(std::string_view section, const toml::table& table) {
        for (const auto& [name, node] : table) {
            const std::string path = section.empty() ? std::string(name.str())
                                                     : std::string(section) + "." + std::string(name.str());
            const bool is_section = section.empty() && std::find(std::begin(kSections), std::end(kSections),
                                                                 name.str()) != std::end(kSections);
            if (is_section && node.is_table()) {
                read_section(name.str(), *node.as_table());
                continue;
            }
            const Key* key = find_key(path);
            if (key == nullptr) {
                unknown(node, path);
            } else {
                lines_[path] = node.source().begin.line;
                read_value(*key, node, path);
            }
        }
    }

    static const Key* find_key(std::string_view path) {
        const auto all = keys();
        const auto at =
            std::find_if(all.begin(), all.end(), [&](const Key& key) { return key.path() == path; });
        return at == all.end() ? nullptr : &*at;
    }

    void unknown(const toml::node& node, const std::string& path) {
        errors_.push_back(at_line(node, path, "unknown key"));
    }

    void read_value(const Key& key, const toml::node& node, const std::string& path) {
        Status done =
            convert(key, node).and_then([&](const Value& value) { return assign(key, value, config_); });
        if (!done) errors_.push_back(at_line(node, path, done.error().message));
    }

    static tl::unexpected<Error> wrong_type(const Key& key) {
        return fail(ErrorCode::bad_config, "must be a " + std::string(to_string(key.kind)));
    }

    static Result<Value> convert(const Key& key, const toml::node& node) {
        switch (key.kind) {
            case Kind::boolean:
                if (const auto value = node.value_exact<bool>()) return *value;
                break;
            case Kind::integer:
                if (const auto value = node.value_exact<std::int64_t>()) return *value;
                break;
            case Kind::text:
            case Kind::duration:
            case Kind::size:
                if (const auto value = node.value_exact<std::string_view>()) return parse_value(key, *value);
                break;
            case Kind::list:
                if (node.is_array()) return convert_list(key, *node.as_array());
                break;
            case Kind::table:
                if (node.is_table()) return convert_table(key, *node.as_table());
                break;
        }
        return wrong_type(key);
    }

    static Result<Value> convert_list(const Key& key, const toml::array& array) {
        TextList out;
        for (const toml::node& item : array) {
            const auto text = item.value_exact<std::string>();
            if (!text) return wrong_type(key);
            out.push_back(*text);
        }
        return out;
    }

    static Result<Value> convert_table(const Key& key, const toml::table& table) {
        TextTable out;
        for (const auto& [name, item] : table) {
            const auto text = item.value_exact<std::string>();
            if (!text) return wrong_type(key);
            out[std::string(name.str())] = *text;
        }
        return out;
    }

    void apply_environment(const Key& key) {
        const std::string name = key.environment();
        const char* text = environment_ == nullptr ? nullptr : environment_(name.c_str());
        if (text == nullptr) return;
        Status done =
            parse_value(key, text).and_then([&](const Value& v) { return assign(key, v, config_); });
        if (!done) errors_.push_back("environment: " + name + ": " + done.error().message);
    }

    // What no key can say alone.
    void check_together() {
        const Config::Http& http = config_.http;
        if (http.tls_cert.empty() != http.tls_key.empty()) {
            wrong("http.tls_cert", "give both http.tls_cert and http.tls_key, or neither");
        }
        if (!http.token.empty() && http.token.size() < kMinTokenLength) {
            wrong("http.token", "must have at least 16 characters");
        }
        if (!http.listen.empty()) {
            const auto address = ListenAddress::parse(http.listen);
            if (!address) {
                wrong("http.listen", address.error().message);
            } else if (!address->is_loopback() && http.token.empty()) {
                wrong("http.listen",
                      http.listen + " is not a loopback address: set http.token, or listen on 127.0.0.1");
            }
        }
        if (const auto filter = FlowFilter::parse(config_.netlog_blacklist); !filter) {
            wrong("netlog_blacklist", filter.error().message);
        }
        for (const std::string& pattern : config_.http_routes) {
            refuse("http_routes", pattern, protocol::RoutePatterns::mistake(pattern));
        }
        for (const std::string& rule : config_.http_redact) {
            refuse("http_redact", rule, protocol::Redaction::mistake(rule));
        }
        if (config_.store.enabled && config_.store.path.empty()) wrong("store.path", "must not be empty");
        if (config_.store.detail_ns > config_.store.rollup_ns) {
            wrong("store.detail", "must not be longer than store.rollup");
        }
        if (config_.interval_ns > config_.store.detail_ns) {
            wrong("interval", "must not be longer than store.detail");
        }
    }

    void refuse(const std::string& path, const std::string& value, std::string_view mistake) {
        if (!mistake.empty()) wrong(path, "\"" + value.substr(0, 40) + "\" " + std::string(mistake));
    }

    void wrong(const std::string& path, const std::string& what) {
        const auto at = lines_.find(path);
        const std::string where = at == lines_.end() ? "" : "line " + std::to_string(at->second) + ": ";
        errors_.push_back(where + path + ": " + what);
    }

    Config& config_;
    const Environment environment_;
    std::map<std::string, std::uint32_t> lines_;  // where a key stands in the file
    std::vector<std::string> errors_;
};

std::string joined(const std::vector<std::string>& lines) {
    std::string out;
    for (const std::string& line : lines) out += (out.empty() ? "" : "\n") + line;
    return out;
}

std::string make_sample() {
    std::string out =
        "# Weir: what of the network this host's processes use, and how well it serves them.\n"
        "# Every key is shown with its default; each can be set by the environment variable named beside "
        "it.\n\n"
        "[[inputs.weir]]\n";
    for (const std::string_view section : kSections) {
        if (!section.empty()) out += "\n[inputs.weir." + std::string(section) + "]\n";
        for (const Key& key : keys()) {
            if (key.section != section) continue;
            std::string help(key.help);
            for (std::size_t at = 0; (at = help.find('\n', at)) != std::string::npos; at += 5)
                help.insert(at + 1, "  # ");
            out += "  # " + help + "\n  # (" + key.environment() + ")\n  " + std::string(key.name) + " = " +
                   std::string(key.default_toml) + "\n\n";
        }
        out.pop_back();
    }
    return out;
}

std::string make_schema() {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const Key& key : keys()) {
        nlohmann::ordered_json entry = {{"name", key.path()},
                                        {"type", to_string(key.kind)},
                                        {"default", key.default_toml},
                                        {"environment", key.environment()},
                                        {"help", key.help}};
        if (key.maximum != 0) {
            entry["minimum"] = key.minimum;
            entry["maximum"] = key.maximum;
        }
        if (!key.choices.empty()) entry["choices"] = key.choices;
        out.push_back(std::move(entry));
    }
    return out.dump(2);
}

}  // namespace

bool Config::follows(std::string_view protocol) const {
    return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

bool Config::wants_http() const {
    return std::find(l7net_enabled.begin(), l7net_enabled.end(), "httpflow") != l7net_enabled.end();
}

bool Config::wants_tls() const {
    return std::find(l7net_enabled.begin(), l7net_enabled.end(), "httpflow-tls") != l7net_enabled.end();
}

namespace {

Result<toml::table> parse_toml(std::string_view text) {
    toml::parse_result parsed = toml::parse(text);
    if (parsed) return std::move(parsed).table();
    const auto& error = parsed.error();
    return fail(ErrorCode::bad_config, "line " + std::to_string(error.source().begin.line) +
                                           ": not TOML: " + std::string(error.description()));
}

}  // namespace

Result<Config> parse(std::string_view text, Environment environment) {
    const auto table = parse_toml(text);
    if (!table) return tl::unexpected(table.error());
    Config config;
    const auto errors = Parser(config, environment).run(*table);
    if (!errors.empty()) return fail(ErrorCode::bad_config, joined(errors));
    return config;
}

Result<Config> parse_part(std::string_view text, const Config& base) {
    const auto table = parse_toml(text);
    if (!table) return tl::unexpected(table.error());
    Config config = base;
    const auto errors = Parser(config, nullptr).run_part(*table);
    if (!errors.empty()) return fail(ErrorCode::bad_config, joined(errors));
    return config;
}

std::string needing_restart(const Config& before, const Config& after) {
    std::string out;
    for (const Key& key : keys()) {
        if (key.can_change_while_running() || is_equal(key, before, after)) continue;
        out += (out.empty() ? "" : ", ") + key.path();
    }
    return out;
}

const std::string& reloadable_json() {
    static const std::string text = [] {
        nlohmann::json out = nlohmann::json::array();
        for (const Key& key : keys()) {
            if (key.can_change_while_running()) out.push_back(key.path());
        }
        return out.dump();
    }();
    return text;
}

const std::string& sample_toml() {
    static const std::string text = make_sample();
    return text;
}

const std::string& schema_json() {
    static const std::string text = make_schema();
    return text;
}

}  // namespace weir::config
