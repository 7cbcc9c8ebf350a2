"""Programs that speak HTTPS with a TLS library of their own choice, and the check that Weir ties what it sees in the library
to the sockets: every request names the client's port that it is sent from.

A peer says "ready" when it listens, or is connected, and after each round. A round is a line on the client's standard
input, METHOD END: one request METHOD /PORT/END on each of its connections, all before the first answer is read. A path that
ends in /gone is answered 404, any other 200. The client ends with its input.
"""

import collections
import subprocess
import sys
import unittest

import harness
from harness import HERE, Link, Weir, counts, in_netns
from test_http_tls import Certificate

PORT = 8443
PORTS = range(20001, 20005)  # of the client
ROUNDS = (("GET", "hello", 200), ("GET", "hello", 200), ("PUT", "gone", 404), ("GET", "hello", 200))

PYTHON = (sys.executable, HERE / "asyncio_peer.py")


def node(program, *options, http=1):
    return program, *options, HERE / "node_peer.js", http


def openssl(libssl, libcrypto, io, calls):
    return sys.executable, HERE / "openssl_peer.py", libssl, libcrypto, io, calls


class Peer:
    def __init__(self, namespace, *command):
        self.command = in_netns(namespace, *command)

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = str(self.process.pid)
        self.wait()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        harness.stop(self.process)
        self.process.stdout.close()

    def wait(self):
        assert self.process.stdout.readline() == "ready\n", "the peer failed"

    def round(self, method, end):
        self.process.stdin.write(f"{method} {end}\n")
        self.process.stdin.flush()
        self.wait()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


class TiedCase(unittest.TestCase):
    def setUp(self):
        self.certificate = self.enterContext(Certificate())

    def server(self, command):
        return Peer(self.link.server, *command, "server", self.link.server_ip, PORT, self.certificate.cert, self.certificate.key)

    def client(self, command, ports=PORTS):
        return Peer(self.link.client, *command, "client", self.link.server_ip, PORT, *ports)

    def weir(self):
        return Weir(config="ephemeral_port = 0")

    def follow(self, weir, libraries, client=None):
        """Waits until they are; the client asks meanwhile."""
        def are_followed():
            if client:
                client.round("GET", "hello")
            return all(f"/{library}\n" in weir.log() for library in libraries)

        harness.wait_for(are_followed, 10, f"{libraries} are followed")

    def check_both_orders(self, server, client, *libraries):
        """`libraries` are what Weir says that it follows."""
        self.check_after(server, client, *libraries)
        self.check_before(server, client, *libraries)

    def check_after(self, server, client, *libraries):
        with self.subTest("after Weir"), Link() as self.link, self.weir() as weir, self.server(server) as served:
            # of a program that any process on this host has run before, only its traffic tells
            with self.client(client, range(PORTS.stop, PORTS.stop + 2)) as first:
                self.follow(weir, libraries, first)
            with self.client(client) as asking:
                self.check(weir, served, asking)

    def check_before(self, server, client, *libraries):
        """Weir comes in the middle of their connections."""
        with self.subTest("before Weir"), Link() as self.link, self.server(server) as served, self.client(client) as asking:
            asking.round("GET", "hello")
            with self.weir() as weir:
                self.follow(weir, libraries)
                self.check(weir, served, asking)

    def check(self, weir, server, client, ports=PORTS):
        """One round of each: what the ends said of them, and of which connection. Their points, by end."""
        for method, end, _ in ROUNDS:
            client.round(method, end)
        client.end()
        weir.wait_intervals(2)
        records = weir.api("flows", layer="l7", slow=1, q=f"server_ip:{self.link.server_ip}", limit=1000)["data"]
        self.assertEqual({r["conn_side"] for r in records}, {"client", "server"})
        self.check_evidence([r for r in records if int(r["client_port"]) in ports and r["http_version"] != "2"])
        weir.stop()
        ends = {}
        ip = self.link.client_ip, self.link.server_ip
        for end, pid, addresses in (("client", client.pid, ip), ("server", server.pid, ip[::-1])):
            ends[end] = points = weir.points("httpflow", pid=pid)
            self.assertEqual({(p["src_ip"], p["dst_ip"], p["conn_side"], p["server_port"]) for p in points},
                             {(*addresses, end, str(PORT))})
            for port in ports:
                mine = [p for p in points if p["client_port"] == str(port)]
                truth = collections.Counter((method, f"/{port}/{end}", status) for method, end, status in ROUNDS)
                self.assertEqual(counts(mine), truth, f"{end}, port {port}")
        return ends

    def check_evidence(self, records):
        """The slowest requests, of which only so many are kept, carry what their own socket said. (HTTP/2's are made in user
        space.)"""
        for r in records:
            self.assertTrue(r["path"].startswith(f"/{r['client_port']}/"), r)
            self.assertGreater(r["rtt"] or 0, 0, r)
