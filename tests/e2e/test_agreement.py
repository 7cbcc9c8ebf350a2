"""Summary, map, connections, series and flow records agree with each other and with the points the host got."""

import time
import unittest
import urllib.parse

import harness
from harness import Link, Traffic, Weir, total
from test_http import Nginx, curl

L4 = ("bytes_written", "bytes_read", "client_sent", "server_sent", "retransmits", "tcp_established", "tcp_closed")
L7 = ("count", "bytes_written", "bytes_read")


def measures(item):
    """A row's or edge's numbers, wherever the endpoint puts them."""
    return item.get("measures", item)


class Agreement(unittest.TestCase):
    """Traffic of both layers in both directions, between two namespaces and over loopback, then every view."""

    @classmethod
    def setUpClass(cls):
        cls.link = cls.enterClassContext(Link())
        cls.weir = cls.enterClassContext(Weir())
        with Nginx(cls.link) as nginx, Traffic(cls.link) as traffic, Traffic(port=7071) as loopback:
            for i in range(4):
                traffic.do("open", 5)
                traffic.do("exchange", 1000 + i, 2000)
                loopback.do("open", 2)
                loopback.do("exchange", 300, 40)
                curl(cls.link, nginx.url("/hello"), nginx.url("/gone"))
                cls.weir.wait_intervals(1)
            traffic.do("close")
            loopback.do("close")
        cls.weir.wait_intervals(2)
        # a range that is over: what is asked again and again gets the same answer
        last = max(p.time for p in cls.weir.points())
        cls.range = {"from": last // 1_000_000 - 14 * 60_000, "to": last // 1_000_000}
        cls.points = [p for p in cls.weir.points() if p.time <= last]
        # whoever talks to himself is counted once, from the client's side
        own = {p["src_ip"] for p in cls.points}
        cls.once = [p for p in cls.points if p["conn_side"] == "client" or p["dst_ip"] not in own]

    def of(self, name):
        return [p for p in self.once if p.name == name]

    def api(self, path, **parameters):
        return self.weir.api(path, **self.range, **parameters)

    def expect(self, layer):
        return {m: total(self.of("netflow" if layer == "l4" else "httpflow"), m) for m in (L4 if layer == "l4" else L7)}

    def sums(self, items, extra, layer):
        names = L4 if layer == "l4" else L7
        out = {m: sum(measures(i)[m] or 0 for i in items) for m in names}
        for item in extra:
            if item and (item.get("groups") or item.get("edges")):  # the explicit rest
                for m in names:
                    out[m] += measures(item)[m]
        return out

    def test_there_is_something_to_compare(self):
        self.assertGreater(self.expect("l4")["tcp_established"], 28)
        self.assertEqual(total([p for p in self.of("httpflow") if p["server_port"] == "8080"], "count"), 8)

    def test_summary(self):
        for view in ("host", "process", "ip"):
            for layer in ("l4", "l7"):
                answer = self.api("summary", view=view, layer=layer, limit=10000)
                expected = self.expect(layer)
                self.assertEqual({m: measures(answer["totals"])[m] for m in expected}, expected, (view, layer))
                self.assertEqual(self.sums(answer["data"], [answer.get("other")], layer), expected, (view, layer))

    def test_a_limit_leaves_the_rest_in_other(self):
        answer = self.api("summary", view="ip", limit=1)
        self.assertEqual(len(answer["data"]), 1)
        self.assertEqual(self.sums(answer["data"], [answer["other"]], "l4"), self.expect("l4"))

    def test_map(self):
        for view in ("host", "process", "ip"):
            for layer in ("l4", "l7"):
                answer = self.api("map", view=view, layer=layer)
                self.assertEqual(self.sums(answer["edges"], [answer.get("other")], layer), self.expect(layer))
                nodes = {n["id"] for n in answer["nodes"]}
                for edge in answer["edges"]:
                    self.assertIn(edge["source"], nodes)
                    self.assertIn(edge["target"], nodes)

    def test_connections(self):
        for by in ("ip_port", "ip"):
            answer = self.api("connections", by=by)
            self.assertEqual(self.sums(answer["data"], [answer.get("other")], "l4"), self.expect("l4"))

    def test_series(self):
        for layer, names in (("l4", ("bytes_written", "tcp_established")), ("l7", ("count",))):
            answer = self.api("series", layer=layer, metrics=",".join(names), step="60s")
            for name in names:
                points = answer["data"][name]["points"]
                self.assertEqual(sum(v or 0 for _, v in points), self.expect(layer)[name])

    def test_flow_records_are_the_points(self):
        for layer, name in (("l4", "netflow"), ("l7", "httpflow")):
            records, cursor, histogram = [], "", None
            while True:
                page = self.api("flows", layer=layer, limit=7, **({"cursor": cursor} if cursor else {}))
                records += page["data"]
                histogram = histogram or page["histogram"]
                cursor = page.get("next_cursor")
                if not cursor:
                    break
            points = [p for p in self.points if p.name == name]
            key = lambda r: sorted((k, str(v)) for k, v in r.items())
            seen = sorted(key({k: v for k, v in r.items() if v is not None}) for r in records)
            expected = sorted(key({**p.tags, **p.fields, "time": p.time // 1_000_000}) for p in points)
            self.assertEqual(len(seen), len(expected), layer)
            self.assertEqual(seen, expected)
            times = [r["time"] for r in records]
            self.assertEqual(times, sorted(times, reverse=True), "newest first")
            self.assertEqual(sum(b["count"] for b in histogram), len(points))

    def test_filters_select_the_same_everywhere(self):
        q = f"server_port:7070 process_name:python3 client_ip:{self.link.client_ip}"
        chosen = [p for p in self.of("netflow") if p["server_port"] == "7070" and p["client_ip"] == self.link.client_ip]
        expected = {m: total(chosen, m) for m in L4}
        self.assertEqual(expected["tcp_established"], 20)
        for path, items in (("summary", "data"), ("map", "edges"), ("connections", "data")):
            answer = self.api(path, q=q, view="ip") if path != "connections" else self.api(path, q=q)
            self.assertEqual(self.sums(answer[items], [answer.get("other")], "l4"), expected, path)

    def test_processes_are_named_at_both_ends(self):
        answer = self.api("map", view="process", layer="l7", q="server_port:8080")
        self.assertIn(("process:curl", "process:nginx"), {(e["source"], e["target"]) for e in answer["edges"]})

    def test_minutes_agree_with_detail(self):
        """A range that begins before the detail that is kept is answered from minutes, with the same sums."""
        detail = self.api("summary", view="ip")
        self.assertEqual(detail["resolution"], "detail")
        minutes = self.weir.api("summary", view="ip", **{"from": self.range["to"] - 3 * 3600_000, "to": self.range["to"]})
        self.assertEqual(minutes["resolution"], "minute")
        for m in L4:
            self.assertGreaterEqual(measures(minutes["totals"])[m], measures(detail["totals"])[m], m)

    def test_every_answer_says_what_was_missed(self):
        for path in ("summary", "map", "connections", "flows", "series", "facets"):
            extra = {"series": dict(metrics="bytes_read"), "facets": dict(fields="process_name")}.get(path, {})
            coverage = self.api(path, **extra)["coverage"]
            self.assertEqual(set(coverage), {"complete", "lost", "reconciled"}, path)
            self.assertIs(coverage["complete"], not any(coverage["lost"].values()))


if __name__ == "__main__":
    harness.main()
