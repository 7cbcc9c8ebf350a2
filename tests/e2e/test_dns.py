"""DNS with a real server (dnsmasq), asked by the C library's resolver and as musl's does it, at both ends; and the domains
of flows that follow from its answers."""

import shutil
import subprocess
import sys
import textwrap
import unittest

import harness
from harness import Link, Traffic, Weir, in_netns, sh, total, wait_for

# One UDP socket that is bound to nothing asks all servers at once and takes the first answer; over TCP, the
# length and the message are read apart.
ASKER = textwrap.dedent("""
    import os, socket, struct, sys
    how, name, *servers = sys.argv[1:]
    query = struct.pack(">HHHHHH", int.from_bytes(os.urandom(2), "big"), 0x0100, 1, 0, 0, 0)
    query += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0" + struct.pack(">HH", 1, 1)
    if how == "musl":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        for server in servers:
            s.sendto(query, (server, 53))
        answer, _ = s.recvfrom(4096)
    else:
        s = socket.create_connection((servers[0], 53), timeout=5)
        message = struct.pack(">H", len(query)) + query
        s.sendall(message[:9])
        s.sendall(message[9:])
        size, = struct.unpack(">H", s.recv(2, socket.MSG_WAITALL))
        answer = s.recv(size, socket.MSG_WAITALL)
    assert answer[:2] == query[:2]
    print(answer[3] & 15)
    """)

# The C library's resolver, told its servers as its own interface does, since /etc/resolv.conf is the machine's:
# struct __res_state begins with int retrans, retry; long options; int nscount; sockaddr_in nsaddr_list[3].
# Looks up NAMES and says how many were found; with a port, connects to each and sends some bytes.
RESOLVER = textwrap.dedent("""
    import ctypes, socket, struct, sys
    servers, options, family, port, *names = sys.argv[1:]
    libc = ctypes.CDLL(None)
    assert libc.__res_init() == 0
    libc.__res_state.restype = ctypes.c_void_p
    state = libc.__res_state()
    servers = servers.split(",")
    if "fast" in options:
        ctypes.memmove(state, struct.pack("ii", 1, 1), 8)
    if "tcp" in options:
        flags = ctypes.c_ulong.from_address(state + 8)
        flags.value |= 8  # RES_USEVC
    ctypes.c_int.from_address(state + 16).value = len(servers)
    for i, server in enumerate(servers):
        address = struct.pack("=HH", socket.AF_INET, socket.htons(53)) + socket.inet_aton(server) + bytes(8)
        ctypes.memmove(state + 20 + 16 * i, address, 16)
    found = 0
    for name in names:
        try:
            info = socket.getaddrinfo(name, int(port), getattr(socket, family), socket.SOCK_STREAM)
        except socket.gaierror:
            continue
        found += 1
        if int(port):
            s = socket.create_connection(info[0][4][:2])
            s.sendall(bytes(16))
            s.close()
    print(found)
    """)

SILENT = textwrap.dedent("""
    import socket, sys
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((sys.argv[1], 53))
    print("ready", flush=True)
    while True:
        s.recvfrom(4096)
    """)


class Dns:
    """A link with dnsmasq in the server's namespace, and one that never answers at a second address."""

    def __init__(self):
        self.link = Link()
        self.processes = []

    def __enter__(self):
        self.link.__enter__()
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        link = self.link
        self.server, self.silent = link.server_ip, link.server_ip[:-1] + "9"
        sh("ip", "-n", link.server, "addr", "add", self.silent + "/24", "dev", "veth0")
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                   "--pid-file=", "--bind-interfaces", "--listen-address=" + self.server, "--local=/test/",
                   f"--host-record=web.test,{self.server},{link.server_ip6},3600", "--cname=shop.test,web.test"]
        command += [f"--host-record=host{i}.test,192.0.2.{i}" for i in range(1, 51)]
        self.processes.append(subprocess.Popen(in_netns(link.server, *command), stderr=subprocess.PIPE))
        silent = subprocess.Popen(in_netns(link.server, sys.executable, "-c", SILENT, self.silent),
                                  stdout=subprocess.PIPE)
        self.processes.append(silent)
        silent.stdout.readline()
        wait_for(lambda: self.resolve("web.test") == 1, 10, "dnsmasq answers")

    def __exit__(self, *_):
        for process in self.processes:
            harness.stop(process)
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self.link.__exit__()

    def resolve(self, *names, servers=None, options="", family="AF_INET", port=0):
        """How many of the names the C library's resolver finds."""
        command = [sys.executable, "-c", RESOLVER, ",".join(servers or [self.server]), options, family, port, *names]
        return int(subprocess.run(in_netns(self.link.client, *command), check=True, capture_output=True).stdout)

    def ask(self, how, name, *servers):
        return int(subprocess.run(in_netns(self.link.client, sys.executable, "-c", ASKER, how, name, *servers),
                                  check=True, capture_output=True, text=True).stdout)


class DnsFlow(unittest.TestCase):
    def rows(self, weir, dns, server=None, **tags):
        """dnsflow at both ends of what the client asked a server: (client's, server's), each {rcode: count}."""
        server = server or dns.server
        out = []
        for source, destination, direction in ((dns.link.client_ip, server, "outgoing"),
                                               (server, dns.link.client_ip, "incoming")):
            counts = {}
            for point in weir.points("dnsflow", direction=direction, **tags):
                ends = {"src_ip": source, "dst_ip": destination}
                # a socket that is bound to no address shows none
                if any(point[k] not in (v, "0.0.0.0", "::") for k, v in ends.items()) or \
                        point["server_ip"] not in (server, "0.0.0.0", "::"):
                    continue
                if direction == "outgoing" and point["dst_ip"] != server or \
                        direction == "incoming" and point["dst_ip"] != dns.link.client_ip:
                    continue
                self.assertEqual(point["server_port"], "53")
                counts[point["rcode"]] = counts.get(point["rcode"], 0) + point["count"]
                if point["rcode"] == -1:
                    self.assertNotIn("latency", point.fields)
                else:
                    self.assertGreater(point["latency"], 0)
                    self.assertGreaterEqual(point["latency_max"], point["latency"])
                    self.assertLess(point["latency_max"], 2_000_000_000)
            out.append(counts)
        return tuple(out)

    def both(self, counts):
        return (counts, counts)

    NAMES = [f"host{i}.test" for i in range(1, 21)]
    UNKNOWN = [f"none{i}.test" for i in range(5)]

    def test_the_c_librarys_resolver(self):
        with Dns() as dns, Weir() as weir:
            self.assertEqual(dns.resolve(*self.NAMES, *self.UNKNOWN), 20)
            weir.wait_intervals(2)
            self.assertEqual(self.rows(weir, dns, transport="udp"), self.both({0: 20, 3: 5}))

    def test_two_questions_from_one_socket(self):
        with Dns() as dns, Weir() as weir:
            self.assertEqual(dns.resolve(*10 * ["web.test"], family="AF_UNSPEC"), 10)  # A and AAAA at once
            weir.wait_intervals(2)
            self.assertEqual(self.rows(weir, dns, transport="udp"), self.both({0: 20}))

    def test_the_c_librarys_resolver_over_tcp(self):
        with Dns() as dns, Weir() as weir:
            self.assertEqual(dns.resolve(*self.NAMES, *self.UNKNOWN, options="tcp"), 20)
            weir.wait_intervals(2)
            self.assertEqual(self.rows(weir, dns, transport="tcp"), self.both({0: 20, 3: 5}))
            self.assertNotIn("dns_unparsed", weir.api("status")["coverage"]["lost"])

    def test_a_socket_that_is_bound_to_nothing(self):
        with Dns() as dns, Weir() as weir:
            for i in range(1, 11):
                self.assertEqual(dns.ask("musl", f"host{i}.test", dns.server), 0)
            self.assertEqual(dns.ask("musl", "none.test", dns.server), 3)
            weir.wait_intervals(2)
            self.assertEqual(self.rows(weir, dns, transport="udp"), self.both({0: 10, 3: 1}))

    def test_several_servers_asked_at_once(self):
        with Dns() as dns, Weir(config='dns_timeout = "1s"') as weir:
            for i in range(1, 6):
                dns.ask("musl", f"host{i}.test", dns.silent, dns.server)
            weir.wait_intervals(4)
            self.assertEqual(self.rows(weir, dns), self.both({0: 5}))
            at_client, at_server = self.rows(weir, dns, dns.silent)
            self.assertEqual(at_client, {}, "who was not waited for did not time out")
            self.assertEqual(at_server, {-1: 5}, "the server never answered")

    def test_no_answer(self):
        with Dns() as dns, Weir(config='dns_timeout = "1s"') as weir:
            self.assertEqual(dns.resolve(*self.NAMES[:3], servers=[dns.silent, dns.server], options="fast"), 3)
            weir.wait_intervals(3)
            self.assertEqual(self.rows(weir, dns, dns.silent), self.both({-1: 3}))
            self.assertEqual(self.rows(weir, dns), self.both({0: 3}))

    def test_tcp_in_pieces(self):
        with Dns() as dns, Weir() as weir:
            for i in range(1, 11):
                self.assertEqual(dns.ask("tcp", f"host{i}.test", dns.server), 0)
            weir.wait_intervals(2)
            self.assertEqual(self.rows(weir, dns, transport="tcp"), self.both({0: 10}))


class Domains(unittest.TestCase):
    def listen(self, dns, address):
        code = ("import socket, sys\n"
                f"s = socket.create_server(('{address}', {Traffic.PORT}), "
                f"family=socket.{'AF_INET6' if ':' in address else 'AF_INET'})\n"
                "print('ready', flush=True)\nwhile True:\n  c, _ = s.accept()\n  c.recv(99)\n  c.close()\n")
        process = subprocess.Popen(in_netns(dns.link.server, sys.executable, "-c", code), stdout=subprocess.PIPE)
        dns.processes.append(process)
        process.stdout.readline()

    def test_the_name_that_was_asked_for(self):
        with Dns() as dns, Weir() as weir:
            self.listen(dns, dns.server)
            dns.resolve("web.test", port=Traffic.PORT)
            weir.wait_intervals(2)
            points = weir.points("netflow", dst_ip=dns.server, dst_port=Traffic.PORT)
            self.assertEqual({p.get("dst_domain") for p in points}, {"web.test"})
            self.assertEqual({p.get("server_domain") for p in points}, {"web.test"})
            dns.resolve("shop.test", port=Traffic.PORT)  # an alias of it
            weir.wait_intervals(2)
            points = weir.points("netflow", dst_ip=dns.server, dst_port=Traffic.PORT, dst_domain="shop.test")
            self.assertEqual(total(points, "tcp_established"), 1)
            served = weir.points("netflow", src_ip=dns.server, src_port=Traffic.PORT)
            self.assertEqual({p.get("dst_domain") for p in served}, {None}, "a client was not resolved")

    def test_ipv6(self):
        with Dns() as dns, Weir() as weir:
            self.listen(dns, dns.link.server_ip6)
            dns.resolve("web.test", family="AF_INET6", port=Traffic.PORT)
            weir.wait_intervals(2)
            points = weir.points("netflow", dst_ip=dns.link.server_ip6, dst_port=Traffic.PORT)
            self.assertEqual({p.get("dst_domain") for p in points}, {"web.test"})

    def test_a_name_is_known_in_its_own_namespace(self):
        with Dns() as dns, Weir() as weir:
            self.listen(dns, dns.server)
            dns.resolve("web.test")
            code = f"import socket\nsocket.create_connection(('{dns.server}', {Traffic.PORT})).close()\n"
            subprocess.run(in_netns(dns.link.server, sys.executable, "-c", code), check=True)
            weir.wait_intervals(2)
            points = weir.points("netflow", dst_ip=dns.server, dst_port=Traffic.PORT, direction="outgoing")
            self.assertEqual({p.get("dst_domain") for p in points}, {None})


if __name__ == "__main__":
    harness.require(shutil.which("dnsmasq"), "dnsmasq is not installed")
    harness.main()
