#include "lmdb-store/dependencies.h"

namespace weir::store {
namespace {

// The ends of a flow by side: which one is the client's is in the traits.
constexpr AttributeSet kAddresses = set_of(Attribute::local, Attribute::remote, Attribute::traits);
constexpr AttributeSet kPorts = set_of(Attribute::local_port, Attribute::remote_port, Attribute::traits);
// Whatever an end may be named by.
constexpr AttributeSet kEnds =
    kAddresses | set_of(Attribute::process, Attribute::peer_process, Attribute::domain);

constexpr std::uint8_t measurement_of(query::Layer layer) {
    switch (layer) {
        case query::Layer::l4: return kNetflow;
        case query::Layer::l7: return kHttpflow;
        case query::Layer::dns: return kDnsflow;
    }
    return 0;
}

Dependencies dependencies_of(Field field, query::Layer layer) {
    // Nothing has a value then.
    if ((info(field).measurements & measurement_of(layer)) == 0) return {};
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
        case Field::dst_nat_ip: return {set_of(Attribute::nat, Attribute::nat_port)};
        case Field::dst_nat_port: return {set_of(Attribute::nat_port)};
        case Field::dst_domain: return {set_of(Attribute::domain)};
        case Field::server_domain: return {set_of(Attribute::domain, Attribute::traits)};
        case Field::container_id: return {set_of(Attribute::container)};
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
        case Field::grpc_status:
        case Field::truncated: return {set_of(Attribute::http_traits)};
        case Field::status_code: return {set_of(Attribute::status)};
        case Field::rcode: return {set_of(Attribute::rcode)};
        // Not known to be cheaper: right for any field, those to come included.
        default: return {0, true};
    }
}

}  // namespace

Dependencies dependencies_of(const query::Dimension& dimension, query::Layer layer) {
    if (dimension.kind == query::Dimension::Kind::field) return dependencies_of(dimension.field, layer);
    switch (dimension.view) {
        case query::View::ip: return {kAddresses};
        case query::View::host: return {kAddresses};
        case query::View::process: return {kEnds};
    }
    return {0, true};
}

Dependencies dependencies_of(const query::Filter& term, query::Layer layer) {
    switch (term.kind) {
        case query::Filter::Kind::field: return dependencies_of(term.field, layer);
        case query::Filter::Kind::any_field:
        case query::Filter::Kind::client:
        case query::Filter::Kind::server: return {kEnds};
        default: return {0, true};
    }
}

std::optional<Section> number_column(Field field) {
    switch (field) {
        case Field::bytes_written: return Section::bytes_written;
        case Field::bytes_read: return Section::bytes_read;
        case Field::retransmits: return Section::retransmits;
        case Field::tcp_established: return Section::tcp_established;
        case Field::tcp_closed: return Section::tcp_closed;
        case Field::connect_failed: return Section::connect_failed;
        case Field::count: return Section::count;
        default: return std::nullopt;
    }
}

}  // namespace weir::store
