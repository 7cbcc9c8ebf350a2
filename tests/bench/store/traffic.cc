#include "tests/bench/store/traffic.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>

#include "plugin/flow/batch_builder.h"

namespace weir::bench {
namespace {

using Random = std::mt19937_64;

std::string dotted(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    return std::to_string(a) + "." + std::to_string(b) + "." + std::to_string(c) + "." + std::to_string(d);
}

constexpr std::uint16_t kPorts[] = {80, 443, 5432, 6379, 8080, 9092, 3306, 9200};

}  // namespace

std::string Endpoints::host_ip() const { return dotted(10, 0, host / 250, 1 + host % 250); }
std::string Endpoints::backend_ip() const {
    return dotted(172, 16 + backend, service / 250, 1 + service % 250);
}
std::uint16_t Endpoints::port() const { return kPorts[service % std::size(kPorts)]; }
std::string Endpoints::name_space() const { return "team-" + std::to_string(pod % 20); }
std::string Endpoints::pod_name() const { return "pod-" + std::to_string(pod); }
std::string Endpoints::service_name() const {
    return "service-" + std::to_string(service) + ".cluster.local";
}

Traffic::Traffic(const Shape& shape, std::uint64_t seed) : shape_(shape), seed_(seed), flows_(kFlows) {
    Random random(7);
    for (Endpoints& flow : flows_) {
        flow.pod = static_cast<std::uint32_t>(random() % kPods);
        flow.host = static_cast<std::uint32_t>(flow.pod % kHosts);
        flow.service = static_cast<std::uint32_t>(random() % kServices);
        flow.backend = static_cast<std::uint32_t>(random() % kBackends);
        flow.base_rtt = static_cast<std::uint32_t>(100 * std::exp(std::normal_distribution<>(1, 1)(random)));
    }
}

std::vector<Row> Traffic::rows(std::size_t interval) const {
    Random random(seed_ * 1'000'003 + interval);
    std::vector<std::uint32_t> order(kFlows);
    std::iota(order.begin(), order.end(), 0u);
    const std::size_t first = shape_.rows * interval / shape_.intervals;
    const std::size_t count = shape_.rows * (interval + 1) / shape_.intervals - first;
    std::lognormal_distribution<> bytes(8, 2);
    std::normal_distribution<> spread(1, 0.15);
    std::vector<Row> out(count);
    for (std::size_t i = 0; i < count; i++) {
        std::swap(order[i], order[i + random() % (kFlows - i)]);
        Row& row = out[i];
        row.flow = order[i];
        row.bytes_written = static_cast<std::uint64_t>(bytes(random));
        row.bytes_read = static_cast<std::uint64_t>(bytes(random) * 4);
        row.retransmits = random() % 50 == 0 ? 1 + static_cast<std::uint32_t>(random() % 3) : 0;
        row.established = random() % 3 == 0 ? 1 : 0;
        row.closed = random() % 3 == 0 ? 1 : 0;
        const std::uint32_t base = flows_[row.flow].base_rtt;
        for (std::uint64_t n = 1 + random() % 4; n > 0; n--)
            row.rtt.push_back(static_cast<std::uint32_t>(std::max(1.0, base * spread(random))));
    }
    return out;
}

BatchPtr Traffic::batch(std::size_t interval) const {
    BatchBuilder builder;
    for (const Row& row : rows(interval)) {
        const Endpoints& ends = flows_[row.flow];
        Flow flow;
        flow.local = *Address::parse(ends.host_ip());
        flow.remote = *Address::parse(ends.backend_ip());
        flow.remote_port = ends.port();
        flow.direction = Direction::outgoing;
        flow.netns = 4026531840u + ends.pod % 64;
        flow.pid = 1000 + ends.pod;
        flow.process = builder.intern(ends.name_space());
        flow.container = builder.intern(ends.pod_name());
        flow.domain = builder.intern(ends.service_name());
        L4Row& into = builder.l4(builder.flow(flow));
        into.bytes_written += row.bytes_written;
        into.bytes_read += row.bytes_read;
        into.retransmits += row.retransmits;
        into.tcp_established += row.established;
        into.tcp_closed += row.closed;
        for (const std::uint32_t sample : row.rtt) into.rtt.add(sample);
    }
    auto out = builder.take();
    out->end_ns = end_of(interval);
    out->begin_ns = out->end_ns - shape_.length_ns;
    out->host = "bench";
    out->service = "ebpf";
    return out;
}

void Traffic::write(const std::string& path) const {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    if (file == nullptr) {
        std::perror(path.c_str());
        std::exit(1);
    }
    for (std::size_t interval = 0; interval < shape_.intervals; interval++) {
        for (const Row& row : rows(interval)) {
            const Endpoints& ends = flows_[row.flow];
            // The rows of a minute belong to it until its end, so its second is the last one inside.
            std::fprintf(file, "%ld\t%s\t%s\t%s\t%s\t%s\t%u\t%lu\t%lu\t%u\t%u\t%u\t[",
                         end_of(interval) / kSecond - 1, ends.host_ip().c_str(), ends.name_space().c_str(),
                         ends.pod_name().c_str(), ends.service_name().c_str(), ends.backend_ip().c_str(),
                         unsigned{ends.port()}, row.bytes_written, row.bytes_read, row.retransmits,
                         row.established, row.closed);
            for (std::size_t i = 0; i < row.rtt.size(); i++)
                std::fprintf(file, "%s%u", i == 0 ? "" : ",", row.rtt[i]);
            std::fputs("]\n", file);
        }
    }
    std::fclose(file);
}

}  // namespace weir::bench
