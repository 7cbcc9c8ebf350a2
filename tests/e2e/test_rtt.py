"""Round trip times, their variation and retransmissions over a link whose delay and loss are known."""

import re
import statistics
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import Link, Traffic, Weir, total

RELAY = harness.HERE / "tun_relay.py"
PORT = Traffic.PORT


class SlowLink:
    """A Link whose two namespaces are joined a second time, over the relay."""

    def __init__(self, delay_ms, jitter_ms=0, loss=0):
        self.link, self.impairment = Link(), (delay_ms, jitter_ms, loss)
        net = self.link.client_ip.split(".")
        self.client_ip, self.server_ip = (f"172.31.{net[1]}.{end}" for end in (1, 2))

    def __enter__(self):
        link = self.link.__enter__()
        self.client, self.server = link.client, link.server
        self.relay = subprocess.Popen(
            [sys.executable, RELAY, link.client, self.client_ip, link.server, self.server_ip,
             *map(str, self.impairment)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.relay.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *what):
        self.relay.communicate(timeout=10)
        self.link.__exit__(*what)

    def ss(self):
        """(rtt, its variation) of the client's connections as ss shows them, in us."""
        said = subprocess.run(harness.in_netns(self.client, "ss", "-tin", "state", "established", "dst",
                                               self.server_ip), check=True, capture_output=True, text=True).stdout
        return [(1000 * float(a), 1000 * float(b)) for a, b in re.findall(r"\brtt:([\d.]+)/([\d.]+)", said)]

    def retransmitted(self):
        return sum(harness.tcp_counters(name)["RetransSegs"] for name in (self.client, self.server))


def weighted(points, field="rtt"):
    """Mean of the points' averages; each has as many samples as connections that were active."""
    return statistics.mean(p[field] for p in points if field in p.fields)


class Rtt(unittest.TestCase):
    def near(self, value, truth, share, what):
        self.assertLessEqual(abs(value - truth), share * truth, f"{what}: {value:.0f} for {truth:.0f}")

    def test_of_long_connections(self):
        with SlowLink(50) as link, Weir() as weir, Traffic(link) as traffic:
            shown = []
            traffic.do("open", 3)
            for _ in range(20):
                traffic.do("exchange", 100, 200)
                shown += link.ss()
            weir.wait_intervals(1)
            row = next(r.get("measures", r) for r in weir.api("summary", view="ip", **{"from": "-5m"})["data"]
                       if r["client"]["name"] == link.client_ip and r["server"]["name"] == link.server_ip)
            traffic.do("close")
            weir.stop()
            points = weir.points("netflow", direction="outgoing", dst_ip=link.server_ip, dst_port=PORT)
            truth = statistics.mean(rtt for rtt, _ in shown)
            print(f"set 100000, ss {truth:.0f}, points {weighted(points):.0f} us, API {row['rtt']}", flush=True)
            self.near(weighted(points), 100_000, 0.05, "points, of what is set")
            self.near(weighted(points), truth, 0.05, "points, of ss")
            for name in ("rtt", "rtt_p50", "rtt_p95", "rtt_max"):
                self.near(row[name], truth, 0.1 if name == "rtt_max" else 0.07, name)
            self.near(row["rtt"], 100_000, 0.05, "API")
            self.assertIsNotNone(row["rtt_var"])
            self.assertLessEqual(row["rtt_p50"], row["rtt_p95"])
            self.assertLessEqual(row["rtt_p95"], row["rtt_max"] * 1.02)
            for point in points:
                if "rtt" in point.fields:
                    self.assertLessEqual(point["rtt"], point["rtt_max"])

    def test_of_short_connections(self):
        """They begin and end between two looks at the sockets: the sample is taken at their end."""
        with SlowLink(40) as link, Weir(interval="60s") as weir, Traffic(link) as traffic:
            for _ in range(5):
                traffic.do("open", 2)
                traffic.do("exchange", 100, 200)
                traffic.do("close")
            time.sleep(0.5)  # the server's last acknowledgement is under way
            weir.stop()
            for direction in ("outgoing", "incoming"):
                points = weir.points("netflow", direction=direction, client_ip=link.client_ip, server_port=PORT)
                self.assertEqual(total(points, "tcp_closed"), 10)
                self.near(weighted(points), 80_000, 0.05, direction)

    def test_variation(self):
        with SlowLink(40, jitter_ms=15) as link, Weir() as weir, Traffic(link) as traffic:
            shown = []
            traffic.do("open", 5)
            for _ in range(20):
                traffic.do("exchange", 100, 200)
                shown += link.ss()
            weir.stop()
            points = weir.points("netflow", direction="outgoing", dst_ip=link.server_ip, dst_port=PORT)
            truth = statistics.mean(variation for _, variation in shown)
            seen = weighted(points, "rtt_var")
            print(f"variation: ss {truth:.0f}, points {seen:.0f} us", flush=True)
            self.assertGreater(seen, 1000)
            self.near(seen, truth, 0.5, "variation, of ss")

    def test_retransmissions_are_the_kernels_own(self):
        """SYNs, SYN-ACKs, data and FINs get lost, in both directions."""
        with SlowLink(3, loss=0.08) as link, Weir() as weir:
            with Traffic(link) as traffic:
                bulk = threading.Thread(target=lambda: (traffic.do("open", 6), traffic.do("exchange", 60_000, 60_000),
                                                        traffic.do("close")))
                bulk.start()
                bulk.join(60)
                self.assertFalse(bulk.is_alive())
            time.sleep(2.5)  # for the ends of the connections that are still under way
            truth = link.retransmitted()
            weir.stop()
            self.assertEqual(link.retransmitted(), truth, "it was quiet")
            points = [p for p in weir.points("netflow", transport="tcp", client_ip=link.client_ip)]
            print(f"retransmissions: kernel {truth}, points {total(points, 'retransmits')}", flush=True)
            self.assertGreater(truth, 10)
            self.assertEqual(total(points, "retransmits"), truth)
            self.assertEqual(total([p for p in points if p["direction"] == "outgoing"], "bytes_written"), 6 * 60_000)


if __name__ == "__main__":
    harness.main()
