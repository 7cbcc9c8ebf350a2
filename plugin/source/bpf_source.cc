// Order matters at both ends. At the start the programs are attached before the sockets that exist are
// looked at, so that no connection falls between; a connection met by both is followed once, because
// socket storage is made once. At the stop the last sweep runs while the programs are still attached,
// and only then everything is detached.
#include "plugin/source/bpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/source/bpf_skeleton.h"
#include "plugin/source/cgroup_root.h"
#include "plugin/source/requirements.h"
#include "plugin/source/ring_folds.h"
#include "plugin/source/tls_probes.h"
#include "plugin/source/udp_flows.h"
#include "plugin/source/unsent_connects.h"

namespace weir {
namespace {

struct RingDeleter {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

// A read-only view of a mappable BPF array.
class MappedRecords {
public:
    MappedRecords() = default;
    ~MappedRecords() { unmap(); }
    MappedRecords(const MappedRecords&) = delete;
    MappedRecords& operator=(const MappedRecords&) = delete;

    Status map(int fd, std::size_t count) {
        void* at = mmap(nullptr, count * sizeof(weir_tcp_record), PROT_READ, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED) return fail(ErrorCode::no_memory, "cannot map the walk's records");
        records_ = static_cast<const weir_tcp_record*>(at);
        count_ = count;
        return {};
    }
    void unmap() {
        if (records_ != nullptr)
            munmap(const_cast<weir_tcp_record*>(records_), count_ * sizeof(weir_tcp_record));
        records_ = nullptr;
    }
    const weir_tcp_record& operator[](std::size_t i) const { return records_[i]; }

private:
    const weir_tcp_record* records_ = nullptr;
    std::size_t count_ = 0;
};

std::uint64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// Kernel counters that are losses, and where they go in the ledger.
struct StatToLoss {
    weir_stat stat;
    Loss loss;
};
constexpr std::array<StatToLoss, 17> kLossStats = {{
    {WEIR_STAT_RING_FULL_TCP, Loss::ring_full_tcp},
    {WEIR_STAT_TCP_FOLD_FULL, Loss::tcp_fold_full},
    {WEIR_STAT_RING_FULL_HTTP, Loss::ring_full_http},
    {WEIR_STAT_HTTP_FOLD_FULL, Loss::http_flows_full},
    {WEIR_STAT_HTTP_LOST, Loss::http_lost},
    {WEIR_STAT_HTTP_CONTENDED, Loss::http_contended},
    {WEIR_STAT_TLS_FULL, Loss::tls_table_full},
    {WEIR_STAT_TLS_NO_SOCKET, Loss::tls_socket_unknown},
    {WEIR_STAT_CHUNK_LOST, Loss::http2_lost},
    {WEIR_STAT_RING_FULL_DNS, Loss::ring_full_dns},
    {WEIR_STAT_UDP_FOLDED, Loss::udp_flows_full},
    {WEIR_STAT_DNS_UNREADABLE, Loss::dns_unreadable},
    {WEIR_STAT_STORAGE_REFUSED, Loss::socket_storage_refused},
    {WEIR_STAT_BUFFER_UNREADABLE, Loss::http_buffer_unreadable},
    {WEIR_STAT_SEEN_LATE, Loss::seen_late},
    {WEIR_STAT_CLOSED_UNSEEN, Loss::closed_unseen},
    {WEIR_STAT_ATTEMPT_UNNOTED, Loss::connects_unnoted},
}};

std::string what_is_missing(Without without) {
    switch (without) {
        case Without::udp: return "without UDP: ";
        case Without::table: return "connections cost more: ";
        case Without::unsent_connects: return "without connects that fail before a SYN: ";
        case Without::connect_errors: return "without why some connects failed: ";
        default: return "without HTTP, UDP and DNS: ";
    }
}

class BpfSource final : public Source {
public:
    BpfSource(const BpfOptions& options, Logger log, Ledger& ledger)
        : options_(options), log_(std::move(log)), ledger_(ledger) {}
    ~BpfSource() override { stop(); }

    Status start() override {
        Status started = try_start();
        if (!started) stop();
        return started;
    }

    int wake_fd() const override { return ring_ ? ring_buffer__epoll_fd(ring_.get()) : -1; }

    void drain(RecordSink& sink) override {
        if (!ring_) return;
        tick();
        sink_ = &sink;
        ring_buffer__consume(ring_.get());
        sink_ = nullptr;
        if (tls_) tls_->tick(system_clock().boot_ns());
    }

    void sweep(RecordSink& sink, bool last) override {
        if (!skeleton_) return;
        drain(sink);
        read_stats();
        learn_owners();
        look_for_unseen();
        walk(sink, last);
        unsent_connects_.sweep(sink, skeleton_->data->ticks, last);
        if (udp_) walk_udp(sink);
        if (tls_ && !run(tls_walk_link_)) log_.warning("the walk over TLS connections ended early");
        drain(sink);  // requests that the walk reported
        read_stats();
        read_misses();
        watch_ends(stats_[WEIR_STAT_STORED] != 0);
        read_folds(sink);
    }

    void follow_calls(bool wanted) override {
        if (!capabilities_.calls_on_demand || wanted == !call_links_.empty()) return;
        call_links_.clear();
        if (!wanted) return;
        for (bpf_program* program : {skeleton_->progs.weir_send, skeleton_->progs.weir_recv}) {
            auto link = attach_program(program);
            if (link) {
                call_links_.push_back(std::move(*link));
            } else {
                log_.warning(link.error().message);
            }
        }
    }

    // What does not fit is looked at, and left out later.
    void pass_by(const std::vector<std::string>& names) override {
        if (names.empty() && passed_by_.empty()) return;
        for (const ProcessName& name : passed_by_)
            bpf_map__delete_elem(skeleton_->maps.passed_by, name.data(), name.size(), 0);
        passed_by_.clear();
        for (const std::string& text : names) {
            ProcessName name{};
            if (text.size() >= name.size()) continue;  // no process has such a name
            std::copy(text.begin(), text.end(), name.begin());
            const std::uint8_t one = 1;
            if (bpf_map__update_elem(skeleton_->maps.passed_by, name.data(), name.size(), &one, 1, 0) == 0)
                passed_by_.push_back(name);
        }
        skeleton_->bss->passed_by_change++;
    }

    void stop() override {
        call_links_.clear();
        links_.clear();
        tls_.reset();
        tls_walk_link_.reset();
        udp_.reset();
        walk_link_.reset();
        held_link_.reset();
        ring_.reset();
        records_.unmap();
        unsent_connects_.unmap();
        skeleton_.reset();
    }

    Capabilities capabilities() const override { return capabilities_; }

private:
    // The clock that the kernel side reads for a load: bpf/events.h.
    void tick() {
        const auto now = static_cast<std::uint64_t>(system_clock().boot_ns());
        if (now - skeleton_->bss->tick_time < WEIR_TICK_NS) return;
        skeleton_->bss->tick_time = now;
        skeleton_->bss->boot_ahead = now - monotonic_ns();
        skeleton_->data->ticks++;
        if (!watches_ends_) watch_ends(misses_of(skeleton_->progs.weir_state) != 0);
    }

    Status try_start() {
        const auto requirements = check_requirements(wants_calls(options_), options_.udp);
        if (const Requirement* unmet = first_unmet(requirements)) {
            const bool privileges = unmet->name == "privileges";
            return fail(privileges ? ErrorCode::no_privilege : ErrorCode::unsupported,
                        unmet->name + ": " + unmet->detail);
        }
        for (const Requirement& requirement : requirements) {
            if (requirement.met) continue;
            log_.warning(what_is_missing(requirement.without) + requirement.name + ": " + requirement.detail);
        }
        options_ = possible(options_, requirements);
        return load_programs(options_).and_then([&](Skeleton skeleton) {
            skeleton_ = std::move(skeleton);
            return attach_all(wants_calls(options_));
        });
    }

    Status attach_all(bool calls) {
        ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.ring), on_record, this, nullptr));
        if (!ring_) return fail(ErrorCode::no_memory, "cannot map the ring to the kernel");
        tick();
        std::vector<bpf_program*> programs = {skeleton_->progs.weir_state, skeleton_->progs.weir_synack};
        if (options_.connect_errors) programs.push_back(skeleton_->progs.weir_error);
        const bool on_demand = calls && !options_.http;
        if (calls && !on_demand) {
            programs.push_back(skeleton_->progs.weir_send);
            programs.push_back(skeleton_->progs.weir_recv);
        }
        for (bpf_program* program : programs) {
            auto link = attach_program(program);
            if (!link) return tl::unexpected(link.error());
            links_.push_back(std::move(*link));
            log_.info(std::string("attached ") + bpf_program__name(program));
        }
        capabilities_ = {"tracepoint",
                         "the kernel has BTF, socket storage and the tracepoints needed",
                         true,
                         calls && options_.http,
                         calls && options_.udp,
                         calls && options_.dns,
                         on_demand};
        if (options_.unsent_connects) {
            if (const Status attached = attach_connects(); !attached) {
                log_.warning(what_is_missing(Without::unsent_connects) + attached.error().message);
            }
        }
        if (capabilities_.udp) {
            if (Status attached = attach_udp(); !attached) return attached;
        }
        if (Status attached = attach_folds(); !attached) return attached;
        if (capabilities_.http && options_.tls) {
            if (const Status attached = attach_tls(); !attached) {
                log_.warning("without TLS: " + attached.error().message);
            }
        }
        return records_.map(bpf_map__fd(skeleton_->maps.walk_records), options_.walk_records)
            .and_then([this] { return attach_iterators(); })
            .and_then([this] { return adopt_open_sockets(); });
    }

    Status attach_tls() {
        auto exec = attach_program(skeleton_->progs.weir_exec);
        if (!exec) return tl::unexpected(exec.error());
        links_.push_back(std::move(*exec));
        bpf_iter_link_info info{};
        info.map.map_fd = static_cast<__u32>(bpf_map__fd(skeleton_->maps.tls_conns));
        LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
        tls_walk_link_.reset(bpf_program__attach_iter(skeleton_->progs.weir_tls_walk, &options));
        if (!tls_walk_link_) {
            return fail(
                ErrorCode::unsupported,
                std::string("cannot attach the iterator over TLS connections: ") + std::strerror(errno));
        }
        tls_ = std::make_unique<TlsProbes>(*skeleton_, log_);
        tls_->look_everywhere();
        return {};
    }

    // For all processes of the host, beside whatever else is attached there.
    template <typename Programs>
    Status attach_to_cgroups(const Programs& programs) {
        auto root = open_cgroup_root();
        if (!root) return tl::unexpected(root.error());
        Status attached;
        for (bpf_program* program : programs) {
            if (!attached) continue;
            Link link(bpf_program__attach_cgroup(program, *root));
            if (link) {
                links_.push_back(std::move(link));
            } else {
                attached =
                    fail(ErrorCode::unsupported, std::string("cannot attach ") + bpf_program__name(program) +
                                                     ": " + std::strerror(errno));
            }
        }
        close(*root);
        return attached;
    }

    // After the program that sees the SYN: else a connect in between would seem to have failed.
    Status attach_connects() {
        return unsent_connects_.map(bpf_map__fd(skeleton_->maps.attempts)).and_then([this] {
            return attach_to_cgroups(connect_programs(*skeleton_));
        });
    }

    Status attach_udp() {
        return attach_to_cgroups(udp_hooks(*skeleton_))
            .and_then([this] {
                return UdpFlows::attach(skeleton_->progs.weir_udp_walk, skeleton_->maps.udp_flows,
                                        skeleton_->maps.udp_other);
            })
            .map([this](std::unique_ptr<UdpFlows> udp) { udp_ = std::move(udp); });
    }

    Status attach_folds() {
        const auto& maps = skeleton_->maps;
        const std::array<RingFolds::Maps, 2> sets = {{
            {bpf_map__fd(maps.folds_a), bpf_map__fd(maps.fold_latencies_a), bpf_map__fd(maps.tcp_folds_a)},
            {bpf_map__fd(maps.folds_b), bpf_map__fd(maps.fold_latencies_b), bpf_map__fd(maps.tcp_folds_b)},
        }};
        return folds_.attach(sets, &skeleton_->bss->fold_set);
    }

    Status attach_iterators() {
        bpf_iter_link_info info{};
        info.map.map_fd = static_cast<__u32>(bpf_map__fd(skeleton_->maps.conns));
        LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
        walk_link_.reset(bpf_program__attach_iter(skeleton_->progs.weir_walk, &options));
        held_link_.reset(bpf_program__attach_iter(skeleton_->progs.weir_held, nullptr));
        if (walk_link_ && held_link_) return {};
        return fail(ErrorCode::unsupported,
                    std::string("cannot attach the iterators: ") + std::strerror(errno));
    }

    // Runs an iterator program over everything it iterates over. on_pause: when the program asked to go on
    // later, and at the end.
    template <typename OnPause>
    static bool run(const Link& link, OnPause on_pause) {
        const int fd = bpf_iter_create(bpf_link__fd(link.get()));
        if (fd < 0) return false;
        std::array<char, 256> nothing{};  // the programs write to maps, not here
        ssize_t n = 0;
        for (bool goes_on = true; goes_on;) {
            n = read(fd, nothing.data(), nothing.size());
            goes_on = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
            on_pause();
        }
        close(fd);
        return n == 0;
    }
    static bool run(const Link& link) {
        return run(link, [] {});
    }

    // Follows the connections and listeners that exist; those that are established later are shown. First
    // those that this host opened, so that the accepted ones find the addresses that this host connects from.
    Status adopt_open_sockets() {
        skeleton_->data->follow_since = monotonic_ns() / 1000;
        for (const __u32 outgoing_only : {1u, 0u}) {
            skeleton_->bss->held_outgoing_only = outgoing_only;
            if (!run(held_link_)) {
                return fail(ErrorCode::unsupported,
                            std::string("cannot walk open files: ") + std::strerror(errno));
            }
        }
        skeleton_->bss->conn_table_open = options_.conn_table;
        return {};
    }

    // Accepted connections get their owner on their first send or receive, or when their owner ends
    // them. For those that did neither, the open files are asked; less and less often when that does
    // not help, because those sit in an accept queue and have no owner yet.
    void learn_owners() {
        const std::uint64_t unknown = stats_[WEIR_STAT_ACCEPTED] - stats_[WEIR_STAT_SETTLED];
        if (unknown == 0 || stats_[WEIR_STAT_SETTLED] > stats_[WEIR_STAT_ACCEPTED]) {
            owner_rest_ = 0;
            return;
        }
        if (owner_wait_ > 0 && unknown <= owners_left_) {
            owner_wait_--;
            return;
        }
        run(held_link_);
        read_stats();
        owners_left_ = stats_[WEIR_STAT_ACCEPTED] - stats_[WEIR_STAT_SETTLED];
        constexpr unsigned kLongestRest = 8;
        owner_rest_ = owners_left_ < unknown ? 0 : std::min(kLongestRest, owner_rest_ * 2 + 1);
        owner_wait_ = owner_rest_;
    }

    // A connection that was established while the program was busy is met with its first call or its end; one
    // that does nothing for long, among the open files.
    void look_for_unseen() {
        constexpr std::int64_t kApartNs = 10'000'000'000;
        const std::int64_t now = system_clock().boot_ns();
        if (misses_ == misses_looked_into_ || now - unseen_looked_for_ < kApartNs) return;
        misses_looked_into_ = misses_;
        unseen_looked_for_ = now;
        run(held_link_);
    }

    void walk(RecordSink& sink, bool last) {
        constexpr std::int64_t kTimeToAcceptNs = 2'000'000'000;
        const std::int64_t now = system_clock().boot_ns();
        skeleton_->bss->walk_unowned_since = static_cast<__u64>(last ? now : now - kTimeToAcceptNs);
        skeleton_->bss->walk_last = last;
        const bool whole = run(walk_link_, [&] { take_walk_records(sink); }) && walk_table(sink);
        if (!whole) log_.warning("the walk over connections ended early");
    }

    void take_walk_records(RecordSink& sink) {
        const std::uint32_t count = skeleton_->bss->walk_count;
        for (std::uint32_t i = 0; i < count; i++) sink.on_tcp(records_[i]);
        skeleton_->bss->walk_count = 0;
    }

    // Some buckets at a time; it stays where it is when the records are full.
    bool walk_table(RecordSink& sink) {
        if (!options_.conn_table) return true;
        const std::uint32_t end = skeleton_->rodata->conn_bucket_mask + 1;
        const int program = bpf_program__fd(skeleton_->progs.weir_walk_table);
        std::uint32_t& at = skeleton_->bss->walk_bucket;
        for (at = 0; at < end;) {
            LIBBPF_OPTS(bpf_test_run_opts, options);
            if (bpf_prog_test_run_opts(program, &options) != 0) return false;
            take_walk_records(sink);
        }
        return true;
    }

    void walk_udp(RecordSink& sink) {
        if (const Status done = udp_->sweep(sink); !done) log_.warning(done.error().message);
    }

    void read_folds(RecordSink& sink) {
        const std::uint64_t folded = stats_[WEIR_STAT_RING_FULL_HTTP] + stats_[WEIR_STAT_RING_FULL_TCP];
        if (folded == folded_) return;
        folded_ = folded;
        if (const Status done = folds_.sweep(sink); !done) log_.warning(done.error().message);
    }

    void read_stats() {
        const int cpus = libbpf_num_possible_cpus();
        if (cpus <= 0) return;
        std::vector<__u64> values(static_cast<std::size_t>(cpus));
        for (__u32 key = 0; key < WEIR_STAT_MAX; key++) {
            if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.stats), &key, values.data()) != 0) continue;
            std::uint64_t sum = 0;
            for (const __u64 value : values) sum += value;
            for (const StatToLoss& pair : kLossStats) {
                if (pair.stat == key) ledger_.add(pair.loss, sum - stats_[key]);
            }
            stats_[key] = sum;
        }
    }

    // A program that is interrupted by an event of its own kind is not run for that event, and only the
    // kernel knows.
    static std::uint64_t misses_of(const bpf_program* program) {
        bpf_prog_info info{};
        __u32 size = sizeof(info);
        const int fd = bpf_program__fd(program);
        return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.recursion_misses : 0;
    }

    // Where ends are not shown, or connections have only storage, sockets are looked at once more.
    void watch_ends(bool wanted) {
        if (!wanted || watches_ends_) return;
        watches_ends_ = true;
        if (auto link = attach_program(skeleton_->progs.weir_destroy)) {
            links_.push_back(std::move(*link));
            log_.info("attached weir_destroy: connections may end without being shown");
        } else {
            log_.warning(link.error().message);
        }
    }

    void read_misses() {
        std::uint64_t sum = 0;
        bpf_program* program = nullptr;
        bpf_object__for_each_program(program, skeleton_->obj) sum += misses_of(program);
        if (sum > misses_) ledger_.add(Loss::program_busy, sum - misses_);
        misses_ = sum;
    }

    // Programs that may bring a TLS library are the source's own business.
    bool take_program(const void* data, std::size_t size) {
        weir_program_record record{};
        if (size < sizeof(record)) return false;
        std::memcpy(&record, data, sizeof(record));
        if (record.kind != WEIR_RECORD_PROGRAM) return false;
        if (tls_) tls_->on_program(record.pid);
        return true;
    }

    static int on_record(void* self, void* data, std::size_t size) {
        auto* source = static_cast<BpfSource*>(self);
        // of a connection, as most are; the ring aligns them
        const auto* record = static_cast<const weir_tcp_record*>(data);
        if (size >= sizeof(*record) && record->kind == WEIR_RECORD_TCP) {
            source->sink_->on_tcp(*record);
        } else if (!dispatch_record(data, size, *source->sink_) && !source->take_program(data, size)) {
            source->ledger_.add(Loss::record_malformed);
        }
        return 0;
    }

    BpfOptions options_;
    const Logger log_;
    Ledger& ledger_;
    Capabilities capabilities_;
    Skeleton skeleton_;
    std::unique_ptr<ring_buffer, RingDeleter> ring_;
    std::vector<Link> links_;
    std::vector<Link> call_links_;  // those that come and go
    Link walk_link_, held_link_;
    UnsentConnects unsent_connects_;
    std::unique_ptr<UdpFlows> udp_;
    std::unique_ptr<TlsProbes> tls_;
    Link tls_walk_link_;
    RingFolds folds_;
    std::uint64_t folded_ = 0;  // requests that went there
    using ProcessName = std::array<char, 16>;
    std::vector<ProcessName> passed_by_;
    MappedRecords records_;
    RecordSink* sink_ = nullptr;  // during drain()
    std::array<std::uint64_t, WEIR_STAT_MAX> stats_{};
    std::uint64_t misses_ = 0, misses_looked_into_ = 0;
    bool watches_ends_ = false;
    std::int64_t unseen_looked_for_ = 0;  // boot time, ns
    std::uint64_t owners_left_ = 0;
    unsigned owner_rest_ = 0, owner_wait_ = 0;  // intervals
};

}  // namespace

std::unique_ptr<Source> make_bpf_source(const BpfOptions& options, Logger log, Ledger& ledger) {
    return std::make_unique<BpfSource>(options, std::move(log), ledger);
}

BpfOptions possible(BpfOptions wanted, const std::vector<Requirement>& requirements) {
    for (const Requirement& requirement : requirements) {
        if (requirement.met) continue;
        switch (requirement.without) {
            case Without::table: wanted.conn_table = false; break;
            case Without::unsent_connects: wanted.unsent_connects = false; break;
            case Without::connect_errors: wanted.connect_errors = false; break;
            case Without::udp: wanted.udp = false; break;
            default: wanted.udp = wanted.http = wanted.tls = wanted.dns = false;
        }
    }
    return wanted;
}

Status try_load(BpfOptions options) {
    options.ring_bytes = 64 * 1024;
    options.walk_records = 64;
    return load_programs(options).map([](const Skeleton&) {});
}

}  // namespace weir
