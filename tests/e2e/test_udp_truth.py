"""Every byte of UDP, at both ends, over each way to send and receive."""

import pathlib
import subprocess
import sys
import unittest

import harness
from harness import Link, Weir, total

TRAFFIC = pathlib.Path(__file__).with_name("udp_traffic.py")
PORT = 5353
COUNT = 200
SENT = sum(range(COUNT))
MODES = ("send", "write", "sendto", "sendmsg", "peek", "mmsg", "connected-mmsg")


class Program(harness.Child):
    """udp_traffic.py in a namespace, started and ready."""

    def __init__(self, namespace, *arguments):
        self.process = subprocess.Popen(harness.in_netns(namespace, sys.executable, TRAFFIC, *arguments),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def run(self):
        _, _ = self.process.communicate("go\n", timeout=30)
        assert self.process.returncode == 0, self.process.args
        return self

    @property
    def pid(self):
        return str(self.process.pid)


class UdpTruth(unittest.TestCase):
    def check_end(self, weir, pid, direction, written, read, **tags):
        points = weir.points("netflow", transport="udp", direction=direction, pid=pid, **tags)
        seen = {name: total(points, name) for name in ("bytes_written", "bytes_read", "tcp_established")}
        self.assertEqual(seen, dict(bytes_written=written, bytes_read=read, tcp_established=0), (direction, tags))
        self.assertEqual({p["process_name"] for p in points}, {"python3"})
        return points

    def exchange(self, modes, six=False):
        with Link() as link, Weir() as weir:
            ip, peer = (link.server_ip6, link.client_ip6) if six else (link.server_ip, link.client_ip)
            with Program(link.server, "server", ip, PORT) as server:
                clients = []
                for mode in modes:
                    with Program(link.client, "client", mode, ip, PORT, COUNT) as client:
                        clients.append(client.run().pid)
                weir.stop()
                for mode, pid in zip(modes, clients):
                    with self.subTest(mode):
                        points = self.check_end(weir, pid, "outgoing", SENT, 2 * SENT, dst_ip=ip, dst_port=PORT)
                        self.assertEqual({p["family"] for p in points}, {"IPv6" if six else "IPv4"})
                n = len(modes)
                self.check_end(weir, server.pid, "incoming", 2 * n * SENT, n * SENT, src_ip=ip, src_port=PORT,
                               dst_ip=peer)

    def test_ipv4(self):
        self.exchange(MODES)

    def test_ipv6(self):
        self.exchange(MODES, six=True)

    def test_an_ipv4_peer_of_an_ipv6_socket_counts_as_ipv4(self):
        with Link() as link, Weir() as weir, Program(link.server, "server", "::", PORT) as server:
            with Program(link.client, "client", "sendto", link.server_ip, PORT, COUNT) as client:
                client.run()
            weir.stop()
            points = self.check_end(weir, server.pid, "incoming", 2 * SENT, SENT, dst_ip=link.client_ip)
            self.assertEqual({p["family"] for p in points}, {"IPv4"})

    def test_one_call_that_the_kernel_cuts_up(self):
        with Link() as link, Weir() as weir, Program(link.server, "server", link.server_ip, PORT) as server:
            with Program(link.client, "segments", link.server_ip, PORT, 500, 20) as client:
                client.run()
            weir.stop()
            self.check_end(weir, client.pid, "outgoing", 10_000, 20_000)
            self.check_end(weir, server.pid, "incoming", 20_000, 10_000)

    def test_sockets_bound_to_no_address_have_the_one_they_send_from(self):
        script = ("import socket\ns = socket.socket(socket.AF_INET%s, socket.SOCK_DGRAM)\n"
                  "s.sendto(b'12345', ('%s', %d)); assert len(s.recvfrom(100)[0]) == 10\n")
        with Link() as link, Weir() as weir, Program(link.server, "server", "::", PORT):
            for six, ip, source in (("", link.server_ip, link.client_ip), ("6", link.server_ip6, link.client_ip6)):
                subprocess.run(harness.in_netns(link.client, sys.executable, "-c", script % (six, ip, PORT)), check=True,
                               timeout=30)
            weir.wait_intervals(2)
            for ip, source in ((link.server_ip, link.client_ip), (link.server_ip6, link.client_ip6)):
                sent = weir.points("netflow", transport="udp", direction="outgoing", dst_ip=ip, dst_port=PORT)
                self.assertEqual({p["src_ip"] for p in sent}, {source}, "though the program has ended")
                self.assertEqual(total(sent, "bytes_written"), 5)
                got = weir.points("netflow", transport="udp", direction="incoming", dst_ip=source, src_port=PORT)
                self.assertEqual({p["src_ip"] for p in got}, {ip})
            summary = weir.api("summary", view="ip", q=f"server_port:{PORT} transport:udp")
            self.assertEqual(summary["totals"]["bytes_written"], 10, f"each pair once: {summary}")

    def test_sockets_that_were_there_before(self):
        with Link() as link, Program(link.server, "server", link.server_ip, PORT) as server, \
                Program(link.client, "client", "send", link.server_ip, PORT, COUNT) as client, Weir() as weir:
            client.run()
            weir.stop()
            self.check_end(weir, client.pid, "outgoing", SENT, 2 * SENT)
            self.check_end(weir, server.pid, "incoming", 2 * SENT, SENT)

    def test_over_the_bound_totals_stay_exact(self):
        clients = 150
        with Link() as link, Weir(config="limits = {flows = 64}") as weir, \
                Program(link.server, "server", link.server_ip, PORT):
            script = ("import socket\nfor i in range(%d):\n  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                      "  s.connect(('%s', %d)); s.send(b'12345'); assert len(s.recv(100)) == 10\n")
            subprocess.run(harness.in_netns(link.client, sys.executable, "-c",
                                            script % (clients, link.server_ip, PORT)), check=True, timeout=30)
            weir.stop()
            folded = weir.points("netflow", transport="udp", process_name="~other")
            for direction in ("outgoing", "incoming"):
                own = [p for p in weir.points("netflow", transport="udp", direction=direction)
                       if p["process_name"] == "~other" or link.client_ip in (p["dst_ip"], p["src_ip"])]
                written, read = (5, 10) if direction == "outgoing" else (10, 5)
                # others on this host may have been folded, too
                self.assertGreaterEqual(total(own, "bytes_written"), clients * written, direction)
                self.assertGreaterEqual(total(own, "bytes_read"), clients * read, direction)
            self.assertTrue(folded)
            self.assertTrue({p["transport"] for p in folded} == {"udp"})


if __name__ == "__main__":
    harness.main()
