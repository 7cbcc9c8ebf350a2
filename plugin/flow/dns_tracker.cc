#include "plugin/flow/dns_tracker.h"

#include <netinet/in.h>
#include <tsl/robin_map.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "plugin/base/bytes_hash.h"
#include "plugin/flow/batch.h"

namespace weir {
namespace {

constexpr std::uint16_t kNoError = 0, kNameError = 3;

// Lookups with the same id from one port: the same question to several servers, or, on a server, of several
// clients.
struct LookupKey {
    std::uint32_t netns = 0;
    std::uint16_t local_port = 0;
    std::uint16_t id = 0;
    std::uint32_t transport = 0;
    std::uint32_t is_client = 0;
};

struct Lookup {
    weir_conn_id id{};
    std::uint64_t question = 0;  // hash
    std::uint64_t time = 0;      // of the query, boot time
};

struct StreamKey {
    std::uint8_t remote[16];
    std::uint32_t netns = 0;
    std::uint16_t local_port = 0;
    std::uint16_t remote_port = 0;
    std::uint64_t is_sent = 0;
};

struct Stream {
    protocol::DnsStream stream;
    std::uint64_t time = 0;
};

template <typename Key, typename Value>
using Map = tsl::robin_map<Key, Value, BytesHash<Key>, BytesEqual<Key>>;

std::uint64_t hash_of_question(const protocol::DnsMessage& message) {
    return XXH3_64bits_withSeed(message.name.data(), message.name.size(),
                                std::uint64_t{message.type} << 16 | message.question_class);
}

// IPv4 is mapped, so an address of zeros has two forms; both end with them.
bool has_local_address(const weir_conn_id& id) {
    constexpr std::size_t kEnd = 4;
    const auto is_set = [](__u8 byte) { return byte != 0; };
    return std::any_of(std::end(id.local) - kEnd, std::end(id.local), is_set) ||
           std::any_of(std::begin(id.local), std::begin(id.local) + kEnd, is_set);
}

bool has_same_ends(const weir_conn_id& a, const weir_conn_id& b) {
    if (a.remote_port != b.remote_port || std::memcmp(a.remote, b.remote, sizeof(a.remote)) != 0)
        return false;
    return !has_local_address(a) || !has_local_address(b) ||
           std::memcmp(a.local, b.local, sizeof(a.local)) == 0;
}

LookupKey key_of(const weir_conn_id& id, std::uint16_t message_id, bool is_client) {
    return {id.netns, id.local_port, message_id, id.transport, is_client};
}

}  // namespace

struct DnsTracker::State {
    Map<LookupKey, std::vector<Lookup>> lookups;
    std::size_t lookup_count = 0;
    Map<StreamKey, Stream> streams;
};

DnsTracker::DnsTracker(DnsListener& listener, Ledger& ledger)
    : listener_(listener), ledger_(ledger), state_(std::make_unique<State>()) {}

DnsTracker::~DnsTracker() = default;

void DnsTracker::add(const weir_dns_record& record, std::span<const std::uint8_t> data) {
    if (record.id.transport != IPPROTO_TCP) return on_message(record, data);
    StreamKey key{};
    std::copy(std::begin(record.id.remote), std::end(record.id.remote), key.remote);
    key.netns = record.id.netns;
    key.local_port = record.id.local_port;
    key.remote_port = record.id.remote_port;
    key.is_sent = (record.flags & WEIR_DNS_SENT) != 0;
    if (!state_->streams.contains(key) && state_->streams.size() >= options_.max_streams) {
        ledger_.add(Loss::dns_table_full);
        return;
    }
    Stream& entry = state_->streams[key];
    entry.time = record.time;
    entry.stream.feed(data, (record.flags & WEIR_DNS_TRUNCATED) != 0,
                      [&](std::span<const std::uint8_t> message) { on_message(record, message); });
    if (entry.stream.is_idle()) state_->streams.erase(key);
}

void DnsTracker::on_message(const weir_dns_record& record, std::span<const std::uint8_t> data) {
    const auto message = protocol::parse_dns(data);
    if (!message) return ledger_.add(Loss::dns_unparsed);
    if (message->is_response) {
        on_response(record, *message);
    } else {
        on_query(record, *message);
    }
}

void DnsTracker::on_query(const weir_dns_record& record, const protocol::DnsMessage& message) {
    const bool is_client = (record.flags & WEIR_DNS_SENT) != 0;
    const LookupKey key = key_of(record.id, message.id, is_client);
    Lookup lookup{record.id, hash_of_question(message), record.time};
    lookup.id.direction = is_client ? WEIR_OUTGOING : WEIR_INCOMING;

    if (const auto at = state_->lookups.find(key); at != state_->lookups.end()) {
        for (Lookup& earlier : at.value()) {
            if (!has_same_ends(earlier.id, lookup.id)) continue;
            const bool is_repeated = earlier.question == lookup.question;
            if (is_repeated && record.time < earlier.time + options_.timeout_ns) return;
            listener_.on_lookup(earlier.id, DnsRow::kTimeout, 0);
            earlier = lookup;
            return;
        }
    }
    if (state_->lookup_count >= options_.max_lookups) expire_lookups(record.time);
    if (state_->lookup_count >= options_.max_lookups) return ledger_.add(Loss::dns_table_full);
    state_->lookups[key].push_back(lookup);
    state_->lookup_count++;
}

void DnsTracker::on_response(const weir_dns_record& record, const protocol::DnsMessage& message) {
    const bool is_client = (record.flags & WEIR_DNS_SENT) == 0;
    const auto at = state_->lookups.find(key_of(record.id, message.id, is_client));
    if (at == state_->lookups.end()) return;  // its query was not seen, or it came too late
    std::vector<Lookup>& waiting = at.value();
    const std::uint64_t question = hash_of_question(message);
    const auto found = std::find_if(waiting.begin(), waiting.end(), [&](const Lookup& lookup) {
        return has_same_ends(lookup.id, record.id) && (lookup.question == question || message.name.empty());
    });
    if (found == waiting.end()) return;

    Lookup lookup = *found;
    if (!has_local_address(lookup.id)) std::copy_n(record.id.local, sizeof(record.id.local), lookup.id.local);
    const std::uint64_t latency = record.time > lookup.time ? record.time - lookup.time : 0;
    const bool is_late = latency >= options_.timeout_ns;
    const bool is_good = message.rcode == kNoError || message.rcode == kNameError;
    const std::size_t before = waiting.size();
    if (is_client && is_good && !is_late) {
        std::erase_if(waiting, [&](const Lookup& other) { return other.question == lookup.question; });
    } else {
        waiting.erase(found);
    }
    state_->lookup_count -= before - waiting.size();
    if (waiting.empty()) state_->lookups.erase(at);

    const auto rcode = static_cast<std::int16_t>(message.rcode);
    listener_.on_lookup(lookup.id, is_late ? DnsRow::kTimeout : rcode, is_late ? 0 : latency);
    if (is_client) listener_.on_answer(lookup.id, message, record.time);
}

void DnsTracker::expire(std::uint64_t now) {
    expire_lookups(now);
    // a connection that has said nothing for so long is over, or nobody waits for it
    const std::uint64_t limit = limit_at(now);
    for (auto at = state_->streams.begin(); at != state_->streams.end();) {
        at = at->second.time <= limit ? state_->streams.erase(at) : std::next(at);
    }
}

void DnsTracker::expire_lookups(std::uint64_t now) {
    const std::uint64_t limit = limit_at(now);
    for (auto at = state_->lookups.begin(); at != state_->lookups.end();) {
        std::vector<Lookup>& waiting = at.value();
        state_->lookup_count -= std::erase_if(waiting, [&](const Lookup& lookup) {
            if (lookup.time > limit) return false;
            listener_.on_lookup(lookup.id, DnsRow::kTimeout, 0);
            return true;
        });
        at = waiting.empty() ? state_->lookups.erase(at) : std::next(at);
    }
}

// What began until then has waited too long.
std::uint64_t DnsTracker::limit_at(std::uint64_t now) const {
    return now > options_.timeout_ns ? now - options_.timeout_ns : 0;
}

}  // namespace weir
