#include "plugin/enrich/conntrack.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace weir::enrich {
namespace {

// Events that wait to be read, per namespace; the kernel charges it only as they come.
constexpr int kReceiveBuffer = 4 << 20;
constexpr std::size_t kBufferSize = 32768;  // a listing's messages are never longer
constexpr std::size_t kBatch = 256;

using Socket = std::unique_ptr<mnl_socket, decltype([](mnl_socket* socket) { mnl_socket_close(socket); })>;
using Conn = std::unique_ptr<nf_conntrack, decltype([](nf_conntrack* ct) { nfct_destroy(ct); })>;

tl::unexpected<Error> system_error(const char* what) {
    const int code = errno;
    const bool refused = code == EPERM || code == EACCES;
    return fail(refused ? ErrorCode::no_privilege : ErrorCode::unsupported,
                std::string(what) + ": " + std::strerror(code) + (refused ? " (needs CAP_NET_ADMIN)" : ""));
}

Address v4(const nf_conntrack* ct, nf_conntrack_attr attribute) {
    const std::uint32_t address = nfct_get_attr_u32(ct, attribute);
    std::array<std::uint8_t, 4> b{};
    std::memcpy(b.data(), &address, b.size());
    return Address::v4(b[0], b[1], b[2], b[3]);
}

Address v6(const nf_conntrack* ct, nf_conntrack_attr attribute) {
    Address out;
    if (const void* bytes = nfct_get_attr(ct, attribute))
        std::memcpy(out.bytes.data(), bytes, out.bytes.size());
    return out;
}

std::uint16_t port(const nf_conntrack* ct, nf_conntrack_attr attribute) {
    return ntohs(nfct_get_attr_u16(ct, attribute));
}

// Nothing for connections that are not translated, and for transports that Weir does not follow.
std::optional<NatEvent> event_of(const nlmsghdr* header) {
    const Conn owned(nfct_new());
    nf_conntrack* ct = owned.get();
    if (ct == nullptr || nfct_nlmsg_parse(header, ct) < 0) return std::nullopt;
    const std::uint8_t transport = nfct_get_attr_u8(ct, ATTR_ORIG_L4PROTO);
    if (transport != IPPROTO_TCP && transport != IPPROTO_UDP) return std::nullopt;
    if ((nfct_get_attr_u32(ct, ATTR_STATUS) & IPS_DST_NAT) == 0) return std::nullopt;

    const bool is_v4 = nfct_get_attr_u8(ct, ATTR_ORIG_L3PROTO) == AF_INET;
    NatEvent out;
    out.original.client = is_v4 ? v4(ct, ATTR_ORIG_IPV4_SRC) : v6(ct, ATTR_ORIG_IPV6_SRC);
    out.original.server = is_v4 ? v4(ct, ATTR_ORIG_IPV4_DST) : v6(ct, ATTR_ORIG_IPV6_DST);
    out.original.client_port = port(ct, ATTR_ORIG_PORT_SRC);
    out.original.server_port = port(ct, ATTR_ORIG_PORT_DST);
    out.translated.client = is_v4 ? v4(ct, ATTR_REPL_IPV4_DST) : v6(ct, ATTR_REPL_IPV6_DST);
    out.translated.server = is_v4 ? v4(ct, ATTR_REPL_IPV4_SRC) : v6(ct, ATTR_REPL_IPV6_SRC);
    out.translated.client_port = port(ct, ATTR_REPL_PORT_DST);
    out.translated.server_port = port(ct, ATTR_REPL_PORT_SRC);
    out.original.transport = out.translated.transport = transport;
    out.is_over = (header->nlmsg_type & 0xff) == IPCTNL_MSG_CT_DELETE;
    return out;
}

// Collects events and hands them over some at a time.
class Collector {
public:
    explicit Collector(const Conntrack::OnEvents& on_events) : on_events_(on_events) {}
    ~Collector() { flush(); }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    static int on_message(const nlmsghdr* header, void* self) {
        static_cast<Collector*>(self)->add(header);
        return MNL_CB_OK;
    }

private:
    void add(const nlmsghdr* header) {
        if (header->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK) return;
        if (const auto event = event_of(header)) events_.push_back(*event);
        if (events_.size() >= kBatch) flush();
    }
    void flush() {
        if (!events_.empty()) on_events_(events_);
        events_.clear();
    }

    const Conntrack::OnEvents& on_events_;
    std::vector<NatEvent> events_;
};

// Most connections of a host are not translated: their events end here, in the kernel. What has no status
// passes.
bool leave_out_untranslated(int fd) {
    constexpr std::uint32_t kAttributes = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));
    constexpr std::uint32_t kAll = 0xffffffff;
    std::array<sock_filter, 8> program = {{
        BPF_STMT(BPF_LD | BPF_IMM, kAttributes),
        BPF_STMT(BPF_LDX | BPF_IMM, CTA_STATUS),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IPS_DST_NAT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, kAll),
    }};
    std::vector<sock_filter> whole(program.begin(), program.end());
    whole.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
    sock_fprog filter{static_cast<unsigned short>(whole.size()), whole.data()};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
}

}  // namespace

void Conntrack::Closer::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

int Conntrack::fd() const { return mnl_socket_get_fd(socket_.get()); }

Result<Conntrack> Conntrack::open() {
    std::unique_ptr<mnl_socket, Closer> socket(
        mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return system_error("cannot open a netlink socket");
    const int fd = mnl_socket_get_fd(socket.get());
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
    leave_out_untranslated(fd);  // without it there is only more to read
    constexpr unsigned kGroups = NF_NETLINK_CONNTRACK_NEW | NF_NETLINK_CONNTRACK_DESTROY;
    if (mnl_socket_bind(socket.get(), kGroups, MNL_SOCKET_AUTOPID) < 0) {
        return system_error("cannot follow connection tracking");
    }
    return Conntrack(std::move(socket));
}

Conntrack::Read Conntrack::read(const OnEvents& on_events) {
    constexpr int kMostMessages = 4096;  // others wait, too
    std::vector<char> buffer(kBufferSize);
    Collector collector(on_events);
    for (int i = 0; i < kMostMessages; i++) {
        const ssize_t n = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Read::all;
        if (n < 0 && errno == ENOBUFS) return Read::overflow;
        if (n <= 0) return Read::broken;
        mnl_cb_run(buffer.data(), static_cast<std::size_t>(n), 0, 0, Collector::on_message, &collector);
    }
    return Read::all;
}

Status list_translated(const Conntrack::OnEvents& on_events) {
    const Socket socket(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
    if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
        return system_error("cannot open a netlink socket");
    }
    // a kernel that does not answer must not hold up the others
    const timeval patience{5, 0};
    setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));

    std::vector<char> buffer(kBufferSize);
    nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
    header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = 1;
    auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    family->nfgen_family = AF_UNSPEC;
    family->version = NFNETLINK_V0;
    mnl_attr_put_u32(header, CTA_STATUS, htonl(IPS_DST_NAT));  // kernels before 5.17 list all
    mnl_attr_put_u32(header, CTA_STATUS_MASK, htonl(IPS_DST_NAT));
    if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) {
        return system_error("cannot list connection tracking");
    }
    Collector collector(on_events);
    for (;;) {
        const ssize_t n = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_error("cannot list connection tracking");
        const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(n), 1,
                                    mnl_socket_get_portid(socket.get()), Collector::on_message, &collector);
        if (more < 0) return system_error("cannot list connection tracking");
        if (more == 0) return {};
    }
}

}  // namespace weir::enrich
