#include "plugin/source/udp_flows.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "plugin/base/clock.h"

namespace weir {
namespace {

// As struct udp_key and struct udp_counters in bpf/udp.h; attach() compares the sizes.
struct Key {
    std::uint64_t cookie = 0;
    std::array<std::uint8_t, 16> remote{};
    std::uint16_t remote_port = 0;
    std::array<std::uint16_t, 3> reserved{};
};

struct Counters {
    std::uint64_t sent = 0, received = 0;
    std::uint32_t sent_count = 0, received_count = 0;
};

constexpr std::array kOtherDirections = {WEIR_INCOMING, WEIR_OUTGOING};

}  // namespace

struct UdpFlows::Parts {
    bpf_link* link = nullptr;
    bpf_map* flows = nullptr;
    bpf_map* other = nullptr;
    std::array<Counters, kOtherDirections.size()> other_reported{};
    std::vector<Key> idle;
    std::array<weir_udp_record, 512> buffer{};

    ~Parts() { bpf_link__destroy(link); }
};

Result<std::unique_ptr<UdpFlows>> UdpFlows::attach(bpf_program* walk, bpf_map* flows, bpf_map* other) {
    if (bpf_map__key_size(flows) != sizeof(Key) || bpf_map__value_size(other) != sizeof(Counters)) {
        return fail(ErrorCode::internal, "the UDP maps are not laid out as expected");
    }
    std::unique_ptr<UdpFlows> out(new UdpFlows);
    out->parts_ = std::make_unique<Parts>();
    bpf_iter_link_info info{};
    info.map.map_fd = static_cast<__u32>(bpf_map__fd(flows));
    LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
    out->parts_->link = bpf_program__attach_iter(walk, &options);
    if (out->parts_->link == nullptr) {
        return fail(ErrorCode::unsupported,
                    std::string("cannot attach the iterator over UDP flows: ") + std::strerror(errno));
    }
    out->parts_->flows = flows;
    out->parts_->other = other;
    return out;
}

UdpFlows::~UdpFlows() = default;

Status UdpFlows::sweep(RecordSink& sink) {
    Status done = read_flows(sink);
    read_other(sink);
    return done;
}

Status UdpFlows::read_flows(RecordSink& sink) {
    const int fd = bpf_iter_create(bpf_link__fd(parts_->link));
    if (fd < 0) {
        return fail(ErrorCode::internal, std::string("cannot walk the UDP flows: ") + std::strerror(errno));
    }
    // a read may end anywhere in a record
    auto* const begin = reinterpret_cast<char*>(parts_->buffer.data());
    const std::size_t room = sizeof(parts_->buffer);
    std::size_t filled = 0;
    ssize_t n = 0;
    while ((n = read(fd, begin + filled, room - filled)) > 0 ||
           (n < 0 && (errno == EAGAIN || errno == EINTR))) {
        if (n > 0) filled += static_cast<std::size_t>(n);
        const std::size_t whole = filled / sizeof(weir_udp_record);
        for (std::size_t i = 0; i < whole; i++) {
            const weir_udp_record& record = parts_->buffer[i];
            if ((record.flags & WEIR_UDP_IDLE) != 0) {
                forget(record);
            } else {
                sink.on_udp(record);
            }
        }
        const std::size_t taken = whole * sizeof(weir_udp_record);
        std::memmove(begin, begin + taken, filled - taken);
        filled -= taken;
    }
    const int why = errno;
    close(fd);
    for (const Key& key : parts_->idle) bpf_map__delete_elem(parts_->flows, &key, sizeof(key), 0);
    parts_->idle.clear();
    if (n < 0)
        return fail(ErrorCode::internal, std::string("the walk over UDP flows ended: ") + std::strerror(why));
    return {};
}

void UdpFlows::forget(const weir_udp_record& record) {
    Key key;
    key.cookie = record.cookie;
    std::copy(std::begin(record.id.remote), std::end(record.id.remote), key.remote.begin());
    key.remote_port = record.id.remote_port;
    parts_->idle.push_back(key);
}

void UdpFlows::read_other(RecordSink& sink) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return;
    std::vector<Counters> values(static_cast<std::size_t>(cpus));
    for (__u32 which = 0; which < kOtherDirections.size(); which++) {
        if (bpf_map_lookup_elem(bpf_map__fd(parts_->other), &which, values.data()) != 0) continue;
        Counters sum;
        for (const Counters& value : values) {
            sum.sent += value.sent;
            sum.received += value.received;
            sum.sent_count += value.sent_count;
            sum.received_count += value.received_count;
        }
        Counters& reported = parts_->other_reported[which];
        weir_udp_record record{};
        record.kind = WEIR_RECORD_UDP;
        record.flags = WEIR_UDP_FOLDED;
        record.time = static_cast<__u64>(system_clock().boot_ns());
        record.id.transport = IPPROTO_UDP;
        record.id.direction = kOtherDirections[which];
        record.bytes_sent = sum.sent - reported.sent;
        record.bytes_received = sum.received - reported.received;
        record.datagrams_sent = sum.sent_count - reported.sent_count;
        record.datagrams_received = sum.received_count - reported.received_count;
        reported = sum;
        if (record.datagrams_sent != 0 || record.datagrams_received != 0) sink.on_udp(record);
    }
}

}  // namespace weir
