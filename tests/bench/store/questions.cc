#include "tests/bench/store/questions.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

namespace weir::bench {
namespace {

using query::Dimension;
using query::Measure;

constexpr std::int64_t kMinute = 60 * kSecond;

struct Sums {
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    std::vector<std::uint32_t> rtt;
};

std::string key_of(const std::vector<query::KeyPart>& parts, std::int64_t time_ns) {
    std::string out = std::to_string(time_ns);
    for (const auto& part : parts) out += "|" + part.text;
    return out;
}

// The key of a flow's rows in a question's answer, without its time; nothing when it is not about them.
std::optional<std::string> key_of(const Question& question, const Endpoints& ends) {
    std::string out;
    for (const Dimension& dimension : question.query.by) {
        switch (dimension.field) {
            case Field::src_ip: out += "|" + ends.host_ip(); break;
            case Field::dst_ip: out += "|" + ends.backend_ip(); break;
            case Field::dst_port: out += "|" + std::to_string(ends.port()); break;
            case Field::process_name: out += "|" + ends.name_space(); break;
            case Field::container_id: out += "|" + ends.pod_name(); break;
            case Field::dst_domain: out += "|" + ends.service_name(); break;
            default: break;
        }
    }
    const bool of_one_host = question.query.filter.kind != query::Filter::Kind::all;
    return of_one_host && ends.host_ip() != chosen_host() ? std::nullopt : std::optional(out);
}

std::unordered_map<std::string, Sums> add_up(const Question& question, const Traffic& traffic) {
    std::unordered_map<std::string, Sums> out;
    std::vector<std::optional<std::string>> keys;
    for (const Endpoints& ends : traffic.flows()) keys.push_back(key_of(question, ends));
    const std::int64_t step = question.query.step_ns;
    for (std::size_t interval = 0; interval < traffic.shape().intervals; interval++) {
        const std::int64_t time = step > 0 ? (traffic.end_of(interval) - 1) / step * step : 0;
        const std::string prefix = std::to_string(time);
        for (const Row& row : traffic.rows(interval)) {
            if (!keys[row.flow]) continue;
            Sums& sums = out[prefix + *keys[row.flow]];
            sums.written += row.bytes_written;
            sums.read += row.bytes_read;
            sums.rtt.insert(sums.rtt.end(), row.rtt.begin(), row.rtt.end());
        }
    }
    return out;
}

double p95_of(std::vector<std::uint32_t> samples) {
    const auto rank = static_cast<std::ptrdiff_t>(std::ceil(0.95 * static_cast<double>(samples.size()))) - 1;
    std::nth_element(samples.begin(), samples.begin() + rank, samples.end());
    return samples[static_cast<std::size_t>(rank)];
}

std::string check_group(const Question& question, const query::Group& group, const Sums& sums) {
    const auto wants = [&](Measure measure) {
        return (question.query.measures & query::set_of(measure)) != 0;
    };
    if (wants(Measure::bytes_written) && group.measures.bytes_written != sums.written) return "bytes written";
    if (wants(Measure::bytes_read) && group.measures.bytes_read != sums.read) return "bytes read";
    if (!wants(Measure::rtt_p95)) return {};
    const double expected = p95_of(sums.rtt);
    const auto got = query::value(group.measures, Measure::rtt_p95, 1);
    if (!got || std::abs(*got - expected) > std::max(1.0, 0.02 * expected)) return "the 95th percentile";
    return {};
}

}  // namespace

std::string chosen_host() { return Endpoints{.host = 123}.host_ip(); }

std::vector<Question> questions(const Traffic& intervals, const Traffic& minutes) {
    query::AggregateQuery top;
    top.range = {intervals.end() - 15 * kMinute, intervals.end()};
    top.by = {Dimension::of(Field::src_ip), Dimension::of(Field::dst_ip), Dimension::of(Field::dst_port)};
    top.limit = 100;
    top.measures = query::set_of(Measure::bytes_written) | query::set_of(Measure::bytes_read);

    query::AggregateQuery edges;
    edges.range = {minutes.end() - 48 * 60 * kMinute, minutes.end()};
    edges.by = {Dimension::of(Field::process_name), Dimension::of(Field::container_id),
                Dimension::of(Field::dst_domain)};
    edges.measures = query::set_of(Measure::bytes_written) | query::set_of(Measure::rtt_p95);

    query::AggregateQuery host;
    host.range = edges.range;
    host.filter = query::Filter::equals(Field::src_ip, chosen_host());
    host.step_ns = kMinute;
    host.measures = edges.measures;

    query::AggregateQuery long_top = top;
    long_top.range = edges.range;
    return {{"Q1", "top 100 by source, destination, port over 15 min", top, false},
            {"Q2", "edges namespace+pod to service over 48 h with p95", edges, true},
            {"Q3", "one host, each minute of 48 h, with p95", host, true},
            {"Q4", "top 100 by source, destination, port over 48 h", long_top, true}};
}

std::string check(const Question& question, const query::AggregateResult& answer, const Traffic& traffic) {
    const auto expected = add_up(question, traffic);
    const std::size_t groups = question.query.step_ns > 0 ? answer.groups.size() : answer.group_count;
    if (groups != expected.size())
        return std::to_string(groups) + " groups, not " + std::to_string(expected.size());
    std::uint64_t worst = ~std::uint64_t{0};
    for (const auto& group : answer.groups) {
        const std::string key = key_of(group.key, group.time_ns);
        const auto at = expected.find(key);
        if (at == expected.end()) return "a group that there is not: " + key;
        const std::string wrong = check_group(question, group, at->second);
        if (!wrong.empty()) return key + ": " + wrong;
        worst = std::min(worst, group.measures.bytes_written);
    }
    if (question.query.limit == 0 || answer.groups.size() == expected.size()) return {};
    // Of those that were left out, none is larger.
    std::size_t larger = 0;
    std::uint64_t total = 0;
    for (const auto& [key, sums] : expected) {
        larger += sums.written > worst ? 1 : 0;
        total += sums.written;
    }
    if (larger >= question.query.limit) return "not the largest";
    return answer.totals.bytes_written == total ? "" : "the total";
}

}  // namespace weir::bench
