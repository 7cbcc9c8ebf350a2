// The host agent, as the rest of the plugin sees it: a copy of its callback table behind C++ names.
//
// Thread-safe. No lock is held during a callback. While an instance runs only the deliver and the report
// thread call (delivery.h, reporter.h): a host may keep them waiting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/include/weir_abi.h"
#include "plugin/base/status.h"
#include "plugin/point/encoder.h"

namespace weir::entry {

weir_code to_code(ErrorCode code);

class Host final {
public:
    // Takes what lies inside table.struct_size; what an older host does not bring stays NULL.
    static Result<Host> copy(const weir_host_v1* table);

    // Nothing when the host wants one that there is not.
    std::optional<PointFormat> points_format() const;
    void log(std::int32_t level, std::string_view text) const {
        table_.log(table_.ctx, level, text.data(), text.size());
    }
    weir_emit_result emit(std::string_view bytes, std::uint64_t point_count) const;
    void report_status(weir_code code, std::string_view text) const;
    bool should_stop() const;

    // Changes when global_tags() would answer something else.
    std::uint64_t global_tags_version() const;
    std::vector<Tag> global_tags() const;

    std::int64_t now_ns() const { return table_.now_ns(table_.ctx); }

private:
    weir_host_v1 table_{};
};

}  // namespace weir::entry
