#include "plugin/flow/histogram.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using weir::Histogram;

namespace {

std::uint64_t exact_quantile(std::vector<std::uint64_t> values, double q) {
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(rank, 1) - 1];
}

std::vector<std::uint64_t> random_latencies(std::size_t n, unsigned seed) {
    std::mt19937_64 random(seed);
    std::lognormal_distribution<double> latency(13, 2);
    std::vector<std::uint64_t> out(n);
    for (auto& value : out) value = static_cast<std::uint64_t>(latency(random));
    return out;
}

}  // namespace

Test(histogram, buckets_tile_all_values) {
    for (std::uint16_t i = 0; i < 2751; i++) {
        cr_assert_eq(Histogram::lower_bound(i) + Histogram::width(i), Histogram::lower_bound(i + 1),
                     "bucket %d", i);
        cr_assert_eq(Histogram::bucket_of(Histogram::lower_bound(i)), i);
        cr_assert_eq(Histogram::bucket_of(Histogram::lower_bound(i + 1) - 1), i);
    }
}

Test(histogram, buckets_are_at_most_two_percent_wide) {
    for (std::uint16_t i = 128; i < 2751; i++) {
        const double width = static_cast<double>(Histogram::width(i));
        cr_assert_leq(width / static_cast<double>(Histogram::lower_bound(i)), 0.02);
    }
}

Test(histogram, quantiles_are_within_one_percent) {
    const auto values = random_latencies(20'000, 1);
    Histogram histogram;
    for (const auto value : values) histogram.add(value);
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
        const double exact = static_cast<double>(exact_quantile(values, q));
        cr_assert_float_eq(static_cast<double>(histogram.quantile(q)), exact, exact * 0.01, "q %f", q);
    }
}

Test(histogram, merging_equals_adding) {
    const auto a = random_latencies(3'000, 2), b = random_latencies(5'000, 3);
    Histogram one, other, all;
    for (const auto value : a) one.add(value), all.add(value);
    for (const auto value : b) other.add(value), all.add(value);
    one.merge(other);
    cr_assert(one == all);
}

Test(histogram, merging_in_any_order_equals_adding) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 500; round++) {
        Histogram parts[3], all;
        for (Histogram& part : parts) {
            for (std::uint64_t i = random() % 40; i > 0; i--) {
                const std::uint64_t value = random() % (round % 2 == 0 ? 300 : 1'000'000);
                part.add(value);
                all.add(value);
            }
        }
        Histogram forward = parts[0], backward = parts[2];
        forward.merge(parts[1]);
        forward.merge(parts[2]);
        backward.merge(parts[1]);
        backward.merge(parts[0]);
        cr_assert(forward == all);
        cr_assert(backward == all);
        const std::uint64_t count = all.count();
        all.merge(all);
        cr_assert_eq(all.count(), 2 * count);
        cr_assert_eq(all.buckets().size(), forward.buckets().size());
    }
}

Test(histogram, sum_count_and_maximum_are_exact) {
    Histogram histogram;
    histogram.add(1'000'003, 5);
    cr_assert_eq(histogram.quantile(0.5), 1'000'003u, "one value is answered exactly");
    histogram.add(7);
    cr_assert_eq(histogram.count(), 6u);
    cr_assert_eq(histogram.sum(), 5'000'022u);
    cr_assert_eq(histogram.max(), 1'000'003u);
    cr_assert_eq(histogram.quantile(1), 1'000'003u, "never beyond the maximum");
}

Test(histogram, of_nothing_is_empty) {
    const Histogram nothing;
    cr_assert(nothing.empty());
    cr_assert_eq(nothing.quantile(0.5), 0u);
    Histogram some;
    some.add(5);
    const Histogram before = some;
    some.merge(nothing);
    cr_assert(some == before);
}

Test(histogram, huge_values_count_in_the_last_bucket) {
    Histogram histogram;
    histogram.add(UINT64_MAX);
    cr_assert_eq(histogram.buckets()[0].index, Histogram::bucket_of(Histogram::kMaxValue));
}

Test(histogram, parts_make_the_same_again) {
    Histogram histogram;
    for (const auto value : random_latencies(100, 4)) histogram.add(value);
    const auto buckets = histogram.buckets();
    cr_assert(Histogram::from_parts({buckets.begin(), buckets.end()}, histogram.sum(), histogram.max()) ==
              histogram);
}
