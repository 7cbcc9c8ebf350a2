// How an instance is made, and what it may touch of what the host brings.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "abi/check/process_state.h"
#include "abi/check/rule.h"

namespace weir::check {
namespace {

// Bytes that end where memory ends: reading one more is a crash, as is reading any after forget().
class EdgeMemory {
public:
    explicit EdgeMemory(const void* bytes, std::size_t size) {
        page_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        room_ = (size + page_ - 1) / page_ * page_;
        base_ = static_cast<char*>(
            mmap(nullptr, room_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(base_ + room_, page_, PROT_NONE);
        data_ = base_ + room_ - size;
        std::memcpy(data_, bytes, size);
    }
    ~EdgeMemory() { munmap(base_, room_ + page_); }
    EdgeMemory(const EdgeMemory&) = delete;
    EdgeMemory& operator=(const EdgeMemory&) = delete;

    char* data() const { return data_; }
    void forget() const { mprotect(base_, room_, PROT_NONE); }

private:
    std::size_t page_ = 0;
    std::size_t room_ = 0;
    char* base_ = nullptr;
    char* data_ = nullptr;
};

// A life with a host's table of this size, in memory that ends with it.
void live_with_table_of(Bench& bench, std::size_t size) {
    Recorder host(WEIR_FORMAT_LINE_PROTOCOL);
    weir_host_v1 table = host.table();
    table.struct_size = static_cast<std::uint32_t>(size);
    // Beyond what is known today there may be anything.
    std::string bytes(std::max(size, sizeof table), '\xA5');
    std::memcpy(bytes.data(), &table, std::min(size, sizeof table));
    const EdgeMemory table_memory(bytes.data(), size);
    const std::string config = bench.config();
    const EdgeMemory config_memory(config.data(), config.size());
    const weir_borrowed text{config_memory.data(), config.size()};

    const weir_plugin_v1& plugin = bench.plugin();
    weir_instance* instance = nullptr;
    bench.verdict().step("create");
    const weir_code created = plugin.create(reinterpret_cast<const weir_host_v1*>(table_memory.data()), &text,
                                            &instance, nullptr, 0, nullptr);
    if (!bench.expect(created, WEIR_OK, "create with a table of " + std::to_string(size) + " bytes")) return;
    table_memory.forget();
    config_memory.forget();
    bench.verdict().step("start");
    const weir_code started = plugin.start(instance);
    if (started == WEIR_E_PRIVILEGE || started == WEIR_E_UNSUPPORTED) {
        bench.verdict().skip("start answers " + name_of(started));
        end_rule();
    }
    bench.expect(started, WEIR_OK, "start");
    bench.verdict().step("waiting for points");
    if (!wait_for([&] { return host.offer_count() > 0; }, bench.settings().patience)) {
        bench.verdict().skip("no points came");
    }
    bench.verdict().step("stop");
    plugin.stop(instance, 5'000'000'000U);
    plugin.destroy(instance);
}

void quiet_create(Bench& bench) {
    bench.load();
    { const Subject first(bench); }  // libraries open what they keep
    process_state before{};
    process_state after{};
    bench.config();
    process_state_take(&before, 1);
    const Subject subject(bench);
    process_state_take(&after, before.threads);
    bench.check(after.threads == before.threads, "create starts a thread");
    bench.check(after.descriptors == before.descriptors, "create opens something");
}

void refuse(Bench& bench, const weir_host_v1* host, const weir_borrowed* config, const std::string& what) {
    weir_instance* instance = reinterpret_cast<weir_instance*>(&bench);
    bench.verdict().step("create with " + what);
    const PluginText answer =
        host::ask_once([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
            return bench.plugin().create(host, config, &instance, buffer, capacity, length);
        });
    bench.check(answer.code < 0, "create with " + what + " answers " + name_of(answer.code));
    bench.check(instance == nullptr, "create with " + what + " leaves *out as it was");
}

void wrong_arguments(Bench& bench) {
    bench.load();
    Recorder recorder(WEIR_FORMAT_LINE_PROTOCOL);
    const std::string fine = bench.config();
    const weir_borrowed config = host::borrowed(fine);
    const weir_host_v1 whole = recorder.table();
    refuse(bench, nullptr, &config, "no host");
    refuse(bench, &whole, nullptr, "no configuration");
    const weir_borrowed nowhere{nullptr, 5};
    refuse(bench, &whole, &nowhere, "the configuration {NULL, 5}");
    weir_host_v1 table = whole;
    table.log = nullptr;
    refuse(bench, &table, &config, "no log");
    table = whole;
    table.emit_points = nullptr;
    refuse(bench, &table, &config, "no emit_points");
    table = whole;
    table.now_ns = nullptr;
    refuse(bench, &table, &config, "no now_ns");
    table = whole;
    table.points_format = 99;
    refuse(bench, &table, &config, "an unknown format of points");
    for (const std::size_t size : {std::size_t{0}, std::size_t{8}, offsetof(weir_host_v1, emit_points)}) {
        table = whole;
        table.struct_size = static_cast<std::uint32_t>(size);
        refuse(bench, &table, &config, "a table of " + std::to_string(size) + " bytes");
    }
    bench.verdict().step("create with no out");
    bench.expect(bench.plugin().create(&whole, &config, nullptr, nullptr, 0, nullptr),
                 WEIR_E_INVALID_ARGUMENT, "create with no out");
}

void wrong_config(Bench& bench) {
    bench.load();
    Recorder recorder(WEIR_FORMAT_LINE_PROTOCOL);
    const weir_host_v1 table = recorder.table();
    const std::string wrong = Bench::wrong_config();
    const weir_borrowed config = host::borrowed(wrong);
    weir_instance* instance = nullptr;
    const PluginText answer =
        host::ask_once([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
            return bench.plugin().create(&table, &config, &instance, buffer, capacity, length);
        });
    bench.expect(answer.code, WEIR_E_CONFIG, "create with a wrong configuration");
    bench.check(instance == nullptr, "a failed create leaves an instance");
    const std::string expected = bench.validate(wrong).text;
    bench.check(answer.text == expected, "create says \"" + answer.text + "\", validate \"" + expected + '"');
}

void optional_callbacks(Bench& bench) {
    bench.load();
    Recorder host(WEIR_FORMAT_LINE_PROTOCOL);
    weir_host_v1 table = host.table();
    table.emit_status = nullptr;
    table.global_tags = nullptr;
    table.should_stop = nullptr;
    table.get_extension = nullptr;
    table.name = {nullptr, 0};
    table.version = {nullptr, 0};
    const std::string text = bench.config();
    const weir_borrowed config = host::borrowed(text);
    weir_instance* instance = nullptr;
    const weir_plugin_v1& plugin = bench.plugin();
    bench.verdict().step("create");
    if (!bench.expect(plugin.create(&table, &config, &instance, nullptr, 0, nullptr), WEIR_OK,
                      "create without the optional callbacks")) {
        return;
    }
    bench.verdict().step("start");
    plugin.start(instance);
    host.answer(WEIR_EMIT_BUSY);  // so that there is something to report
    wait_for([&] { return host.offer_count() > 3; }, 3000ms);
    host.answer(WEIR_EMIT_OK);
    plugin.stop(instance, 5'000'000'000U);
    plugin.destroy(instance);
}

constexpr Rule kRules[] = {
    {"quiet-create", "create starts no thread and opens nothing", quiet_create},
    {"wrong-arguments", "create refuses what is missing or makes no sense", wrong_arguments},
    {"wrong-config", "create refuses a wrong configuration with validate's words", wrong_config},
    {"optional-callbacks", "callbacks that may be NULL may be NULL", optional_callbacks},
    {"smaller-host", "an older host's shorter table is enough, and not read beyond its end",
     [](Bench& bench) {
         bench.load();
         live_with_table_of(bench, offsetof(weir_host_v1, global_tags));
     }},
    {"larger-host", "a newer host's longer table is taken",
     [](Bench& bench) {
         bench.load();
         live_with_table_of(bench, sizeof(weir_host_v1) + 64);
     }},
    {"copied-table", "the host's table and configuration are not read after create",
     [](Bench& bench) {
         bench.load();
         live_with_table_of(bench, sizeof(weir_host_v1));
     }},
};

}  // namespace

std::span<const Rule> create_rules() { return kRules; }

}  // namespace weir::check
