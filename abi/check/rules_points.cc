// The points that a running instance hands over.
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "abi/check/rule.h"
#include "abi/check/text.h"
#include "abi/host/split_points.h"

namespace weir::check {
namespace {

// The single points of an offer.
std::vector<host::Batch> points_of(const Offer& offer) {
    return host::split_points(host::Batch::of(offer.bytes, UINT64_MAX), offer.format, 1);
}

void check_offer(Bench& bench, const Offer& offer, std::int32_t format) {
    bench.check(offer.format == format, "emit_points is told the format " + std::to_string(offer.format));
    if (!bench.check(!offer.bytes.empty() && offer.points > 0, "a batch is empty")) return;
    const auto points = points_of(offer);
    bench.check(points.size() == offer.points, "a batch of " + std::to_string(points.size()) +
                                                   " points is said to have " + std::to_string(offer.points));
    if (format != WEIR_FORMAT_LINE_PROTOCOL) return;
    bench.check(offer.bytes.back() == '\n', "the last line of a batch has no newline");
    bench.check(is_utf8(offer.bytes), "a batch is not UTF-8");
}

void run_format(Bench& bench, std::int32_t format) {
    bench.load();
    Subject subject(bench, 0, format);
    subject.start();
    subject.await_batches(2);
    subject.stop();
    for (const Offer& offer : subject.host().offers()) check_offer(bench, offer, format);
}

void plugin_threads(Bench& bench) {
    bench.load();
    Subject subject(bench);
    subject.start();
    subject.await_batches(2);
    subject.stop();
    for (const Offer& offer : subject.host().offers()) {
        bench.check(offer.thread != gettid(), "points come on the thread of a control call");
        bench.check(offer.signals_blocked, "points come on a thread that does not block all signals");
    }
}

void global_tags(Bench& bench) {
    bench.load();
    Subject subject(bench);
    subject.host().tags("abi_check=a value, with signs\n");
    subject.start();
    subject.await_batches(2);
    subject.stop();
    for (const Offer& offer : subject.host().offers()) {
        for (const host::Batch& point : points_of(offer)) {
            const bool tagged =
                point.bytes.find(",abi_check=a\\ value\\,\\ with\\ signs") != std::string_view::npos;
            if (!bench.check(tagged, "a point has no tag of the host's: " + std::string(point.bytes))) return;
        }
    }
}

void pause(Bench& bench) {
    bench.load();
    const weir_plugin_v1& plugin = bench.plugin();
    Subject subject(bench);
    subject.start();
    subject.await_batches(1);
    const auto first = std::chrono::steady_clock::now();
    subject.await_batches(1);
    const auto interval = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - first);
    bench.expect(plugin.pause(subject.get()), WEIR_OK, "pause");
    std::this_thread::sleep_for(100ms);  // for a batch that is on its way
    const std::size_t before = subject.host().offer_count();
    std::this_thread::sleep_for(std::clamp<Milliseconds>(interval * 2, 100ms, 5000ms));
    bench.check(subject.host().offer_count() == before, "points come from a paused instance");
    bench.expect(plugin.resume(subject.get()), WEIR_OK, "resume");
    subject.await_batches(1);
    subject.stop();
}

void log_lines(Bench& bench) {
    bench.load();
    Subject subject(bench);
    subject.start();
    subject.host().answer(WEIR_EMIT_BUSY);
    std::this_thread::sleep_for(2000ms);
    subject.host().answer(WEIR_EMIT_OK);
    subject.stop();
    for (const std::string& complaint : subject.host().complaints()) bench.verdict().fail(complaint);
}

template <typename Extension>
const Extension* extension(const weir_plugin_v1& plugin, weir_instance* instance, std::string_view id) {
    return static_cast<const Extension*>(plugin.get_extension(instance, id.data(), id.size()));
}

template <typename Extension>
PluginText text_of(Bench& bench, Subject& subject, std::string_view id) {
    const auto* found = extension<Extension>(bench.plugin(), subject.get(), id);
    if (found == nullptr) return {WEIR_E_UNSUPPORTED, {}};
    const bool whole =
        found->struct_size >= sizeof(Extension) && found->reserved0 == 0 && found->get != nullptr;
    if (!bench.check(whole, "the table of " + std::string(id) + " is not whole")) end_rule();
    bench.expect(found->get(nullptr, nullptr, 0, nullptr), WEIR_E_INVALID_ARGUMENT,
                 std::string(id) + " of NULL");
    return host::ask_whole([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return found->get(subject.get(), buffer, capacity, length);
    });
}

void check_reload(Bench& bench, Subject& subject) {
    const auto* reload = extension<weir_ext_reload>(bench.plugin(), subject.get(), WEIR_EXT_RELOAD);
    if (reload == nullptr) return;
    if (!bench.check(
            WEIR_HAS(weir_ext_reload, reload, change) && reload->keys != nullptr && reload->change != nullptr,
            "the table of " WEIR_EXT_RELOAD " is not whole")) {
        return;
    }
    weir_static keys{};
    bench.expect(reload->keys(&keys), WEIR_OK, "reload.keys");
    bench.check(parse_json({keys.data, keys.size}).is_array(), "reload.keys is no JSON array");
    bench.expect(reload->keys(nullptr), WEIR_E_INVALID_ARGUMENT, "reload.keys(NULL)");
    const std::string wrong = Bench::wrong_config();
    const weir_borrowed config = host::borrowed(wrong);
    bench.expect(reload->change(nullptr, &config), WEIR_E_INVALID_ARGUMENT, "reload.change(NULL)");
    bench.expect(reload->change(subject.get(), &config), WEIR_E_CONFIG,
                 "reload.change with a wrong configuration");
}

const weir_ext_drain* drain_of(Bench& bench, Subject& subject) {
    const auto* drain = extension<weir_ext_drain>(bench.plugin(), subject.get(), WEIR_EXT_DRAIN);
    if (drain == nullptr) return nullptr;
    const bool whole =
        WEIR_HAS(weir_ext_drain, drain, pending) && drain->drain != nullptr && drain->pending != nullptr;
    return bench.check(whole, "the table of " WEIR_EXT_DRAIN " is not whole") ? drain : nullptr;
}

void check_drain(Bench& bench, Subject& subject) {
    const weir_ext_drain* drain = drain_of(bench, subject);
    if (drain == nullptr) return;
    bench.verdict().step("drain");
    bench.expect(drain->drain(subject.get(), 5'000'000'000U), WEIR_OK, "drain while the host takes points");
    bench.expect(drain->drain(nullptr, 0), WEIR_E_INVALID_ARGUMENT, "drain(NULL)");
    weir_pending_v1 pending{};
    pending.struct_size = offsetof(weir_pending_v1, points);
    pending.points = 42;
    bench.expect(drain->pending(subject.get(), &pending), WEIR_OK, "drain.pending");
    bench.check(pending.points == 42, "drain.pending writes beyond struct_size");
}

void extensions(Bench& bench) {
    bench.load();
    const weir_plugin_v1& plugin = bench.plugin();
    bench.verdict().step("get_extension");
    for (const std::string_view id : {"", "no.such/1", "weir.metrics/", "weir.metrics/1 "}) {
        bench.check(plugin.get_extension(nullptr, id.data(), id.size()) == nullptr,
                    "there is an extension \"" + std::string(id) + '"');
    }
    bench.check(plugin.get_extension(nullptr, nullptr, 0) == nullptr, "there is an extension of no name");
    Subject subject(bench);
    subject.start();
    const PluginText address = text_of<weir_ext_http_address>(bench, subject, WEIR_EXT_HTTP_ADDRESS);
    const bool is_url = address.text.starts_with("http://") || address.text.starts_with("https://");
    bench.check(address.text.empty() || is_url, "the HTTP address is \"" + address.text + '"');
    const PluginText metrics = text_of<weir_ext_metrics>(bench, subject, WEIR_EXT_METRICS);
    bench.check(metrics.code != WEIR_OK || !metrics.text.empty(), "the metrics are empty");
    check_reload(bench, subject);
    check_drain(bench, subject);
    subject.stop();
    if (const auto* drain = drain_of(bench, subject)) {
        bench.expect(drain->drain(subject.get(), 0), WEIR_E_STATE, "drain when stopped");
    }
    const PluginText afterwards = text_of<weir_ext_http_address>(bench, subject, WEIR_EXT_HTTP_ADDRESS);
    bench.check(afterwards.text.empty(), "a stopped instance says that it listens");
}

constexpr Rule kRules[] = {
    {"points", "points come in whole lines of line protocol, as many as it says",
     [](Bench& bench) { run_format(bench, WEIR_FORMAT_LINE_PROTOCOL); }},
    {"protobuf", "points come as Protobuf when the host asks for it, as many as it says",
     [](Bench& bench) { run_format(bench, WEIR_FORMAT_PROTOBUF); }},
    {"plugin-threads", "points come on threads of the plugin that block all signals", plugin_threads},
    {"global-tags", "the host's global tags are on every point", global_tags},
    {"pause", "a paused instance hands no points over, a resumed one does again", pause},
    {"log-lines", "log and status texts are single lines of UTF-8 with a known level", log_lines},
    {"extensions", "an extension is NULL or whole", extensions},
};

}  // namespace

std::span<const Rule> point_rules() { return kRules; }

}  // namespace weir::check
