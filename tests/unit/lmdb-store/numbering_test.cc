#include "lmdb-store/numbering.h"

#include <criterion/criterion.h>

#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

using namespace weir::store;

namespace {

struct GoodHash {
    std::uint64_t operator()(std::string_view text) const {
        return std::hash<std::string_view>()(text) * 0x9e3779b97f4a7c15u;
    }
};
// Few places, and few tags: values must be told apart by themselves.
struct PoorHash {
    std::uint64_t operator()(std::string_view text) const { return text.size() * 0x100000001u; }
};

template <typename Hash>
void number_like_a_map(std::size_t distinct) {
    Numbering<std::string, std::string_view, Hash, std::equal_to<>> numbering;
    std::unordered_map<std::string, std::uint32_t> expected;
    std::mt19937_64 random(1);
    for (int round = 0; round < 20; round++) {
        std::vector<std::string> texts(random() % (2 * distinct));
        for (std::string& text : texts)
            text = std::string(random() % 7, 'x') + std::to_string(random() % distinct);
        std::vector<std::string_view> keys(texts.begin(), texts.end());
        std::vector<std::uint32_t> numbers(keys.size());
        if (round % 2 == 0) {
            numbering.number(keys, numbers.data());
        } else {
            for (std::size_t i = 0; i < keys.size(); i++) numbers[i] = numbering.number(keys[i]);
        }
        for (std::size_t i = 0; i < keys.size(); i++) {
            const auto at = expected.emplace(texts[i], static_cast<std::uint32_t>(expected.size())).first;
            cr_assert_eq(numbers[i], at->second);
        }
    }
    cr_assert_eq(numbering.size(), expected.size());
    for (const auto& [text, number] : expected) cr_assert_eq(numbering.values()[number], text);
}

}  // namespace

Test(numbering, gives_each_value_one_number_in_order) {
    number_like_a_map<GoodHash>(3);
    number_like_a_map<GoodHash>(5000);
}

Test(numbering, tells_values_of_the_same_hash_apart) { number_like_a_map<PoorHash>(300); }
