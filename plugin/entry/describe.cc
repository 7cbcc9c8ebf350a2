#include "plugin/entry/describe.h"

#include <nlohmann/json.hpp>

#include "abi/include/weir_abi.h"
#include "abi/schema/point_schema.h"
#include "plugin/source/bpf_source.h"
#include "plugin/source/requirements.h"

namespace weir::entry {
namespace {

using Json = nlohmann::ordered_json;

std::string_view type_name(ValueType type) {
    switch (type) {
        case ValueType::tag: return "string";
        case ValueType::integer: return "int";
        case ValueType::string: return "string";
        case ValueType::boolean: return "bool";
    }
    return "";
}

Json measurement(std::string_view name, std::uint8_t bit, std::string_view description) {
    Json tags = Json::array();
    Json fields = Json::array();
    for (const FieldInfo& about : kPointSchema) {
        if ((about.measurements & bit) == 0) continue;
        Json entry = {{"name", about.name}, {"type", type_name(about.type)}};
        if (!about.unit.empty()) entry["unit"] = about.unit;
        entry["description"] = about.description;
        (about.type == ValueType::tag ? tags : fields).push_back(std::move(entry));
    }
    return {{"name", name},
            {"category", "network"},
            {"description", description},
            {"tags", tags},
            {"fields", fields}};
}

std::string make_description() {
    const Json out = {
        {"name", kPluginName},
        {"version", kPluginVersion},
        {"abi", {{"major", WEIR_ABI_MAJOR}, {"minor", WEIR_ABI_MINOR}}},
        {"catalog", "network"},
        {"minimal_kernel", {{"l4", "5.12"}, {"l7", "6.3"}}},
        {"capabilities", {"CAP_BPF", "CAP_PERFMON"}},
        {"points_formats", {"lineproto", "protobuf"}},
        {"measurements",
         {measurement("netflow", kNetflow, "a flow of TCP connections in one interval"),
          measurement("httpflow", kHttpflow,
                      "requests of a flow with the same method, path and status in one interval"),
          measurement("dnsflow", kDnsflow, "queries of a flow with the same result in one interval")}},
    };
    return out.dump(2);
}

}  // namespace

const std::string& describe_json() {
    static const std::string text = make_description();
    return text;
}

ProbeResult probe() {
    const auto requirements = check_requirements(true, true);
    const BpfOptions options = possible({}, requirements);
    const Requirement* unmet = first_unmet(requirements);
    Json list = Json::array();
    for (const Requirement& requirement : requirements) {
        list.push_back({{"name", requirement.name},
                        {"met", requirement.met},
                        {"optional", requirement.is_optional()},
                        {"detail", requirement.detail}});
    }
    ProbeResult out;
    std::string why = !options.http  ? "L4 over tracepoints: only TCP, without HTTP"
                      : !options.udp ? "L4 and L7 over tracepoints, without UDP"
                                     : "L4 and L7 over tracepoints";
    if (unmet == nullptr) {
        const Status loaded = try_load(options);
        out.can_run = loaded.has_value();
        list.push_back({{"name", "BPF programs load"},
                        {"met", out.can_run},
                        {"optional", false},
                        {"detail", out.can_run ? "the kernel takes them" : loaded.error().message}});
        if (!out.can_run) {
            why = loaded.error().message;
            out.lacks_privilege = loaded.error().code == ErrorCode::no_privilege;
        }
    } else {
        why = unmet->name + ": " + unmet->detail;
        out.lacks_privilege = unmet->name == "privileges";
    }
    const Json report = {{"can_run", out.can_run},
                         {"tier", out.can_run ? Json("tracepoint") : Json(nullptr)},
                         {"why", why},
                         {"requirements", list}};
    out.json = report.dump(2);
    return out;
}

}  // namespace weir::entry
