#include "abi/host/options.h"

#include <algorithm>
#include <charconv>

#include "weir_abi.h"

namespace weir::host {
namespace {

constexpr std::string_view kHelp =
    R"(weir-host: runs an input plugin without an agent around it.

  weir-host run --plugin FILE --config FILE [--emit TARGET]... [option]...
      Collects until SIGINT or SIGTERM, or for DURATION (500ms, 30s, 5m, 1h). Points go to each TARGET:
        stdout        the default
        file:PATH     appended batch by batch; created if missing
        datakit:URL   the write endpoint of a DataKit agent, such as datakit:http://127.0.0.1:9529
                      (without a path: /v1/write/network?input=weir)
        influx:URL    an InfluxDB-compatible write endpoint, such as
                      influx:http://127.0.0.1:8086/write?db=weir
                      (without a path: /write?db=weir&precision=ns). A user and password may stand in the
                      URL; a token is taken from the environment variable INFLUX_TOKEN.
      A URL may name a unix socket: datakit:unix:/run/datakit.sock, influx:unix:/run/influx.sock:/write?db=weir
      Options:
        --for DURATION             stop after that time
        --format FORMAT            lineproto (the default) or protobuf, which influx: does not take
        --gzip                     compress what is posted
        --max-points N             at most N points in one request (datakit: 256 by default)
        --spool DIR                what a target does not take waits there, also for the next run
        --spool-size SIZE          at most that much for each target (1GiB by default)
        --give-up-after DURATION   drop a batch that a server fails over again and again (HTTP 500) for that
                                   long (15m by default)
  weir-host probe --plugin FILE [--json]
      What would run here: the tier, and each requirement with the reason why it is not met.
      Exit code 0 when something can be collected.
  weir-host describe --plugin FILE
      The plugin's self-description, JSON.
  weir-host sample-config --plugin FILE
      A sample configuration, TOML.
  weir-host check-config --plugin FILE --config FILE
      Prints "ok", or every error with its line and key.
  weir-host --help | --version

Exit codes: 0 fine; 1 the configuration is wrong, the start failed, or the plugin did not stop; 2 the command
line is wrong.
)";

constexpr std::chrono::minutes kGiveUpAfter{15};
constexpr std::uint64_t kSpoolSize = 1U << 30U;

struct CommandName {
    std::string_view name;
    Command command;
    bool needs_config;
};

constexpr CommandName kCommands[] = {
    {"run", Command::run, true},
    {"probe", Command::probe, false},
    {"describe", Command::describe, false},
    {"sample-config", Command::sample_config, false},
    {"check-config", Command::check_config, true},
};

Expected<void> set_once(std::string& member, std::string_view value) {
    if (!member.empty()) return fail("is given twice");
    if (value.empty()) return fail("needs a value that is not empty");
    member = value;
    return {};
}

Expected<void> set_emit(Options& options, std::string_view value) {
    if (std::find(options.emit.begin(), options.emit.end(), value) != options.emit.end()) {
        return fail(std::string(value) + " is given twice; every point would be there twice");
    }
    options.emit.emplace_back(value);
    return {};
}

Expected<void> set_format(Options& options, std::string_view value) {
    if (options.targets.points_format != 0) return fail("is given twice");
    if (value == "lineproto") {
        options.targets.points_format = WEIR_FORMAT_LINE_PROTOCOL;
    } else if (value == "protobuf") {
        options.targets.points_format = WEIR_FORMAT_PROTOBUF;
    } else {
        return fail("is lineproto or protobuf, not \"" + std::string(value) + '"');
    }
    return {};
}

Expected<void> set_run_for(Options& options, std::string_view value) {
    if (options.run_for) return fail("is given twice");
    const auto duration = parse_duration(value);
    if (!duration) return fail(duration.error());
    options.run_for = *duration;
    return {};
}

Expected<void> set_give_up_after(Options& options, std::string_view value) {
    if (options.targets.give_up_after.count() != 0) return fail("is given twice");
    const auto duration = parse_duration(value);
    if (!duration) return fail(duration.error());
    options.targets.give_up_after = *duration;
    return {};
}

Expected<void> set_spool_size(Options& options, std::string_view value) {
    if (options.spool_size != 0) return fail("is given twice");
    const auto size = parse_size(value);
    if (!size) return fail(size.error());
    options.spool_size = *size;
    return {};
}

Expected<void> set_most_points(Options& options, std::string_view value) {
    constexpr std::uint64_t kMost = 1'000'000;
    if (options.targets.most_points != 0) return fail("is given twice");
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), options.targets.most_points);
    const bool whole = error == std::errc{} && end == value.data() + value.size();
    if (whole && options.targets.most_points >= 1 && options.targets.most_points <= kMost) return {};
    return fail("is a number from 1 to 1000000, not \"" + std::string(value) + '"');
}

constexpr unsigned bit(Command command) { return 1U << static_cast<unsigned>(command); }
constexpr unsigned kEveryCommand = ~0U;

struct OptionRule {
    std::string_view name;
    unsigned commands;  // bits of those that take it
    bool takes_value;
    Expected<void> (*set)(Options&, std::string_view);
};

const OptionRule kOptions[] = {
    {"--plugin", kEveryCommand, true, [](Options& o, std::string_view v) { return set_once(o.plugin, v); }},
    {"--config", bit(Command::run) | bit(Command::check_config), true,
     [](Options& o, std::string_view v) { return set_once(o.config, v); }},
    {"--emit", bit(Command::run), true, set_emit},
    {"--format", bit(Command::run), true, set_format},
    {"--for", bit(Command::run), true, set_run_for},
    {"--gzip", bit(Command::run), false,
     [](Options& o, std::string_view) -> Expected<void> {
         o.targets.gzip = true;
         return {};
     }},
    {"--max-points", bit(Command::run), true, set_most_points},
    {"--spool", bit(Command::run), true, [](Options& o, std::string_view v) { return set_once(o.spool, v); }},
    {"--spool-size", bit(Command::run), true, set_spool_size},
    {"--give-up-after", bit(Command::run), true, set_give_up_after},
    {"--json", bit(Command::probe), false,
     [](Options& o, std::string_view) -> Expected<void> {
         o.json = true;
         return {};
     }},
};

using Arguments = std::vector<std::string_view>;

// Takes the option at arguments[at] and its value, and moves `at` behind them.
Expected<void> take_option(Options& options, const CommandName& command, const Arguments& arguments,
                           std::size_t& at) {
    const std::string_view argument = arguments[at++];
    const auto equals = argument.find('=');
    const std::string name(argument.substr(0, equals));
    const auto* rule = std::find_if(std::begin(kOptions), std::end(kOptions),
                                    [&](const OptionRule& option) { return option.name == name; });
    if (!name.starts_with('-')) return fail("unexpected argument \"" + name + '"');
    if (rule == std::end(kOptions)) return fail("unknown option " + name);
    if ((rule->commands & bit(command.command)) == 0) {
        return fail(std::string(command.name) + " takes no " + name);
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
        if (!rule->takes_value) return fail(name + " takes no value");
        value = argument.substr(equals + 1);
    } else if (rule->takes_value) {
        if (at == arguments.size()) return fail(name + " needs a value");
        value = arguments[at++];
    }
    const auto set = rule->set(options, value);
    if (!set) return fail(name + ' ' + set.error());
    return {};
}

Expected<void> check_complete(const Options& options, const CommandName& command) {
    const std::string name(command.name);
    if (options.plugin.empty()) return fail(name + " needs --plugin FILE");
    if (command.needs_config && options.config.empty()) return fail(name + " needs --config FILE");
    if (options.spool_size != 0 && options.spool.empty()) return fail("--spool-size goes with --spool DIR");
    return {};
}

bool contains(const Arguments& arguments, std::string_view wanted) {
    return std::find(arguments.begin(), arguments.end(), wanted) != arguments.end();
}

}  // namespace

namespace {

// What one unit of a measure is worth.
struct Unit {
    std::string_view name;
    std::uint64_t worth;
};

// A whole number above 0 and a unit, up to `most`; `like` shows how to write it.
Expected<std::uint64_t> parse_measure(std::string_view text, std::initializer_list<Unit> units,
                                      std::uint64_t most, std::string_view like) {
    const auto wrong = [&](std::string_view why) {
        return fail(std::string(why) + " in \"" + std::string(text) + "\"; write it like " +
                    std::string(like));
    };
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return wrong("has no whole number");
    const std::string_view unit_name = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const Unit& unit : units) {
        if (unit.name != unit_name) continue;
        if (number == 0 || number > most / unit.worth) return wrong("is out of range");
        return number * unit.worth;
    }
    return wrong("has no known unit");
}

}  // namespace

Expected<std::chrono::milliseconds> parse_duration(std::string_view text) {
    constexpr std::uint64_t kTenYears = std::uint64_t{10} * 365 * 24 * 3'600'000;
    return parse_measure(text, {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}, kTenYears,
                         "500ms, 30s, 5m or 1h")
        .map([](std::uint64_t count) { return std::chrono::milliseconds(count); });
}

Expected<std::uint64_t> parse_size(std::string_view text) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 50U;
    return parse_measure(text, {{"", 1}, {"KiB", 1U << 10U}, {"MiB", 1U << 20U}, {"GiB", 1U << 30U}}, kMost,
                         "500KiB, 64MiB or 1GiB");
}

Expected<Options> parse_options(const Arguments& arguments) {
    Options options;
    if (arguments.empty()) return fail("no command given");
    if (contains(arguments, "--help") || arguments.front() == "-h") return options;
    if (arguments.front() == "--version") {
        options.command = Command::version;
        return options;
    }
    const auto* command = std::find_if(std::begin(kCommands), std::end(kCommands),
                                       [&](const CommandName& c) { return c.name == arguments.front(); });
    if (command == std::end(kCommands)) {
        return fail((arguments.front().starts_with('-') ? "unknown option " : "unknown command ") +
                    std::string(arguments.front()));
    }
    options.command = command->command;
    for (std::size_t at = 1; at < arguments.size();) {
        if (auto taken = take_option(options, *command, arguments, at); !taken) return fail(taken.error());
    }
    if (auto complete = check_complete(options, *command); !complete) return fail(complete.error());
    if (options.emit.empty()) options.emit.emplace_back("stdout");
    if (options.targets.points_format == 0) options.targets.points_format = WEIR_FORMAT_LINE_PROTOCOL;
    if (options.targets.give_up_after.count() == 0) options.targets.give_up_after = kGiveUpAfter;
    if (options.spool_size == 0) options.spool_size = kSpoolSize;
    return options;
}

std::string_view help_text() { return kHelp; }

}  // namespace weir::host
