// weir-abi-check: does a plugin keep to weir_abi.h? One line for each rule, exit code 0 when none is broken.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "abi/check/traffic.h"
#include "abi/check/trial.h"
#include "abi/host/options.h"

namespace weir::check {
namespace {

constexpr std::string_view kHelp =
    R"(weir-abi-check: proves that a plugin keeps to weir_abi.h.

  weir-abi-check [option]... PLUGIN
      --config FILE      a configuration for the plugin's instances, in which each @DIR@ stands for a directory
                         of the instance's own. Without it: the plugin's sample, where paths, listen addresses
                         and the interval that the schema names are set through the environment.
      --rule NAME        only this rule; may be given several times
      --cycles N         lives of the rule "leaks" (100)
      --patience TIME    how long to wait for points (10s)
      --strict           a rule that is skipped counts as broken
      --list             the rules, without a plugin

Each rule is tried in a process of its own. Meanwhile one more process asks itself for pages over loopback, so that
there is traffic to be seen. Run as root for a plugin that needs it.

Exit codes: 0 no rule is broken; 1 at least one is; 2 the command line is wrong.
)";

constexpr int kBroken = 1;
constexpr int kWrongUsage = 2;

struct Options {
    Settings settings;
    std::vector<std::string> rules;
    bool strict = false;
    bool list = false;
    bool help = false;
};

std::vector<Rule> all_rules() {
    std::vector<Rule> rules;
    for (const auto& some : {load_rules(), description_rules(), create_rules(), state_rules(), point_rules(),
                             pressure_rules(), thread_rules(), process_rules()}) {
        rules.insert(rules.end(), some.begin(), some.end());
    }
    return rules;
}

// Empty, or what is wrong.
std::string set_value(Options& options, std::string_view name, const std::string& value) {
    if (name == "--config") {
        options.settings.config = value;
        return access(value.c_str(), R_OK) == 0 ? "" : "cannot read " + value + ": " + std::strerror(errno);
    }
    if (name == "--rule") {
        options.rules.push_back(value);
        return {};
    }
    if (name == "--patience") {
        const auto patience = host::parse_duration(value);
        if (patience) options.settings.patience = *patience;
        return patience ? "" : "--patience " + patience.error();
    }
    if (name != "--cycles") return "unknown option " + std::string(name);
    constexpr int kMostCycles = 100'000;
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), options.settings.cycles);
    const bool whole = error == std::errc{} && end == value.data() + value.size();
    const bool sane = whole && options.settings.cycles >= 1 && options.settings.cycles <= kMostCycles;
    return sane ? "" : "--cycles is a number from 1 to 100000";
}

std::string parse(Options& options, const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--help" || argument == "-h") {
            options.help = true;
        } else if (argument == "--list") {
            options.list = true;
        } else if (argument == "--strict") {
            options.strict = true;
        } else if (argument.starts_with('-')) {
            const auto equals = argument.find('=');
            const bool joined = equals != std::string::npos;
            if (!joined && i + 1 == arguments.size()) return argument + " needs a value";
            const std::string value = joined ? argument.substr(equals + 1) : arguments[++i];
            if (std::string why = set_value(options, argument.substr(0, equals), value); !why.empty())
                return why;
        } else if (options.settings.plugin.empty()) {
            options.settings.plugin = argument;
        } else {
            return "one plugin at a time";
        }
    }
    return {};
}

// The plugin's whole path; then it is not searched for. Empty, or what is wrong.
std::string find_plugin(Settings& settings) {
    if (settings.plugin.empty()) return "which plugin?";
    const std::unique_ptr<char, decltype(&std::free)> path(realpath(settings.plugin.c_str(), nullptr),
                                                           std::free);
    if (!path) return settings.plugin + ": " + std::strerror(errno);
    settings.plugin = path.get();
    return {};
}

std::string check_rules(const std::vector<std::string>& wanted) {
    const auto rules = all_rules();
    for (const std::string& name : wanted) {
        const auto is_it = [&](const Rule& rule) { return name == rule.name; };
        if (std::none_of(rules.begin(), rules.end(), is_it))
            return "there is no rule " + name + " (see --list)";
    }
    return {};
}

// A directory for the files of instances, gone with this object.
class WorkDirectory {
public:
    WorkDirectory() {
        const char* parent = std::getenv("TMPDIR");
        path_ = std::string(parent != nullptr ? parent : "/tmp") + "/weir-abi-check-XXXXXX";
        if (mkdtemp(path_.data()) == nullptr) path_.clear();
    }
    ~WorkDirectory() {
        std::error_code problem;
        if (!path_.empty()) std::filesystem::remove_all(path_, problem);
    }
    WorkDirectory(const WorkDirectory&) = delete;
    WorkDirectory& operator=(const WorkDirectory&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// How many were broken and skipped.
struct Totals {
    int passed = 0;
    int broken = 0;
    int skipped = 0;
};

Totals try_all(Options& options) {
    Totals totals;
    const Traffic traffic;
    for (const Rule& rule : all_rules()) {
        const auto& wanted = options.rules;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), rule.name) == wanted.end()) continue;
        const WorkDirectory directory;
        options.settings.directory = directory.path();
        const Outcome outcome = try_rule(rule, options.settings);
        std::string name = rule.name;
        name.resize(std::max<std::size_t>(name.size(), 21), ' ');
        switch (outcome.kind) {
            case Outcome::Kind::pass:
                ++totals.passed;
                std::cout << "pass  " << name << ' ' << rule.promise << std::endl;
                break;
            case Outcome::Kind::skip:
                ++totals.skipped;
                std::cout << "skip  " << name << ' ' << rule.promise << " -- skipped: " << outcome.why
                          << std::endl;
                break;
            case Outcome::Kind::fail:
                ++totals.broken;
                std::cout << "FAIL  " << name << ' ' << rule.promise << " -- broken: " << outcome.why
                          << std::endl;
                break;
        }
    }
    return totals;
}

int wrong_usage(const std::string& why) {
    std::cerr << "weir-abi-check: " << why << "\nSee weir-abi-check --help.\n";
    return kWrongUsage;
}

int run(const std::vector<std::string>& arguments) {
    Options options;
    if (const std::string why = parse(options, arguments); !why.empty()) return wrong_usage(why);
    if (options.help) {
        std::cout << kHelp;
        return 0;
    }
    if (options.list) {
        for (const Rule& rule : all_rules()) std::cout << rule.name << ": " << rule.promise << '\n';
        return 0;
    }
    if (const std::string why = find_plugin(options.settings); !why.empty()) return wrong_usage(why);
    if (const std::string why = check_rules(options.rules); !why.empty()) return wrong_usage(why);
    const Totals totals = try_all(options);
    std::cout << totals.passed << " rules kept, " << totals.broken << " broken, " << totals.skipped
              << " skipped\n";
    return totals.broken > 0 || (options.strict && totals.skipped > 0) ? kBroken : 0;
}

}  // namespace
}  // namespace weir::check

int main(int count, char** arguments) {
    try {
        return weir::check::run({arguments + std::min(count, 1), arguments + count});
    } catch (const std::exception& problem) {
        std::cerr << "weir-abi-check: " << problem.what() << '\n';
        return weir::check::kBroken;
    }
}
