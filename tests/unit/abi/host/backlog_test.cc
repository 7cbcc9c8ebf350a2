#include "abi/host/backlog.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "abi/host/split_points.h"
#include "weir_abi.h"

namespace {

using weir::host::Backlog;
using weir::host::Batch;
using weir::host::split_points;
using weir::host::Spool;

namespace fs = std::filesystem;

class Directory {
public:
    Directory() {
        char name[] = "/tmp/weir-backlog-XXXXXX";
        path_ = mkdtemp(name);
    }
    ~Directory() { fs::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    Backlog open(std::uint64_t most_bytes) const {
        return {*Spool::open(path_, "influx:http://h", WEIR_FORMAT_LINE_PROTOCOL), most_bytes};
    }
    std::size_t files() const {
        std::size_t count = 0;
        for (const auto& file : fs::recursive_directory_iterator(path_)) {
            count += file.path().extension() == ".lp" ? 1 : 0;
        }
        return count;
    }

private:
    std::string path_;
};

Batch line(int number) { return Batch::of("m f=" + std::to_string(number) + "i 1\n", 1); }

std::string drain(Backlog& backlog) {
    std::string text;
    std::uint64_t lost = 0;
    while (const auto batch = backlog.first(&lost)) {
        text += batch->bytes;
        backlog.remove_first();
    }
    cr_assert(lost == 0);
    return text;
}

Test(backlog, order_over_memory_and_disk) {
    const Directory directory;
    std::string expected;
    {
        Backlog backlog = directory.open(1U << 20U);
        for (int i = 0; i < 30; i++) {
            backlog.set_in_trouble(i >= 10 && i < 20);
            backlog.push(line(i));
            expected += line(i).bytes;
        }
        cr_assert(directory.files() == 20);
        cr_assert(backlog.points() == 30);
        cr_assert(backlog.keep() == 0);
        cr_assert(directory.files() == 30);
    }
    Backlog again = directory.open(1U << 20U);
    cr_assert(again.points() == 30);
    again.push(line(30));
    cr_assert(drain(again) == expected + std::string(line(30).bytes));
    cr_assert(directory.files() == 0 && again.points() == 0 && again.empty());
}

Test(backlog, parts_take_the_place_of_the_whole) {
    const Directory directory;
    std::string text;
    for (int i = 0; i < 9; i++) text += line(i).bytes;
    for (const bool on_disk : {false, true}) {
        Backlog backlog = directory.open(1U << 20U);
        backlog.set_in_trouble(on_disk);
        backlog.push(Batch::of(text, 9));
        backlog.push(line(9));
        std::uint64_t lost = 0;
        // Halves of halves, as when a server says "too large" again and again.
        for (const std::uint64_t most : {5U, 3U, 1U}) {
            backlog.replace_first(split_points(*backlog.first(&lost), WEIR_FORMAT_LINE_PROTOCOL, most));
        }
        cr_assert(backlog.points() == 10);
        if (on_disk) {
            backlog = Backlog();
            backlog = directory.open(1U << 20U);
        }
        cr_assert(drain(backlog) == text + std::string(line(9).bytes));
        cr_assert(directory.files() == 0);
    }
}

Test(backlog, bounds) {
    const Directory directory;
    Backlog backlog = directory.open(100);
    backlog.set_in_trouble(true);
    cr_assert(backlog.has_room_behind(1000), "one that is larger than the bound gets through, alone");
    for (int i = 0; i < 10; i++) backlog.push(line(i));
    cr_assert(!backlog.has_room_behind(20));
    cr_assert(backlog.has_room_behind(5));
    backlog.push(line(0));
    backlog.push(line(0));
    cr_assert(backlog.keep() == 1, "what does not fit stays in memory");
}

Test(backlog, without_a_spool) {
    Backlog backlog;
    backlog.push(line(1));
    backlog.set_in_trouble(true);
    cr_assert(backlog.keep() == 1);
    cr_assert(backlog.has_room(Backlog::kMostBytes / 2));
    cr_assert(!backlog.has_room(Backlog::kMostBytes));
    cr_assert(!backlog.has_room_behind(Backlog::kMostBytesBehind));
    cr_assert(drain(backlog) == line(1).bytes);
}

}  // namespace
