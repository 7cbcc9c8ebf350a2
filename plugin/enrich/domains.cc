#include "plugin/enrich/domains.h"

#include <algorithm>
#include <utility>

namespace weir::enrich {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

}  // namespace

void Domains::learn(std::uint32_t netns, const Address& address, std::string_view name, std::uint32_t ttl_s,
                    std::uint64_t time) {
    const std::uint64_t life = std::clamp(ttl_s * kSecondNs, kShortestNs, kLongestNs);
    const Key key{address, netns};
    old_.erase(key);
    put(key, {std::string(name), time + life});
}

std::string_view Domains::find(std::uint32_t netns, const Address& address, std::uint64_t time) {
    const Key key{address, netns};
    if (const auto at = old_.find(key); at != old_.end()) {
        Entry entry = std::move(at.value());
        old_.erase(at);
        put(key, std::move(entry));
    }
    const auto at = young_.find(key);
    if (at == young_.end()) return {};
    Entry& entry = at.value();
    if (entry.until <= time) {
        young_.erase(at);
        return {};
    }
    entry.until = std::max(entry.until, time + kShortestNs);
    return entry.name;
}

void Domains::put(const Key& key, Entry entry) {
    if (generation_size_ == 0) return;
    if (young_.size() >= generation_size_ && !young_.contains(key)) {
        old_ = std::move(young_);
        young_.clear();
    }
    young_.insert_or_assign(key, std::move(entry));
}

}  // namespace weir::enrich
