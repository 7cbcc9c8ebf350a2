#include "lmdb-store/dependencies.h"

namespace weir::store {
namespace {

// The ends of a flow by side: which one is the client's is in the traits.
constexpr AttributeSet kAddresses = set_of(Attribute::local, Attribute::remote, Attribute::traits);
constexpr AttributeSet kPorts = set_of(Attribute::local_port, Attribute::remote_port, Attribute::traits);
// Whatever an end may be named by.
constexpr AttributeSet kEnds = kAddresses | set_of(Attribute::process, Attribute::peer_process);

}  // namespace

Dependencies dependencies_of(Field field) {
    switch (field) {
        case Field::host:
        case Field::service: return {};
        case Field::family:
        case Field::direction:
        case Field::conn_side:
        case Field::transport: return {set_of(Attribute::traits)};
        case Field::src_ip:
        case Field::src_ip_type: return {set_of(Attribute::local)};
        case Field::src_port: return {set_of(Attribute::local_port)};
        case Field::dst_ip:
        case Field::dst_ip_type: return {set_of(Attribute::remote)};
        case Field::dst_port: return {set_of(Attribute::remote_port)};
        case Field::pid: return {set_of(Attribute::pid)};
        case Field::process_name: return {set_of(Attribute::process)};
        case Field::netns: return {set_of(Attribute::netns)};
        case Field::client_ip:
        case Field::client_ip_type:
        case Field::server_ip:
        case Field::server_ip_type: return {kAddresses};
        case Field::client_port:
        case Field::server_port: return {kPorts};
        case Field::method: return {set_of(Attribute::method)};
        case Field::path: return {set_of(Attribute::path)};
        case Field::route: return {set_of(Attribute::route)};
        case Field::http_version:
        case Field::truncated: return {set_of(Attribute::http_traits)};
        case Field::status_code: return {set_of(Attribute::status)};
        // Not known to be cheaper: right for any field, those to come included.
        default: return {0, true};
    }
}

Dependencies dependencies_of(const query::Dimension& dimension) {
    if (dimension.kind == query::Dimension::Kind::field) return dependencies_of(dimension.field);
    switch (dimension.view) {
        case query::View::ip: return {kAddresses};
        case query::View::host: return {kAddresses};
        case query::View::process: return {kEnds};
    }
    return {0, true};
}

Dependencies dependencies_of(const query::Filter& term) {
    switch (term.kind) {
        case query::Filter::Kind::field: return dependencies_of(term.field);
        case query::Filter::Kind::any_field:
        case query::Filter::Kind::client:
        case query::Filter::Kind::server: return {kEnds};
        default: return {0, true};
    }
}

}  // namespace weir::store
