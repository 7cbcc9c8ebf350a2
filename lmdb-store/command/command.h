// weir-store: looks into a store, also while a Weir writes it. Never writes to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lmdb-store/archive.h"
#include "plugin/base/status.h"
#include "plugin/query/query.h"

namespace weir::store::command {

// What was asked for on the command line.
struct Arguments {
    std::string command;
    std::string path;
    query::Layer layer = query::Layer::l4;
    bool slow = false;
    query::TimeRange range;
    query::Filter filter;
    std::vector<Field> by;
    query::Measure sort = query::Measure::bytes_written;
    std::size_t limit = 20;
    std::string format;  // csv, json, lineproto; empty: for people
};

std::string usage();
// Errors: invalid_argument, with what to do.
Result<Arguments> parse(const std::vector<std::string>& words, std::int64_t now_ns);

// Each prints to standard output and returns the exit code: 0, or 1 with the reason on standard error.
int info(const Archive& archive, const Arguments& arguments);
int check(const Archive& archive, const Arguments& arguments);
int dump(const Archive& archive, const Arguments& arguments);
int top(const Archive& archive, const Arguments& arguments);

int complain(const Error& error);

}  // namespace weir::store::command
