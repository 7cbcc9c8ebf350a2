"""What the kernel does not show: it runs no program for an event that interrupts this very program.

Here packets are handed to the other processor, as network cards do: their events then interrupt system calls, of which
some are in a program of ours. Such a begin or end is made up for from the socket, so that connections, bytes and requests
are counted exactly all the same.
"""

import collections
import concurrent.futures
import contextlib
import errno
import multiprocessing
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Link, Weir, inside, total
from tcp_case import Case

SECONDS = 4
HTTP_PORTS = (7301, 7302)
REFUSED, UNREACHABLE = 7303, 7304
REQUEST = b"GET /unseen HTTP/1.1\r\nHost: here\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@contextlib.contextmanager
def sysfs(namespace):
    """The namespace's own /sys/class/net; not by ip, which cannot mount it in a chroot."""
    with tempfile.TemporaryDirectory() as directory, inside(namespace):
        subprocess.run(["mount", "-t", "sysfs", "sysfs", directory], check=True)
        try:
            yield pathlib.Path(directory) / "class" / "net"
        finally:
            subprocess.run(["umount", directory], check=True)


def steer_packets(namespace):
    """Each flow's packets are handled by the processor that its hash says, whoever sends them. False where there is one
    processor, or the kernel cannot."""
    with sysfs(namespace) as devices:
        queues = list(devices.glob("*/queues/rx-*/rps_cpus"))
        for queue in queues:
            queue.write_text(f"{(1 << os.cpu_count()) - 1:x}")
    return bool(queues) and os.cpu_count() > 1


def exchange(port, end):
    """Connections of one request, one after the other, both ends in this process. How many."""
    made = 0
    with socket.create_server(("127.0.0.1", port)) as listener:
        while time.monotonic() < end:
            with socket.create_connection(("127.0.0.1", port)) as client:
                server, _ = listener.accept()
                with server:
                    client.sendall(REQUEST)
                    assert server.recv(len(REQUEST)) == REQUEST
                    server.sendall(RESPONSE)
                    assert client.recv(len(RESPONSE)) == RESPONSE
                    client.close()
            made += 1
    return made


def fail(address, why, end):
    made = 0
    while time.monotonic() < end:
        with socket.socket() as client:
            assert client.connect_ex(address) == why
        made += 1
    return made


def in_namespace(namespace, work, *arguments):
    with inside(namespace):
        return work(*arguments)


def in_processes(namespace, works):
    """What each of the works returns, all at once."""
    with concurrent.futures.ProcessPoolExecutor(len(works), multiprocessing.get_context("fork")) as pool:
        return [each.result() for each in [pool.submit(in_namespace, namespace, *work) for work in works]]


class Unseen(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        with Link() as link, Weir(interval="60s") as weir:
            harness.require(all([steer_packets(name) for name in (link.client, link.server)]),
                            "needs two processors and RPS: packets cannot be steered")
            with inside(link.server):
                pathlib.Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")
            Case("unseen", UNREACHABLE, link).nft("server", "input", "tcp dport PORT reject with icmpx type host-unreachable")
            end = time.monotonic() + SECONDS
            works = [(exchange, port, end) for port in HTTP_PORTS]
            works += [(fail, (link.server_ip, REFUSED), errno.ECONNREFUSED, end)]
            works += [(fail, (link.server_ip, UNREACHABLE), errno.EHOSTUNREACH, end)] * 2
            *cls.made, cls.refused, unreachable, more = in_processes(link.client, works)
            cls.unreachable = unreachable + more
            for port in HTTP_PORTS:
                harness.wait_until_closed(link.client, port)
            weir.stop()
            ours = str(harness.netns_inode(link.client))
            cls.points = [p for p in weir.points() if p["netns"] == ours]
        print(f"made {cls.made}, refused {cls.refused}, unreachable {cls.unreachable}", flush=True)

    def test_connections_and_bytes(self):
        for port, made in zip(HTTP_PORTS, self.made):
            up, down = made * len(REQUEST), made * len(RESPONSE)
            for tags, written, read in ((dict(direction="outgoing", dst_port=port), up, down),
                                        (dict(direction="incoming", src_port=port), down, up)):
                points = [p for p in self.points if p.name == "netflow" and all(p[k] == str(v) for k, v in tags.items())]
                expected = dict(tcp_established=made, tcp_closed=made, bytes_written=written, bytes_read=read)
                self.assertEqual({name: total(points, name) for name in expected}, expected, tags)

    def test_nothing_else_is_told(self):
        """Such as a connection in the wrong direction."""
        ports = {str(port) for port in (*HTTP_PORTS, REFUSED, UNREACHABLE)}
        others = [p.tags for p in self.points if p.name == "netflow"
                  and p["dst_port" if p["direction"] == "outgoing" else "src_port"] not in ports]
        self.assertEqual(others, [])

    def test_requests(self):
        for port, made in zip(HTTP_PORTS, self.made):
            told = collections.Counter()
            for p in self.points:
                if p.name == "httpflow" and p["server_port"] == str(port):
                    told[p["direction"], p["path"], p["status_code"]] += p["count"]
            self.assertEqual(dict(told), {("outgoing", "/unseen", 200): made, ("incoming", "/unseen", 200): made}, port)

    def test_failures(self):
        for port, made, why in ((REFUSED, self.refused, "connect_refused"),
                                (UNREACHABLE, self.unreachable, "connect_unreachable")):
            points = [p for p in self.points if p.name == "netflow" and p["dst_port"] == str(port)]
            self.assertEqual({name: total(points, name) for name in ("connect_failed", "tcp_established")},
                             dict(connect_failed=made, tcp_established=0), port)
            print(f"{why}: {total(points, why)} of {made}", flush=True)


if __name__ == "__main__":
    harness.main()
