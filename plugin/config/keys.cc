#include "plugin/config/keys.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>

namespace weir::config {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;
constexpr std::int64_t kGiB = 1024 * kMiB;

constexpr std::string_view kProtocols[] = {"tcp", "udp", "dns"};
constexpr std::string_view kL7[] = {"httpflow", "httpflow-tls"};
constexpr std::string_view kLoopback[] = {"drop", "keep"};

const Key kKeys[] = {
    {"",
     "interval",
     Kind::duration,
     "\"10s\"",
     kSecond,
     5 * kMinute,
     {},
     &Config::interval_ns,
     "How often connections are read and points are made. From 1s to 5m."},
    {"",
     "host",
     Kind::text,
     "\"\"",
     0,
     0,
     {},
     &Config::host,
     "Tag `host` of every point. Empty: the machine's host name."},
    {"", "service", Kind::text, "\"ebpf\"", 0, 0, {}, &Config::service, "Tag `service` of every point."},
    {"", "protocols", Kind::list, "[\"tcp\", \"udp\", \"dns\"]", 0, 0, kProtocols, &Config::protocols,
     "What is followed besides application protocols: connections, UDP flows, DNS queries with their "
     "answers\n"
     "(and, by them, the domains of addresses)."},
    {"", "l7net_enabled", Kind::list, "[\"httpflow\", \"httpflow-tls\"]", 0, 0, kL7, &Config::l7net_enabled,
     "Application protocols that are followed (L7). [] leaves only L4, which costs nothing per request.\n"
     "\"httpflow-tls\" adds HTTP of programs that use OpenSSL; it needs \"httpflow\" and costs some\n"
     "microseconds for each call of such a program to its library."},
    {"",
     "http_routes",
     Kind::list,
     "[]",
     0,
     0,
     {},
     &Config::http_routes,
     "Routes of requests that are known beforehand, tried first and in this order: \"/users/{name}/**\". A\n"
     "segment in braces stands for any one, ** at the end for any number. Other paths have their ids "
     "folded."},
    {"",
     "http_redact",
     Kind::list,
     "[]",
     0,
     0,
     {},
     &Config::http_redact,
     "Segments of paths that are never shown: \"reset/*\" hides what comes after reset, \"sk_*\" what "
     "begins\n"
     "with sk_. Query strings are never read at all."},
    {"",
     "ephemeral_port",
     Kind::integer,
     "10001",
     0,
     65535,
     {},
     &Config::ephemeral_port,
     "Client ports from this number on are folded to `*`, so that a client's connections to one server are\n"
     "one flow. 0 folds none: each connection is a flow of its own."},
    {"", "loopback", Kind::text, "\"drop\"", 0, 0, kLoopback, &Config::loopback,
     "Flows over loopback addresses: \"drop\" leaves them out, \"keep\" reports them."},
    {"",
     "ipv6_disabled",
     Kind::boolean,
     "false",
     0,
     0,
     {},
     &Config::ipv6_disabled,
     "Leaves out flows over IPv6. IPv4 mapped in IPv6 counts as IPv4 and stays."},
    {"",
     "netlog_blacklist",
     Kind::text,
     "\"\"",
     0,
     0,
     {},
     &Config::netlog_blacklist,
     "Flows that are left out: rules over tcp, udp, ipv4, ipv6, src_port, dst_port, pid, ip_saddr, "
     "ip_daddr,\n"
     "ip6_saddr, ip6_daddr, process_name, k8s_src_pod, k8s_dst_pod with == != < <= > >= && || ! ( ),\n"
     "ipnet_contains(\"10.0.0.0/8\", ip_daddr) and has_prefix(process_name, \"kube\"). A flow that meets any "
     "of\n"
     "several rules, separated by ; or a new line, is left out. Example:\n"
     "\"\"\"ip_daddr == '169.254.169.254' && tcp; process_name == 'curl'\"\"\""},
    {"",
     "dns_timeout",
     Kind::duration,
     "\"5s\"",
     kSecond / 10,
     kMinute,
     {},
     &Config::dns_timeout_ns,
     "A DNS query without an answer for so long counts as timed out (rcode -1)."},
    {"",
     "nat",
     Kind::boolean,
     "true",
     0,
     0,
     {},
     &Config::nat,
     "Follows connection tracking, so that flows to a translated address (a service's, say) carry the real "
     "one, too."},
    {"",
     "tags",
     Kind::table,
     "{}",
     0,
     0,
     {},
     &Config::tags,
     "Tags put on every point that has no tag of that name. In the environment: \"key=value,key=value\"."},

    {"limits",
     "flows",
     Kind::integer,
     "65536",
     64,
     4'000'000,
     {},
     &Config::Limits::flows,
     "Flows of one interval that are told apart, and as many request groups. Beyond it the smallest are added\n"
     "up in one flow `~other` for each direction and transport: totals stay exact."},
    {"limits",
     "routes",
     Kind::integer,
     "200",
     1,
     100'000,
     {},
     &Config::Limits::routes,
     "Routes of one server that are told apart. Those beyond it are in the route `~other`."},
    {"limits",
     "domains",
     Kind::integer,
     "65536",
     0,
     4'000'000,
     {},
     &Config::Limits::domains,
     "Addresses whose domain is remembered from DNS answers; 0: none."},
    {"limits",
     "nat",
     Kind::integer,
     "65536",
     1,
     4'000'000,
     {},
     &Config::Limits::nat,
     "Translated connections that are remembered."},
    {"limits",
     "ring",
     Kind::size,
     "\"16MiB\"",
     64 * kKiB,
     kGiB,
     {},
     &Config::Limits::ring_bytes,
     "Buffer between the kernel and the collector. Rounded up to a power of two."},
    {"limits",
     "spool",
     Kind::size,
     "\"64MiB\"",
     4 * kMiB,
     1024 * kGiB,
     {},
     &Config::Limits::spool_bytes,
     "Points that the host does not take wait on disk, in store.path/spool, up to this size, and are handed "
     "over\n"
     "when it takes points again. What comes beyond it is counted as lost."},
    {"limits",
     "query_time",
     Kind::duration,
     "\"10s\"",
     100'000'000,
     5 * kMinute,
     {},
     &Config::Limits::query_time_ns,
     "A request to the API that takes longer is ended with an error."},

    {"store",
     "enabled",
     Kind::boolean,
     "true",
     0,
     0,
     {},
     &Config::Store::enabled,
     "Keeps the history that the API and the console show."},
    {"store",
     "path",
     Kind::text,
     "\"/var/lib/weir\"",
     0,
     0,
     {},
     &Config::Store::path,
     "Directory of the history. Made when missing. One instance at a time uses it."},
    {"store",
     "detail",
     Kind::duration,
     "\"15m\"",
     kMinute,
     24 * kHour,
     {},
     &Config::Store::detail_ns,
     "How long the records of each interval are kept."},
    {"store",
     "rollup",
     Kind::duration,
     "\"48h\"",
     kHour,
     31 * 24 * kHour,
     {},
     &Config::Store::rollup_ns,
     "How long the sums of each minute are kept."},
    {"store",
     "max_size",
     Kind::size,
     "\"1GiB\"",
     16 * kMiB,
     1024 * kGiB,
     {},
     &Config::Store::max_bytes,
     "Hard limit on disk. When it is reached the oldest goes first."},

    {"http",
     "listen",
     Kind::text,
     "\"127.0.0.1:9531\"",
     0,
     0,
     {},
     &Config::Http::listen,
     "Address of the API and the console. Empty: none. Any other than a loopback address needs a token."},
    {"http",
     "token",
     Kind::text,
     "\"\"",
     0,
     0,
     {},
     &Config::Http::token,
     "Asked for as `Authorization: Bearer ...` when it is not empty. At least 16 characters."},
    {"http",
     "tls_cert",
     Kind::text,
     "\"\"",
     0,
     0,
     {},
     &Config::Http::tls_cert,
     "Certificate chain, PEM. With tls_key: serve HTTPS."},
    {"http", "tls_key", Kind::text, "\"\"", 0, 0, {}, &Config::Http::tls_key, "Private key, PEM."},
};

struct Unit {
    std::string_view name;
    std::int64_t factor;
};
constexpr Unit kDurationUnits[] = {{"ms", 1'000'000}, {"s", kSecond}, {"m", kMinute}, {"h", kHour}};
// The first kBinaryUnits are those that messages use.
constexpr Unit kSizeUnits[] = {{"B", 1},          {"KiB", kKiB},        {"MiB", kMiB},
                               {"GiB", kGiB},     {"TiB", 1024 * kGiB}, {"KB", 1000},
                               {"MB", 1'000'000}, {"GB", 1'000'000'000}};
constexpr std::size_t kBinaryUnits = 5;

// A whole number and a unit.
Result<Value> parse_quantity(std::string_view text, std::span<const Unit> units, std::string_view example) {
    const auto wrong = [&] {
        return fail(ErrorCode::bad_config, "expected something like " + std::string(example) + ", got \"" +
                                               std::string(text.substr(0, 40)) + "\"");
    };
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0) return wrong();
    const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
    if (unit == units.end() || number > std::numeric_limits<std::int64_t>::max() / unit->factor)
        return wrong();
    return number * unit->factor;
}

Result<Value> parse_integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
        return fail(ErrorCode::bad_config,
                    "expected a whole number, got \"" + std::string(text.substr(0, 40)) + "\"");
    }
    return number;
}

TextList split(std::string_view text) {
    TextList out;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        if (comma != 0) out.emplace_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return out;
}

Result<Value> parse_table(std::string_view text) {
    TextTable out;
    for (const std::string& pair : split(text)) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(ErrorCode::bad_config, "expected key=value,key=value");
        }
        out[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    return out;
}

// What an agent's users know: anything but these is true.
bool parse_boolean(std::string_view text) {
    constexpr std::string_view kFalse[] = {"", "f", "false", "FALSE", "False", "0"};
    return std::find(std::begin(kFalse), std::end(kFalse), text) == std::end(kFalse);
}

std::string in_words(const Key& key, std::int64_t value) {
    const auto units = key.kind == Kind::duration ? std::span<const Unit>(kDurationUnits)
                                                  : std::span<const Unit>(kSizeUnits).first(kBinaryUnits);
    if (key.kind == Kind::integer) return std::to_string(value);
    const Unit* best = &units[0];
    for (const Unit& unit : units) {
        if (value % unit.factor == 0) best = &unit;
    }
    return std::to_string(value / best->factor) + std::string(best->name);
}

Status check_range(const Key& key, std::int64_t value) {
    if (value >= key.minimum && value <= key.maximum) return {};
    return fail(ErrorCode::bad_config,
                "must be from " + in_words(key, key.minimum) + " to " + in_words(key, key.maximum));
}

Status check_choice(const Key& key, const std::string& value) {
    if (key.choices.empty() || std::find(key.choices.begin(), key.choices.end(), value) != key.choices.end())
        return {};
    std::string known;
    for (const std::string_view choice : key.choices) {
        known += (known.empty() ? "\"" : ", \"") + std::string(choice) + "\"";
    }
    return fail(ErrorCode::bad_config, "unknown value \"" + value.substr(0, 40) + "\"; known: " + known);
}

Status check(const Key& key, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return check_range(key, *number);
    if (const auto* text = std::get_if<std::string>(&value)) return check_choice(key, *text);
    if (const auto* list = std::get_if<TextList>(&value)) {
        for (const std::string& item : *list) {
            if (Status bad = check_choice(key, item); !bad) return bad;
        }
    }
    return {};
}

// `AnyConfig` is Config, or const Config.
template <typename AnyConfig, typename Class, typename T>
auto& member(AnyConfig& config, T Class::*pointer) {
    if constexpr (std::is_same_v<Class, Config>) {
        return config.*pointer;
    } else if constexpr (std::is_same_v<Class, Config::Limits>) {
        return config.limits.*pointer;
    } else if constexpr (std::is_same_v<Class, Config::Store>) {
        return config.store.*pointer;
    } else {
        return config.http.*pointer;
    }
}

}  // namespace

std::string Key::path() const {
    return section.empty() ? std::string(name) : std::string(section) + "." + std::string(name);
}

std::string Key::environment() const {
    std::string out = "WEIR_" + path();
    for (char& c : out) c = c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

bool Key::can_change_while_running() const {
    constexpr std::string_view kChanging[] = {"interval",         "loopback",    "ipv6_disabled",
                                              "netlog_blacklist", "dns_timeout", "tags"};
    return std::find(std::begin(kChanging), std::end(kChanging), path()) != std::end(kChanging);
}

bool is_equal(const Key& key, const Config& a, const Config& b) {
    return std::visit([&](auto pointer) { return member(a, pointer) == member(b, pointer); }, key.target);
}

std::span<const Key> keys() { return kKeys; }

std::string_view to_string(Kind kind) {
    switch (kind) {
        case Kind::boolean: return "boolean";
        case Kind::integer: return "integer";
        case Kind::text: return "string";
        case Kind::list: return "array of strings";
        case Kind::table: return "table of strings";
        case Kind::duration: return "duration";
        case Kind::size: return "size";
    }
    return "";
}

Result<Value> parse_value(const Key& key, std::string_view text) {
    switch (key.kind) {
        case Kind::boolean: return parse_boolean(text);
        case Kind::integer: return parse_integer(text);
        case Kind::text: return std::string(text);
        case Kind::list: return split(text);
        case Kind::table: return parse_table(text);
        case Kind::duration: return parse_quantity(text, kDurationUnits, "\"10s\", \"15m\" or \"48h\"");
        case Kind::size: return parse_quantity(text, kSizeUnits, "\"512MiB\" or \"1GiB\"");
    }
    return fail(ErrorCode::internal, "unknown kind");
}

Status assign(const Key& key, const Value& value, Config& config) {
    if (Status bad = check(key, value); !bad) return bad;
    std::visit(
        [&](auto pointer) {
            auto& target = member(config, pointer);
            using T = std::remove_reference_t<decltype(target)>;
            if (const auto* typed = std::get_if<T>(&value)) target = *typed;
        },
        key.target);
    return {};
}

}  // namespace weir::config
