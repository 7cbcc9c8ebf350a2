#include "plugin/spool/spool.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace weir;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kBound = 4 << 20;

struct Directory {
    fs::path path;
    Directory() {
        std::string name = (fs::temp_directory_path() / "weir-spool-XXXXXX").string();
        path = mkdtemp(name.data());
    }
    ~Directory() { fs::remove_all(path); }
    std::string spool() const { return path / "store" / "spool"; }
    std::unique_ptr<Spool> open(std::uint64_t bound = kBound) const {
        auto opened = Spool::open(spool(), bound, Logger());
        cr_assert(opened.has_value(), "%s", opened ? "" : opened.error().message.c_str());
        return std::move(*opened);
    }
};

std::uint64_t add(Spool& spool, const std::string& bytes, std::uint64_t points = 1) {
    const auto added = spool.append(bytes, points);
    cr_assert(added.has_value() && added->has_value(), "%s", added ? "full" : added.error().message.c_str());
    return **added;
}

Spool::Entry take(Spool& spool) {
    auto entry = spool.next(0);
    cr_assert(entry.has_value() && entry->has_value());
    cr_assert(spool.remove_through((*entry)->sequence).has_value());
    return std::move(**entry);
}

bool is_empty(Spool& spool) {
    const auto entry = spool.next(0);
    return entry.has_value() && !entry->has_value() && spool.totals().batches == 0;
}

}  // namespace

Test(spool, is_a_queue) {
    const Directory directory;
    cr_assert_not(Spool::exists(directory.spool()));
    const auto spool = directory.open();
    cr_assert(Spool::exists(directory.spool()) && is_empty(*spool));
    for (int i = 0; i < 100; i++)
        add(*spool, std::string(static_cast<std::size_t>(i) * 500, 'x') + std::to_string(i), 7);
    cr_assert_eq(spool->totals().points, 700u);
    for (int i = 0; i < 100; i++) {
        const auto entry = take(*spool);
        cr_assert(entry.bytes.ends_with(std::to_string(i)) && entry.points == 7);
    }
    cr_assert(is_empty(*spool));
    cr_assert_eq(spool->totals().bytes, 0u);
}

Test(spool, batches_may_be_looked_at_ahead_of_their_removal) {
    const Directory directory;
    const auto spool = directory.open();
    const auto first = add(*spool, "a");
    const auto second = add(*spool, "b");
    cr_assert((*spool->next(first))->bytes == "b");
    cr_assert_not((*spool->next(second)).has_value());
    cr_assert(spool->remove_through(second).has_value());
    cr_assert(is_empty(*spool));
}

Test(spool, survives_being_opened_again) {
    const Directory directory;
    add(*directory.open(), "one", 3);
    const auto spool = directory.open();
    cr_assert_eq(spool->totals().points, 3u);
    add(*spool, "two", 4);
    cr_assert(take(*spool).bytes == "one");
    cr_assert(take(*spool).bytes == "two");
}

Test(spool, survives_a_killed_process) {
    const Directory directory;
    const pid_t child = fork();
    if (child == 0) {
        const auto spool = directory.open();
        for (int i = 0; i < 50; i++) add(*spool, std::to_string(i));
        raise(SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status));
    const auto spool = directory.open();
    for (int i = 0; i < 50; i++) cr_assert(take(*spool).bytes == std::to_string(i));
    cr_assert(is_empty(*spool));
}

Test(spool, has_a_bound_that_it_keeps_and_can_be_emptied_at) {
    const Directory directory;
    const auto spool = directory.open();
    for (const std::size_t size : {std::size_t{700'000}, std::size_t{30'000}, std::size_t{300}}) {
        int added = 0;
        for (;; added++) {
            const auto done = spool->append(std::string(size, 'x'), 1);
            cr_assert(done.has_value(), "%s", done.error().message.c_str());
            if (!*done) break;
        }
        cr_assert_gt(static_cast<std::size_t>(added) * size, kBound / 3);
        cr_assert_leq(fs::file_size(directory.spool() + "/data.mdb"), kBound);
        for (; added > 0; added--) take(*spool);
        cr_assert(is_empty(*spool));
    }
}

// As traffic is: some come, some go, for long; room does not get lost in between.
Test(spool, keeps_its_room_over_many_rounds) {
    const Directory directory;
    const auto spool = directory.open();
    std::uint64_t in = 0, out = 0;
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < 3; i++) {
            const auto done =
                spool->append(std::string(100'000 + static_cast<std::size_t>(round % 7) * 50'000, 'x'), 1);
            cr_assert(done.has_value());
            in += done->has_value();
        }
        for (int i = 0; i < 3 && spool->totals().batches > 4; i++, out++) take(*spool);
    }
    cr_assert_eq(in - out, spool->totals().batches);
    cr_assert_gt(in, 1000u);
}

Test(spool, is_for_one_at_a_time) {
    const Directory directory;
    const auto spool = directory.open();
    const auto second = Spool::open(directory.spool(), kBound, Logger());
    cr_assert(!second && second.error().code == ErrorCode::storage);
}

Test(spool, a_damaged_file_is_set_aside) {
    const Directory directory;
    for (const bool cut : {true, false}) {
        {
            const auto spool = directory.open();
            for (int i = 0; i < 20; i++) add(*spool, std::string(10'000, 'x'));
        }
        const fs::path file = fs::path(directory.spool()) / "data.mdb";
        if (cut) {
            fs::resize_file(file, fs::file_size(file) / 2 / 4096 * 4096);
        } else {
            std::ofstream(file, std::ios::trunc) << std::string(100'000, 'z');
        }
        std::string said;
        auto spool = Spool::open(directory.spool(), kBound,
                                 Logger([&](LogLevel, std::string_view text) { said += text; }));
        cr_assert(spool.has_value());
        cr_assert(said.find("data.mdb.damaged") != std::string::npos, "%s", said.c_str());
        cr_assert(is_empty(**spool));
        add(**spool, "again");
        cr_assert(take(**spool).bytes == "again");
    }
}

Test(spool, a_place_that_cannot_be_written_is_an_error) {
    const auto opened = Spool::open("/proc/weir-cannot-be-here", kBound, Logger());
    cr_assert(!opened && opened.error().code == ErrorCode::storage);
}
