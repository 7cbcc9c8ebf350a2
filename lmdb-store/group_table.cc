#include "lmdb-store/group_table.h"

namespace weir::store {
namespace {

// What an element takes in a hash map and a vector, about.
constexpr std::uint64_t kPairBytes = 64;
// And a group in an answer, its histograms aside.
constexpr std::uint64_t kAnswerBytes = sizeof(query::Group) + 128;
constexpr std::uint64_t kPartBytes = 2 * sizeof(query::KeyPart) + 64;

}  // namespace

GroupTable::GroupTable(std::size_t dimensions, bool has_steps, std::size_t max_groups, std::size_t answered,
                       std::size_t group_bytes, MemoryPool::Lease& lease)
    : has_steps_(has_steps),
      max_groups_(max_groups),
      answered_(answered),
      group_bytes_(group_bytes),
      lease_(lease),
      parts_(dimensions) {
    levels_.resize(links());
    if (levels_.empty()) groups_ = 1;
}

std::uint32_t GroupTable::part(std::size_t dimension, query::KeyPart part) {
    Parts& parts = parts_[dimension];
    if (const auto at = parts.numbers.find(part); at != parts.numbers.end()) return at->second;
    if (!lease_.take(kPartBytes + 2 * part.text.size())) return kNone;
    const auto number = static_cast<std::uint32_t>(parts.parts.size());
    parts.parts.push_back(part);
    parts.numbers.emplace(std::move(part), number);
    return number;
}

std::uint32_t GroupTable::step(std::int64_t time_ns) {
    const auto [at, is_new] = step_numbers_.try_emplace(time_ns, static_cast<std::uint32_t>(steps_.size()));
    if (is_new) steps_.push_back(time_ns);
    return at->second;
}

std::uint32_t GroupTable::next(Level& level, std::uint32_t prefix, std::uint32_t part, bool is_group) {
    const std::uint64_t pair = std::uint64_t{prefix} << 32 | part;
    if (const auto at = level.numbers.find(pair); at != level.numbers.end()) return at->second;
    std::uint64_t bytes = kPairBytes;
    if (is_group) bytes += group_bytes_;
    if (is_group && groups_ < answered_) bytes += kAnswerBytes + parts_.size() * sizeof(query::KeyPart);
    if (level.pairs.size() >= max_groups_ || !lease_.take(bytes)) return kNone;
    const auto number = static_cast<std::uint32_t>(level.pairs.size());
    level.numbers.emplace(pair, number);
    level.pairs.emplace_back(prefix, part);
    if (is_group) groups_++;
    return number;
}

std::uint32_t GroupTable::key(std::span<const std::uint32_t> parts) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < parts_.size(); i++) {
        if (parts[i] == kNone) return kNone;
        number = next(levels_[i], number, parts[i], i + 1 == levels_.size());
        if (number == kNone) return kNone;
    }
    return number;
}

std::uint32_t GroupTable::group(std::uint32_t key, std::uint32_t step) {
    if (!has_steps_ || key == kNone) return key;
    return next(levels_.back(), key, step, true);
}

std::uint32_t GroupTable::key_of(std::uint32_t group) const {
    return has_steps_ ? levels_.back().pairs[group].first : group;
}

std::int64_t GroupTable::time_of(std::uint32_t group) const {
    return has_steps_ ? steps_[levels_.back().pairs[group].second] : 0;
}

std::size_t GroupTable::keys() const {
    if (parts_.empty()) return groups_ == 0 ? 0 : 1;
    return levels_[parts_.size() - 1].pairs.size();
}

std::vector<query::KeyPart> GroupTable::parts_of(std::uint32_t key) const {
    std::vector<query::KeyPart> out(parts_.size());
    for (std::size_t i = parts_.size(); i-- > 0;) {
        const auto [prefix, part] = levels_[i].pairs[key];
        out[i] = parts_[i].parts[part];
        key = prefix;
    }
    return out;
}

}  // namespace weir::store
