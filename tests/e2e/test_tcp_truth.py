"""Every byte and every connection, at both ends, against what the client knows that it did."""

import unittest

import harness
from harness import Link, Traffic, Weir, total

UP, DOWN = 1234, 5678


class TcpTruth(unittest.TestCase):
    """Both ends are in namespaces of their own, with addresses of their own, so their flows are known by
    address; the ends differ in direction."""

    def check(self, weir, link, connections, exchanges, established, closed):
        """Sums of the points of both ends, against the truth."""
        ends = dict(outgoing=dict(src_ip=link.client_ip, dst_ip=link.server_ip, dst_port=Traffic.PORT),
                    incoming=dict(src_ip=link.server_ip, dst_ip=link.client_ip, src_port=Traffic.PORT))
        up, down = connections * exchanges * UP, connections * exchanges * DOWN
        for direction, tags in ends.items():
            points = weir.points("netflow", direction=direction, **tags)
            written, read = (up, down) if direction == "outgoing" else (down, up)
            seen = {name: total(points, name) for name in
                    ("bytes_written", "bytes_read", "client_sent", "server_sent", "tcp_established", "tcp_closed")}
            self.assertEqual(seen, dict(bytes_written=written, bytes_read=read, client_sent=up, server_sent=down,
                                        tcp_established=established, tcp_closed=closed), direction)
            for point in points:
                self.assertEqual(point["transport"], "tcp")
                self.assertEqual(point["conn_side"], "client" if direction == "outgoing" else "server")
                self.assertEqual(point["client_ip"], link.client_ip)
                self.assertEqual(point["server_port"], str(Traffic.PORT))
                self.assertEqual(point["client_port"], "*", "the client's port is folded")
                self.assertEqual(point["process_name"], "python3")
                self.assertEqual(point["netns"], harness.netns_inode(
                    link.client if direction == "outgoing" else link.server))

    def pids(self, weir, link, traffic):
        for direction, process, ip in (("outgoing", traffic.client, link.client_ip),
                                       ("incoming", traffic.server, link.server_ip)):
            points = weir.points("netflow", direction=direction, src_ip=ip)
            self.assertEqual({p["pid"] for p in points}, {str(process.pid)}, direction)

    def within_one_interval(self, n):
        with Link() as link, Weir(interval="30s") as weir, Traffic(link) as traffic:
            traffic.do("open", n)
            traffic.do("exchange", UP, DOWN)
            traffic.do("close")
            weir.stop()
            self.check(weir, link, n, 1, n, n)
            self.assertLessEqual(len({p.time for p in weir.points("netflow", src_ip=link.client_ip)}), 2)

    def open_before_the_start(self, n):
        with Link() as link, Traffic(link) as traffic:
            traffic.do("open", n)
            traffic.do("exchange", 999, 777)  # the past, which is not reported
            with Weir() as weir:
                traffic.do("exchange", UP, DOWN)
                weir.wait_intervals(1)
                traffic.do("exchange", UP, DOWN)
                traffic.do("close")
                weir.stop()
                self.check(weir, link, n, 2, n, n)
                self.pids(weir, link, traffic)

    def across_three_intervals(self, n):
        with Link() as link, Weir() as weir, Traffic(link) as traffic:
            traffic.do("open", n)
            for _ in range(3):
                traffic.do("exchange", UP, DOWN)
                weir.wait_intervals(1)
            traffic.do("close")
            weir.stop()
            self.check(weir, link, n, 3, n, n)
            self.pids(weir, link, traffic)
            for ip in (link.client_ip, link.server_ip):
                times = {p.time for p in weir.points("netflow", src_ip=ip) if p["bytes_written"]}
                self.assertGreaterEqual(len(times), 3, "each interval has its share")

    def test_1_within_one_interval(self):
        self.within_one_interval(1)

    def test_100_within_one_interval(self):
        self.within_one_interval(100)

    def test_2000_within_one_interval(self):
        self.within_one_interval(2000)

    def test_1_open_before_the_start(self):
        self.open_before_the_start(1)

    def test_100_open_before_the_start(self):
        self.open_before_the_start(100)

    def test_2000_open_before_the_start(self):
        self.open_before_the_start(2000)

    def test_1_across_three_intervals(self):
        self.across_three_intervals(1)

    def test_100_across_three_intervals(self):
        self.across_three_intervals(100)

    def test_2000_across_three_intervals(self):
        self.across_three_intervals(2000)

    def test_still_open_at_the_end(self):
        with Link() as link, Weir() as weir, Traffic(link) as traffic:
            traffic.do("open", 10)
            traffic.do("exchange", UP, DOWN)
            weir.stop()
            self.check(weir, link, 10, 1, 10, 0)

    def test_megabytes(self):
        up, down = 30_000_000, 50_000_000
        with Link() as link, Weir() as weir, Traffic(link) as traffic:
            traffic.do("open", 3)
            traffic.do("exchange", up, down)
            traffic.do("close")
            weir.stop()
            points = weir.points("netflow", src_ip=link.client_ip)
            self.assertEqual(total(points, "bytes_written"), 3 * up)
            self.assertEqual(total(points, "bytes_read"), 3 * down)


class Ipv6(unittest.TestCase):
    def test_addresses_and_family(self):
        with Link() as link, Weir() as weir, Traffic(link, server_ip=link.server_ip6) as traffic:
            traffic.do("open", 5)
            traffic.do("exchange", UP, DOWN)
            traffic.do("close")
            weir.stop()
            points = weir.points("netflow", src_ip=link.client_ip6, dst_ip=link.server_ip6)
            self.assertEqual(total(points, "bytes_written"), 5 * UP)
            self.assertEqual({p["family"] for p in points}, {"IPv6"})
            self.assertEqual({p["src_ip_type"] for p in points}, {"private"})


class Failures(unittest.TestCase):
    def test_refused_connects_are_counted_and_are_no_connections(self):
        with Link() as link, Weir() as weir:
            script = ("import socket\nfor i in range(7):\n  s = socket.socket()\n"
                      f"  assert s.connect_ex(('{link.server_ip}', 9)) == 111\n")
            harness.subprocess.run(harness.in_netns(link.client, "python3", "-c", script), check=True)
            weir.stop()
            points = weir.points("netflow", src_ip=link.client_ip, dst_port=9)
            self.assertEqual(total(points, "connect_failed"), 7)
            self.assertEqual(total(points, "tcp_established"), 0)
            self.assertEqual(total(points, "tcp_closed"), 0)
            self.assertNotIn("rtt", points[0].fields)


if __name__ == "__main__":
    harness.main()
