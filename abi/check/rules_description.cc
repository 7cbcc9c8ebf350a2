// What a plugin says of itself, without an instance.
#include <grp.h>
#include <unistd.h>

#include <algorithm>

#include "abi/check/process_state.h"
#include "abi/check/rule.h"
#include "abi/check/text.h"

namespace weir::check {
namespace {

using Describing = weir_code (*)(weir_static*) noexcept;

// The same static text every time.
std::string static_text(Bench& bench, const char* name, Describing function) {
    bench.verdict().step(name);
    weir_static first{};
    weir_static second{};
    if (!bench.expect(function(&first), WEIR_OK, name) || !bench.expect(function(&second), WEIR_OK, name)) {
        end_rule();
    }
    bench.check(first.data == second.data && first.size == second.size,
                std::string(name) + " gives another text the second time");
    bench.expect(function(nullptr), WEIR_E_INVALID_ARGUMENT, std::string(name) + "(NULL)");
    if (!bench.check(first.data != nullptr && first.size > 0, std::string(name) + " is empty")) end_rule();
    const std::string text(first.data, first.size);
    bench.check(is_utf8(text), std::string(name) + " is not UTF-8");
    return text;
}

void describe(Bench& bench) {
    bench.load();
    const auto json = parse_json(static_text(bench, "describe", bench.plugin().describe));
    if (!bench.check(json.is_object(), "describe is no JSON object")) return;
    for (const char* key : {"name", "version"}) {
        const auto value = json.find(key);
        bench.check(value != json.end() && value->is_string() && !value->get<std::string>().empty(),
                    std::string("describe has no ") + key);
    }
    const auto measurements = json.find("measurements");
    if (!bench.check(measurements != json.end() && measurements->is_array() && !measurements->empty(),
                     "describe has no measurements")) {
        return;
    }
    for (const auto& one : *measurements) {
        bench.check(one.is_object() && !one.value("name", "").empty(), "a measurement has no name");
    }
}

void schema(Bench& bench) {
    bench.load();
    const auto json = parse_json(static_text(bench, "schema", bench.plugin().schema));
    if (!bench.check(json.is_array() && !json.empty(), "schema is no JSON array of keys")) return;
    for (const auto& key : json) {
        const bool whole = key.is_object() && !key.value("name", "").empty() &&
                           !key.value("type", "").empty() && key.contains("default") &&
                           !key.value("help", "").empty();
        if (!bench.check(whole, "a key has no name, type, default or help: " + key.dump())) return;
    }
}

void sample(Bench& bench) {
    bench.load();
    const std::string text = static_text(bench, "sample", bench.plugin().sample);
    const PluginText answer = bench.validate(text);
    bench.expect(answer.code, WEIR_OK, "validate(sample) (" + answer.text + ")");
}

void validate(Bench& bench) {
    bench.load();
    const PluginText answer = bench.validate(Bench::wrong_config());
    bench.expect(answer.code, WEIR_E_CONFIG, "validate of a wrong configuration");
    bench.check(answer.text.starts_with("line "), "the error names no line: " + answer.text);
    bench.check(!answer.text.ends_with('\n'), "the error ends with a newline");
    bench.check(is_utf8(answer.text), "the error is not UTF-8");
    const PluginText fine = bench.validate(bench.config());
    bench.expect(fine.code, WEIR_OK, "validate of the configuration at hand (" + fine.text + ")");
    const weir_borrowed null{nullptr, 5};
    bench.check(bench.plugin().validate(&null, nullptr, 0, nullptr) < 0, "validate takes {NULL, 5}");
}

void validate_unprivileged(Bench& bench) {
    bench.load();
    const std::string config = bench.config();
    if (geteuid() == 0) {
        constexpr uid_t kNobody = 65534;
        bench.check(setgroups(0, nullptr) == 0 && setgid(kNobody) == 0 && setuid(kNobody) == 0,
                    "cannot become nobody");
    }
    bench.expect(bench.validate(config).code, WEIR_OK, "validate without privileges");
    weir_static text{};
    bench.expect(bench.plugin().describe(&text), WEIR_OK, "describe without privileges");
}

// Every way in which a caller may bring room; the call must give the same text each time.
template <typename Ask>
void check_room(Bench& bench, const std::string& call, Ask ask) {
    constexpr char kCanary = '\x7E';
    std::uint64_t whole = 0;
    ask(nullptr, 0, &whole);
    if (!bench.check(whole > 0, call + ": a NULL buffer gets no length")) return;
    ask(nullptr, 0, nullptr);
    std::string expected;
    for (const std::uint64_t room : {std::uint64_t{0}, std::uint64_t{1}, whole - 1, whole, whole + 1}) {
        std::string buffer(whole + 64, kCanary);
        std::uint64_t length = 0;
        ask(buffer.data(), room, &length);
        bench.check(length == whole, call + ": the length depends on the room");
        const std::size_t used = std::min(room, whole);
        const bool untouched = buffer.find_first_not_of(kCanary, used) == std::string::npos;
        bench.check(untouched, call + ": writes beyond the room, or a NUL");
        if (room == whole) expected = buffer.substr(0, used);
    }
    bench.check(expected.find('\0') == std::string::npos, call + ": there is a NUL in the text");
    std::string buffer(whole, kCanary);
    ask(buffer.data(), whole, nullptr);
    bench.check(buffer == expected, call + ": a NULL length changes the text");
}

void texts(Bench& bench) {
    bench.load();
    const std::string wrong = Bench::wrong_config();
    const weir_borrowed config = host::borrowed(wrong);
    const weir_plugin_v1& plugin = bench.plugin();
    bench.verdict().step("validate");
    check_room(bench, "validate", [&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        plugin.validate(&config, buffer, capacity, length);
    });
    Recorder host(WEIR_FORMAT_LINE_PROTOCOL);
    const weir_host_v1 table = host.table();
    bench.verdict().step("create");
    check_room(bench, "create", [&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        weir_instance* instance = nullptr;
        plugin.create(&table, &config, &instance, buffer, capacity, length);
        if (instance != nullptr) plugin.destroy(instance);
    });
    Subject subject(bench);
    plugin.resume(subject.get());
    bench.verdict().step("last_error");
    check_room(bench, "last_error", [&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        plugin.last_error(subject.get(), buffer, capacity, length);
    });
}

void probe(Bench& bench) {
    bench.load();
    process_state before{};
    process_state after{};
    const auto ask = [&] {
        bench.verdict().step("probe");
        return host::ask_once([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
            return bench.plugin().probe(buffer, capacity, length);
        });
    };
    ask();  // libraries open what they keep
    process_state_take(&before, 1);
    const PluginText answer = ask();
    process_state_take(&after, before.threads);
    bench.check(
        answer.code == WEIR_OK || answer.code == WEIR_E_PRIVILEGE || answer.code == WEIR_E_UNSUPPORTED,
        "probe answers " + name_of(answer.code));
    bench.check(after.threads == before.threads, "probe leaves a thread");
    bench.check(after.descriptors == before.descriptors, "probe leaves a descriptor");
    const auto json = parse_json(answer.text);
    if (!bench.check(json.is_object(), "probe is no JSON object: " + answer.text)) return;
    const auto can_run = json.find("can_run");
    bench.check(can_run != json.end() && can_run->is_boolean() && *can_run == (answer.code == WEIR_OK),
                "can_run does not fit the code");
    bench.check(json.contains("tier") && json.contains("why"), "probe has no tier, or no why");
    const auto requirements = json.find("requirements");
    if (!bench.check(requirements != json.end() && requirements->is_array(), "probe has no requirements"))
        return;
    for (const auto& one : *requirements) {
        const bool whole =
            one.is_object() && one.contains("name") && one.contains("met") && one.contains("detail");
        bench.check(whole, "a requirement is not whole: " + one.dump());
    }
}

constexpr Rule kRules[] = {
    {"describe", "describe is a static JSON text with name, version and measurements", describe},
    {"schema", "schema is a static JSON text that explains every key", schema},
    {"sample", "sample is a static text that validate accepts", sample},
    {"validate", "validate names the line of an error", validate},
    {"validate-unprivileged", "validate and describe need no privileges", validate_unprivileged},
    {"texts", "texts keep to the caller's room and tell their full length", texts},
    {"probe", "probe says what would run, and leaves nothing behind", probe},
};

}  // namespace

std::span<const Rule> description_rules() { return kRules; }

}  // namespace weir::check
