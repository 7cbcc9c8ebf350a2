// The configuration, parsed and checked.
//
// One table (keys.h) holds every key with its type, default, range, environment variable and help; the
// parser, the checks, the sample and schema() are all driven by it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/status.h"

namespace weir::config {

struct Config {
    std::int64_t interval_ns = 0;
    std::string host;     // empty: the machine's host name
    std::string service;  // tag `service`
    std::vector<std::string> protocols;
    std::vector<std::string> l7net_enabled;
    std::vector<std::string> http_routes;  // patterns, see protocol::RoutePatterns
    std::vector<std::string> http_redact;  // rules, see protocol::Redaction
    std::int64_t ephemeral_port = 0;       // client ports from here on fold to `*`; 0 = none do
    std::string loopback;                  // "keep" or "drop"
    bool ipv6_disabled = false;
    std::string netlog_blacklist;     // rules for flows that are left out; see plugin/flow/flow_filter.h
    std::int64_t dns_timeout_ns = 0;  // a query without an answer for so long has none
    bool nat = true;                  // follow connection tracking
    std::map<std::string, std::string> tags;  // on every point

    struct Limits {
        std::int64_t flows = 0;          // rows of an interval, per layer
        std::int64_t routes = 0;         // of a server
        std::int64_t domains = 0;        // addresses with a known domain
        std::int64_t nat = 0;            // translated connections
        std::int64_t ring_bytes = 0;     // between kernel and collector, a power of two
        std::int64_t query_time_ns = 0;  // for one request to the API
        std::int64_t spool_bytes = 0;    // of points that the host does not take
        bool operator==(const Limits&) const = default;
    } limits;

    struct Store {
        bool enabled = true;
        std::string path;
        std::int64_t detail_ns = 0;
        std::int64_t rollup_ns = 0;
        std::int64_t max_bytes = 0;
        bool operator==(const Store&) const = default;
    } store;

    struct Http {
        std::string listen;  // "address:port"; empty: no endpoint
        std::string token;
        std::string tls_cert;
        std::string tls_key;
        bool operator==(const Http&) const = default;
    } http;

    bool wants_tls() const;                         // and "httpflow-tls"
    bool wants_http() const;                        // l7net_enabled holds "httpflow"
    bool follows(std::string_view protocol) const;  // protocols holds it
    bool operator==(const Config&) const = default;
};

// Reads the value of an environment variable; nullptr when it is not set. Tests bring their own.
using Environment = const char* (*)(const char* name);

// Parses [[inputs.weir]] and applies WEIR_* overrides. The error's message holds every mistake, one a
// line: "line N: key: what is wrong", or "environment: NAME: ..." for an override.
Result<Config> parse(std::string_view toml, Environment environment);

// A part of a configuration on top of another: keys that it does not name stay as they are. The environment
// is not read.
Result<Config> parse_part(std::string_view toml, const Config& base);

// The keys that differ and cannot change while an instance runs, with commas between; empty when there are
// none.
std::string needing_restart(const Config& before, const Config& after);

// Static texts, made from the table of keys once.
const std::string& sample_toml();
const std::string& schema_json();
const std::string& reloadable_json();  // names of the keys that can change while an instance runs

}  // namespace weir::config
