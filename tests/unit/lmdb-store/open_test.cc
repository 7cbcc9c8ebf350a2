// Whatever is in the directory, opening gives a store or says clearly what to do.
#include <criterion/criterion.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "lmdb-store/file_check.h"
#include "lmdb-store/format.h"
#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPage = 4096;

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& data) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << data;
}

// A data file with some minutes of history.
std::string make_history(int intervals = 20, const Shape& shape = {.l4_rows = 20, .l7_rows = 20}) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    fixture.open();
    Random random(1);
    for (int i = 0; i < intervals; i++) {
        fixture.clock.now += 10 * kSecond;
        cr_assert(fixture.store().append(make_batch(random, fixture.clock.now, shape)).has_value());
    }
    fixture.close();
    return read_file(directory.file("data.mdb"));
}

// Makes a store one of another format.
void set_format(const std::string& directory, std::uint32_t version) {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    mdb_env_create(&env);
    mdb_env_set_maxdbs(env, 5);
    cr_assert_eq(mdb_env_open(env, directory.c_str(), 0, 0600), 0);
    mdb_txn_begin(env, nullptr, 0, &txn);
    mdb_dbi_open(txn, "meta", 0, &dbi);
    auto format = encode_format(version);
    MDB_val key{6, const_cast<char*>("format")};
    MDB_val value{format.size(), format.data()};
    cr_assert_eq(mdb_put(txn, dbi, &key, &value, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

// Opens a directory with this data file, asks it, appends to it and asks again.
struct Outcome {
    bool opened = false;
    bool set_aside = false;
    std::uint64_t unreadable = 0;
    std::string error;
};
Outcome use(const std::string& data) {
    TempDirectory directory;
    write_file(directory.file("data.mdb"), data);
    Fixture fixture({.path = directory.path()});
    fixture.clock.now += 200 * kSecond;
    Outcome out;
    {
        auto opened = fixture.try_open();
        if (!opened) {
            out.error = opened.error().message;
            return out;
        }
    }
    fixture.open();
    out.opened = true;
    Random random(7);
    for (int i = 0; i < 8; i++) {
        query::AggregateQuery query;
        query.layer = i % 2 == 0 ? query::Layer::l4 : query::Layer::l7;
        query.range = {i < 4 ? 0 : kStart, fixture.clock.now};
        query.by = {query::Dimension::of(Field::dst_ip)};
        const auto result = fixture.store().aggregate(query);
        cr_assert(result.has_value(), "%s", result ? "" : result.error().message.c_str());
        out.unreadable += result->losses[static_cast<std::size_t>(Loss::store_unreadable)];
        query::RecordQuery records;
        records.layer = query.layer;
        records.range = query.range;
        cr_assert(fixture.store().records(records).has_value());
        fixture.clock.now += 10 * kSecond;
        cr_assert(fixture.store()
                      .append(make_batch(random, fixture.clock.now, {.l4_rows = 10, .l7_rows = 10}))
                      .has_value());
    }
    fixture.close();
    out.set_aside = !directory.names("data.mdb.damaged-").empty();
    return out;
}

}  // namespace

Test(open, makes_the_directory) {
    TempDirectory directory;
    Fixture fixture({.path = directory.file("a/b/c")});
    fixture.open();
    struct stat about {};
    cr_assert_eq(stat(directory.file("a/b/c").c_str(), &about), 0);
    cr_assert_eq(about.st_mode & 077, 0, "others may read it");
    cr_assert_eq(stat(directory.file("a/b/c/data.mdb").c_str(), &about), 0);
    cr_assert_eq(about.st_mode & 077, 0, "others may read it");
}

Test(open, twice_in_one_process) {
    TempDirectory directory;
    Fixture first({.path = directory.path()});
    first.open();
    fs::create_symlink(directory.path(), directory.file("again"));
    for (const std::string& path : {directory.path(), directory.file("again"), directory.path() + "/./"}) {
        Fixture second({.path = path});
        const auto opened = second.try_open();
        cr_assert(!opened && opened.error().code == ErrorCode::storage);
        cr_assert(opened.error().message.find("in use by this process") != std::string::npos, "%s",
                  opened.error().message.c_str());
    }
    first.close();
    Fixture third({.path = directory.path()});
    cr_assert(third.try_open().has_value());
}

Test(open, while_another_process_has_it) {
    TempDirectory directory;
    const int lock = open(directory.file("weir.lock").c_str(), O_RDWR | O_CREAT, 0600);
    cr_assert_eq(flock(lock, LOCK_EX), 0);
    cr_assert_eq(write(lock, "4711\n", 5), 5);
    Fixture fixture({.path = directory.path()});
    auto opened = fixture.try_open();
    cr_assert(!opened && opened.error().code == ErrorCode::storage);
    const std::string& message = opened.error().message;
    cr_assert(message.find(directory.path() + " is in use by process 4711") != std::string::npos, "%s",
              message.c_str());
    close(lock);
    cr_assert(fixture.try_open().has_value());
}

Test(open, where_nothing_can_be_written) {
    TempDirectory directory;
    write_file(directory.file("file"), "x");
    Fixture in_file({.path = directory.file("file/store")});
    auto opened = in_file.try_open();
    cr_assert(!opened && opened.error().code == ErrorCode::storage);
    cr_assert(
        opened.error().message.find("cannot create " + directory.file("file/store")) != std::string::npos,
        "%s", opened.error().message.c_str());
    Fixture no_path({.path = ""});
    cr_assert(!no_path.try_open().has_value());
    Fixture device({.path = "/proc/weir-store"});
    opened = device.try_open();
    cr_assert(!opened && opened.error().message.find("cannot create /proc/weir-store") != std::string::npos);

    // Root may write anywhere; another user may not.
    if (geteuid() != 0) return;
    fs::create_directory(directory.file("locked"));
    cr_assert_eq(chmod(directory.file("locked").c_str(), 0755), 0);
    cr_assert_eq(chmod(directory.path().c_str(), 0755), 0);
    const pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0) _exit(2);
        Fixture other({.path = directory.file("locked/store")});
        const auto refused = other.try_open();
        const std::string wanted =
            "cannot create " + directory.file("locked/store") + ": Permission denied; give";
        _exit(!refused && refused.error().message.find(wanted) != std::string::npos ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", static_cast<unsigned>(status));
}

Test(open, odd_options_are_refused) {
    TempDirectory directory;
    const Options bad[] = {{.path = directory.path(), .detail_ns = 0},
                           {.path = directory.path(), .minute_ns = -1},
                           {.path = directory.path(), .max_bytes = 1000}};
    for (const Options& options : bad) {
        Fixture fixture(options);
        const auto opened = fixture.try_open();
        cr_assert(!opened && opened.error().code == ErrorCode::invalid_argument);
    }
}

Test(open, a_file_that_is_not_ours_is_set_aside) {
    for (const std::string& data : {std::string("hello"), std::string(100000, '\0'), std::string(3, 'x'),
                                    std::string(200000, '\xff')}) {
        const Outcome outcome = use(data);
        cr_assert(outcome.opened && outcome.set_aside);
    }
    TempDirectory directory;
    fs::create_directories(directory.file("data.mdb/x"));
    Fixture fixture({.path = directory.path()});
    fixture.open();
    const auto aside = directory.names("data.mdb.damaged-");
    cr_assert_eq(aside.size(), 1);
    cr_assert(fixture.log_text().find(aside[0]) != std::string::npos, "%s", fixture.log_text().c_str());
}

Test(open, another_programs_lmdb_file_is_set_aside_untouched) {
    TempDirectory directory;
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    mdb_env_create(&env);
    cr_assert_eq(mdb_env_open(env, directory.path().c_str(), 0, 0600), 0);
    mdb_txn_begin(env, nullptr, 0, &txn);
    mdb_dbi_open(txn, nullptr, 0, &dbi);
    MDB_val key{3, const_cast<char*>("key")};
    MDB_val value{5, const_cast<char*>("value")};
    cr_assert_eq(mdb_put(txn, dbi, &key, &value, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    const std::string before = read_file(directory.file("data.mdb"));
    Fixture fixture({.path = directory.path()});
    fixture.open();
    const auto aside = directory.names("data.mdb.damaged-");
    cr_assert_eq(aside.size(), 1);
    cr_assert(read_file(directory.file(aside[0])) == before);
}

Test(open, only_the_newest_damaged_file_is_kept) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    for (int i = 0; i < 3; i++) {
        write_file(directory.file("data.mdb"), "damage " + std::to_string(i));
        fixture.open();
        fixture.close();
        if (i > 0) fixture.clock.now += kSecond;
    }
    const auto aside = directory.names("data.mdb.damaged-");
    cr_assert_eq(aside.size(), 1);
    cr_assert(read_file(directory.file(aside[0])) == "damage 2");
}

Test(open, a_newer_format_is_refused_and_left_alone) {
    TempDirectory directory;
    {
        Fixture fixture({.path = directory.path()});
        fixture.open();
    }
    set_format(directory.path(), kFormatVersion + 1);
    Fixture fixture({.path = directory.path()});
    const auto opened = fixture.try_open();
    cr_assert(!opened && opened.error().code == ErrorCode::storage);
    cr_assert(opened.error().message.find("newer Weir (format 4)") != std::string::npos, "%s",
              opened.error().message.c_str());
    cr_assert(directory.names("data.mdb.damaged-").empty());
    cr_assert(!fixture.try_open().has_value(), "refused once, and taken then");
}

// As an older Weir left it.
Test(open, an_older_format_is_set_aside) {
    TempDirectory directory;
    {
        Fixture fixture({.path = directory.path()});
        fixture.open();
    }
    set_format(directory.path(), 1);
    const std::string before = read_file(directory.file("data.mdb"));
    Fixture fixture({.path = directory.path()});
    fixture.open();
    const auto aside = directory.names("data.mdb.damaged-");
    cr_assert_eq(aside.size(), 1);
    cr_assert(read_file(directory.file(aside[0])) == before);
    cr_assert(fixture.log_text().find("it is of format 1, from an older Weir") != std::string::npos, "%s",
              fixture.log_text().c_str());
}

Test(open, a_newer_lmdb_is_refused_and_left_alone) {
    std::string data = make_history(3);
    data[20] = 2;  // the version in the first meta page
    cr_assert(use(data).set_aside, "one of the two is damage");
    data[kPage + 20] = 2;
    const Outcome outcome = use(data);
    cr_assert(!outcome.opened);
    cr_assert(outcome.error.find("newer Weir (LMDB data version 2)") != std::string::npos, "%s",
              outcome.error.c_str());
}

Test(open, cut_short_anywhere) {
    // Large enough for values of several pages.
    const std::string good = make_history(8, {.l4_rows = 700, .l7_rows = 400, .hosts = 900});
    cr_assert(!use(good).set_aside);
    Random random(3);
    int lost = 0;
    for (int round = 0; round < 100; round++) {
        const std::size_t size = 1 + random() % (good.size() - 1);
        const Outcome outcome = use(good.substr(0, size));
        cr_assert(outcome.opened, "cut to %zu: %s", size, outcome.error.c_str());
        lost += outcome.set_aside ? 1 : 0;
    }
    cr_assert_gt(lost, 0);
}

// Any byte may be wrong: in a value that is counted, in LMDB's own pages the file is set aside, or the page
// is not in use. Never a crash, and the store goes on.
Test(open, damaged_anywhere) {
    const std::string good = make_history(10, {.l4_rows = 60, .l7_rows = 40});
    Random random(4);
    int aside = 0;
    int unreadable = 0;
    for (int round = 0; round < 100; round++) {
        std::string bad = good;
        const std::size_t flips = 1 + random() % 3;
        for (std::size_t i = 0; i < flips; i++) {
            // Half of the time in the first pages, where LMDB's own structures are.
            const std::size_t at =
                round % 2 == 0 ? random() % bad.size() : random() % std::min<std::size_t>(bad.size(), 65536);
            bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
        }
        const Outcome outcome = use(bad);
        const bool newer = outcome.error.find("newer") != std::string::npos;
        cr_assert(outcome.opened || newer, "round %d: %s", round, outcome.error.c_str());
        aside += outcome.set_aside ? 1 : 0;
        unreadable += outcome.unreadable > 0 ? 1 : 0;
    }
    cr_assert_gt(aside, 0);
    cr_assert_gt(unreadable, 0);
}

// Pages of large values but the first of each: these have no header.
std::size_t pages_without_header(MDB_txn* txn, MDB_dbi dbi) {
    constexpr std::size_t kHeader = 16;
    constexpr std::size_t kMostInNode = ((kPage - kHeader) / 2 & ~std::size_t{1}) - 2;
    std::size_t out = 0;
    MDB_cursor* cursor = nullptr;
    MDB_val key{};
    MDB_val value{};
    cr_assert_eq(mdb_cursor_open(txn, dbi, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        if (8 + key.mv_size + value.mv_size > kMostInNode) out += (kHeader - 1 + value.mv_size) / kPage;
    }
    mdb_cursor_close(cursor);
    return out;
}

// How many pages with a header the trees of a file have, values included.
std::size_t pages_in_use(const std::string& directory) {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    mdb_env_create(&env);
    mdb_env_set_maxdbs(env, 5);
    cr_assert_eq(mdb_env_open(env, directory.c_str(), MDB_RDONLY, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn), 0);
    std::size_t out = 0;
    MDB_stat stat{};
    for (MDB_dbi dbi = 0; dbi < 2; dbi++) {
        cr_assert_eq(mdb_stat(txn, dbi, &stat), 0);
        out += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    }
    for (const char* name : {"meta", "detail", "minute", "endpoint", "segment"}) {
        MDB_dbi dbi = 0;
        cr_assert_eq(mdb_dbi_open(txn, name, 0, &dbi), 0);
        cr_assert_eq(mdb_stat(txn, dbi, &stat), 0);
        out += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages -
               pages_without_header(txn, dbi);
    }
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return out;
}

Test(open, check_looks_at_every_page_in_use) {
    TempDirectory directory;
    const std::string good = make_history(60, {.l4_rows = 30, .l7_rows = 30});
    const std::string file = directory.file("data.mdb");
    write_file(file, good);
    const std::size_t used = pages_in_use(directory.path());
    cr_assert_gt(used, 40);
    cr_assert(check_file(file)->state == FileState::sound);
    cr_assert(check_file(directory.file("nothing"))->state == FileState::fresh);
    // The number of a page, its kind, its bounds.
    for (const std::size_t at : {0u, 10u, 12u}) {
        std::size_t found = 0;
        for (std::size_t page = 2; page < good.size() / kPage; page++) {
            std::string bad = good;
            bad[page * kPage + at] = static_cast<char>(bad[page * kPage + at] ^ 0x41);
            write_file(file, bad);
            found += check_file(file)->state == FileState::damaged ? 1 : 0;
        }
        cr_assert_eq(found, used, "byte %zu: %zu of %zu", at, found, used);
    }
}

// A longer key would be read from what stands behind it.
Test(open, check_looks_at_the_size_of_each_key) {
    TempDirectory directory;
    const std::string good = make_history(60, {.l4_rows = 30, .l7_rows = 30});
    const std::string file = directory.file("data.mdb");
    int changed = 0;
    int found = 0;
    for (std::size_t page = 2; page < good.size() / kPage; page++) {
        const auto number_at = [&](std::size_t at) {
            return std::size_t{static_cast<unsigned char>(good[page * kPage + at])} |
                   std::size_t{static_cast<unsigned char>(good[page * kPage + at + 1])} << 8;
        };
        if (number_at(10) != 2) continue;  // no leaf
        const std::size_t node = number_at(16);
        if (node + 8 > kPage || number_at(node + 6) != kKeySize) continue;
        std::string bad = good;
        bad[page * kPage + node + 6] = kKeySize + 1;
        write_file(file, bad);
        const auto report = check_file(file);
        changed++;
        found += report->state == FileState::damaged ? 1 : 0;
    }
    // The others are not in use any more.
    cr_assert_gt(found, 3, "%d of %d", found, changed);
}

// Two values in the same page: the first that is dropped would take the other with it.
Test(open, check_finds_pages_in_use_twice) {
    TempDirectory directory;
    const std::string file = directory.file("data.mdb");
    const std::string good = make_history(40, {.l4_rows = 200, .l7_rows = 100, .samples = 6});
    const auto number_at = [&](std::size_t at) { return good.substr(at, 8); };
    int found = 0;
    for (std::size_t page = 2; page + 1 < good.size() / kPage; page++) {
        const std::size_t here = page * kPage;
        const bool are_values = good[here + 10] == 4 && good[here + kPage + 10] == 4;
        if (!are_values || good.substr(here + 12, 4) != good.substr(here + kPage + 12, 4)) continue;
        std::string bad = good;
        // Where a tree names the one, it names the other now; in the page itself it stays.
        for (std::size_t at = 2 * kPage; (at = bad.find(number_at(here), at)) != std::string::npos; at += 8) {
            if (at != here) bad.replace(at, 8, number_at(here + kPage));
        }
        write_file(file, bad);
        const auto report = check_file(file);
        found += report->reason == "a page in use twice" ? 1 : 0;
    }
    cr_assert_gt(found, 5);
}

Test(open, closed_is_closed) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    fixture.open();
    Random random(1);
    fixture.clock.now += 10 * kSecond;
    cr_assert(fixture.store().append(make_batch(random, fixture.clock.now)).has_value());
    cr_assert(fixture.store().close().has_value());
    cr_assert(fixture.store().close().has_value());
    const Status late = fixture.store().append(make_batch(random, fixture.clock.now));
    cr_assert(!late && late.error().code == ErrorCode::bad_state);
    cr_assert(!fixture.store().flush().has_value());
    const auto result = fixture.store().aggregate({});
    cr_assert(!result && result.error().code == ErrorCode::storage);
    cr_assert(!fixture.store().status().healthy);
    Fixture again({.path = directory.path()});
    cr_assert(again.try_open().has_value());
}
