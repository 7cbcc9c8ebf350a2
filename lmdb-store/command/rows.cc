// dump and top.
#include <algorithm>
#include <cstdio>

#include "abi/host/printable.h"
#include "http/api/json.h"
#include "http/api/record_columns.h"
#include "http/api/table.h"
#include "lmdb-store/columns.h"
#include "lmdb-store/command/command.h"
#include "plugin/point/encoder.h"

namespace weir::store::command {
namespace {

using http::Json;
using http::Table;

constexpr std::size_t kPage = 10'000;

class Dump {
public:
    explicit Dump(const Arguments& arguments)
        : arguments_(arguments),
          part_(arguments.slow ? Part::slow : part_of(arguments.layer)),
          columns_(http::record_columns(http::record_kind(arguments.layer, arguments.slow))),
          encoder_(make_encoder(PointFormat::line_protocol, {})) {
        for (const auto& column : columns_) table_.columns.push_back({std::string(column.name)});
    }

    void print(query::RecordPage& page) {
        for (const auto& record : page.order) {
            page.rows.end_ns = record.time_ns;
            with_row_type(part_, [&]<typename Row>() {
                add(page.rows, RowColumns<Row>::rows(page.rows)[record.row], record.time_ns);
            });
        }
        if (arguments_.format == "lineproto") {
            write(std::string(encoder_->bytes()));
            encoder_->clear();
        } else if (arguments_.format == "json") {
            std::string lines;
            for (const Json& row : http::rows_json(table_)) lines += http::to_text(row) + "\n";
            write(lines);
        } else {
            std::string csv = http::to_csv(table_);
            if (std::exchange(has_head_, true)) csv.erase(0, csv.find('\n') + 1);
            write(csv);
        }
        table_.rows.clear();
    }

private:
    template <typename Row>
    void add(const Batch& batch, const Row& row, std::int64_t time_ns) {
        if (arguments_.format == "lineproto") {
            if constexpr (!std::is_same_v<Row, SlowRow>) encoder_->append(batch, row);
            return;
        }
        http::add_record(table_, batch, row, time_ns, columns_);
    }
    static void write(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

    const Arguments& arguments_;
    const Part part_;
    const std::vector<http::RecordColumn> columns_;
    const std::unique_ptr<PointEncoder> encoder_;
    Table table_;
    bool has_head_ = false;
};

// The table as columns, for people.
void print_text(const Table& table) {
    std::vector<std::vector<std::string>> lines;
    std::vector<std::size_t> widths(table.columns.size(), 0);
    const auto add = [&](auto text_of) {
        auto& line = lines.emplace_back();
        for (std::size_t i = 0; i < table.columns.size(); i++) {
            line.push_back(host::shortened(host::printable(text_of(i)), 48));
            widths[i] = std::max(widths[i], line.back().size());
        }
    };
    add([&](std::size_t i) { return table.columns[i].name; });
    for (const auto& row : table.rows) {
        add([&](std::size_t i) {
            if (row[i].is_null()) return std::string("-");
            return row[i].is_string() ? row[i].get<std::string>() : http::to_text(row[i]);
        });
    }
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); i++)
            std::printf("%-*s%s", static_cast<int>(widths[i]), line[i].c_str(),
                        i + 1 < line.size() ? "  " : "\n");
    }
}

std::vector<query::Measure> shown_measures(const Arguments& arguments) {
    std::vector<query::Measure> out = {arguments.sort};
    for (const query::Measure measure :
         {query::Measure::bytes_written, query::Measure::bytes_read, query::Measure::rtt_p95,
          query::Measure::retransmits, query::Measure::count, query::Measure::latency_p95,
          query::Measure::errors}) {
        if (query::in_layer(measure, arguments.layer) && measure != arguments.sort) out.push_back(measure);
    }
    return out;
}

}  // namespace

int dump(const Archive& archive, const Arguments& arguments) {
    query::RecordQuery query;
    query.layer = arguments.layer;
    query.slow = arguments.slow;
    query.range = arguments.range;
    query.filter = arguments.filter;
    query.limit = kPage;
    Dump dump(arguments);
    std::uint64_t unreadable = 0;
    bool is_first = true;
    do {
        auto page = archive.records(query);
        if (!page) return complain(page.error());
        if (std::exchange(is_first, false))
            unreadable = page->losses[static_cast<std::size_t>(Loss::store_unreadable)];
        dump.print(*page);
        query.cursor = page->next_cursor;
    } while (!query.cursor.empty());
    if (unreadable == 0) return 0;
    return complain(
        {ErrorCode::storage, std::to_string(unreadable) + " rows could not be read; see weir-store check"});
}

int top(const Archive& archive, const Arguments& arguments) {
    query::AggregateQuery query;
    query.layer = arguments.layer;
    query.range = arguments.range;
    query.filter = arguments.filter;
    for (const Field field : arguments.by) query.by.push_back(query::Dimension::of(field));
    query.sort = arguments.sort;
    query.limit = arguments.limit;
    const std::vector<query::Measure> measures = shown_measures(arguments);
    query.measures = 0;
    for (const query::Measure measure : measures) query.measures |= query::set_of(measure);
    const auto result = archive.aggregate(query);
    if (!result) return complain(result.error());

    Table table;
    for (const Field field : arguments.by) table.columns.push_back({std::string(weir::info(field).name)});
    for (const query::Measure measure : measures)
        table.columns.push_back({std::string(query::info(measure).name)});
    const double seconds = static_cast<double>(arguments.range.to_ns - arguments.range.from_ns) / 1e9;
    for (const query::Group& group : result->groups) {
        std::vector<Json>& cells = table.rows.emplace_back();
        for (const query::KeyPart& part : group.key) cells.push_back(http::json_text(part.text));
        for (const query::Measure measure : measures) {
            const auto value = query::value(group.measures, measure, seconds);
            cells.push_back(value ? http::json_number(*value) : Json());
        }
    }
    if (arguments.format == "json") {
        for (const Json& row : http::rows_json(table)) std::printf("%s\n", http::to_text(row).c_str());
    } else if (arguments.format == "csv") {
        std::fputs(http::to_csv(table).c_str(), stdout);
    } else {
        print_text(table);
        if (result->group_count > result->groups.size())
            std::printf("and %zu more\n", result->group_count - result->groups.size());
    }
    return 0;
}

}  // namespace weir::store::command
