"""TCP as programs really use it: odd ways to begin, to end and to hand over a connection, byte- and
connection-exact for both ends.

One Weir watches all of the cases at once, each on a port of its own; what it said is compared when it has
ended. The cases run side by side, since some of them wait for the kernel's time-outs. They run twice: with
intervals that cut through them, and within one interval.
"""

import errno
import itertools
import os
import socket
import subprocess
import threading
import traceback
import unittest

import harness
from harness import Link, Weir, inside, total
from tcp_case import Case, exchange, finish
from tcp_cases import FORKING, NOWHERE, SIDE_BY_SIDE


def allow_fast_open(link):
    for namespace in (link.client, link.server):
        with inside(namespace), open("/proc/sys/net/ipv4/tcp_fastopen", "w") as file:
            file.write("519")  # both sides, without cookies


def kernel_counts(link):
    """The kernel's own sums over both namespaces."""
    both = [harness.tcp_counters(namespace) for namespace in (link.client, link.server)]
    return {name: sum(counters[name] for counters in both) for name in ("ActiveOpens", "PassiveOpens", "RetransSegs")}


class Cases:
    """The body of the tests; its subclasses say how long an interval is."""

    interval = None

    @classmethod
    def setUpClass(cls):
        cls.cases, cls.errors = {}, {}
        with Link() as link, Weir(interval=cls.interval) as weir:
            allow_fast_open(link)
            cls.run_cases(link)
            cls.kernel = kernel_counts(link)
            weir.stop()
            ours = {harness.netns_inode(name) for name in (link.client, link.server)}
            cls.points = [p for p in weir.points("netflow", transport="tcp") if p["netns"] in ours]

    @classmethod
    def run_cases(cls, link):
        def run(work, case):
            try:
                work(case)
            except BaseException:
                cls.errors[case.name] = traceback.format_exc()

        ports = itertools.count(7100)
        threads = []
        for work in FORKING + SIDE_BY_SIDE:
            case = cls.cases[work.__name__] = Case(work.__name__, next(ports), link)
            if work in FORKING:
                run(work, case)
            else:
                threads.append(threading.Thread(target=run, args=(work, case)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def check(self, name):
        if name in self.errors:
            self.fail(self.errors[name])
        case = self.cases[name]
        for tags, measures in case.expected:
            points = [p for p in self.points if all(p.get(k) == str(v) for k, v in tags.items())]
            self.assertEqual({m: total(points, m) for m in measures}, measures, tags)

    def test_no_flow_is_without_an_owner(self):
        self.assertEqual([p.tags for p in self.points if p["pid"] in ("0", "N/A")], [])

    def test_all_together_are_what_the_kernel_counted(self):
        outgoing = [p for p in self.points if p["direction"] == "outgoing"]
        incoming = [p for p in self.points if p["direction"] == "incoming"]
        unsent = sum(case.unsent for case in self.cases.values())  # none to the kernel
        self.assertEqual(total(outgoing, "tcp_established") + total(outgoing, "connect_failed") - unsent,
                         self.kernel["ActiveOpens"])
        self.assertEqual(total(incoming, "tcp_established"), self.kernel["PassiveOpens"])
        self.assertEqual(total(self.points, "retransmits"), self.kernel["RetransSegs"])

    def test_nothing_is_negative(self):
        for point in self.points:
            self.assertFalse({k: v for k, v in point.fields.items() if v < 0}, point.tags)


for work in FORKING + SIDE_BY_SIDE:
    setattr(Cases, "test_" + work.__name__, lambda self, name=work.__name__: self.check(name))


class AcrossIntervals(Cases, unittest.TestCase):
    interval = "1s"


class WithinOneInterval(Cases, unittest.TestCase):
    interval = "60s"


class BeforeTheStart(unittest.TestCase):
    def test_a_connect_that_is_under_way(self):
        with Link() as link:
            case = Case("under_way", 7199, link)
            case.nft("server", "input", "tcp dport PORT drop")
            client = case.new_socket("client")
            client.setblocking(False)
            assert client.connect_ex((link.server_ip, case.port)) == errno.EINPROGRESS
            with case.listener() as listener, Weir() as weir:
                case.nft_clear("server")
                server, _ = listener.accept()
                client.settimeout(20)
                exchange(client, server, 12, 34)
                finish(client, server)
                weir.stop()
                pid = dict(pid=os.getpid())
                case.expect("outgoing", pid, bytes_written=12, bytes_read=34, tcp_established=1, tcp_closed=1,
                            retransmits=None)
                case.expect("incoming", pid, bytes_written=34, bytes_read=12, tcp_established=1, tcp_closed=1,
                            retransmits=None)
                for tags, measures in case.expected:
                    points = [p for p in weir.points("netflow", **tags) if p["dst_ip"] in (link.client_ip, link.server_ip)]
                    self.assertEqual({m: total(points, m) for m in measures}, measures, tags)

    def test_no_route_where_a_command_has_just_ended(self):
        """A namespace is known by its name, not by a process that was in it by chance."""
        with Link() as link:
            case = Case("command_ended", 7198, link)
            command = subprocess.Popen(harness.in_netns(link.client, "sleep", "60"))
            self.addCleanup(harness.stop, command)
            there = f"net:[{harness.netns_inode(link.client)}]"
            harness.wait_for(lambda: os.readlink(f"/proc/{command.pid}/ns/net") == there, 5, "the command is there")
            with Weir() as weir, case.new_socket("client") as client:
                harness.stop(command)
                for _ in range(2):  # the second one tells that the first has failed
                    self.assertEqual(client.connect_ex((NOWHERE[socket.AF_INET], case.port)), errno.ENETUNREACH)
                weir.stop()
                points = weir.points("netflow", dst_port=case.port)
                self.assertEqual((total(points, "connect_failed"), total(points, "connect_unreachable")), (2, 2), points)


if __name__ == "__main__":
    harness.main()
