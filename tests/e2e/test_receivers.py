"""Real receivers take every line, over TCP and a unix socket, and get each point once, though they are away for a while."""

import http.server
import os
import pathlib
import tempfile
import threading
import time
import unittest

import harness
import receivers
from harness import Link, Traffic, Weir
from test_formats import HOSTILE_PATHS, Server, request

AWAY = int(os.environ.get("WEIR_AWAY_SECONDS", "12"))


class Talk:
    """Connections and requests, until it is left."""

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.ending = threading.Event()
        self.talker = threading.Thread(target=self.run)
        self.talker.start()
        return self

    def run(self):
        with Link() as link, Traffic(link) as traffic:
            while not self.ending.is_set():
                traffic.do("open", 5)
                traffic.do("exchange", 500, 700)
                for path in HOSTILE_PATHS:
                    request(self.server.server_port, path)
                traffic.do("close")
                self.ending.wait(0.2)

    def __exit__(self, *_):
        self.ending.set()
        self.talker.join()
        self.server.shutdown()
        self.server.server_close()


class Receivers(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.influx = self.enterContext(receivers.Influx(self.directory / "influx"))
        self.victoria = self.enterContext(receivers.VictoriaMetrics(self.directory / "victoria"))

    def run_weir(self, targets, during):
        """Points that the file got, in which is what the plugin handed over."""
        options = [word for target in targets for word in ("--emit", target)] + ["--spool", str(self.directory / "spool")]
        with Talk(), Weir(options=options) as weir:
            weir.wait_intervals(3)
            during()
            weir.wait_intervals(3)
            time.sleep(6)  # longer than the host's longest pause between two tries
            weir.stop()
            log = weir.log()
            points = weir.points()
        self.assertNotIn("lost", log)
        self.assertGreater(len({p.name for p in points}), 1)
        return points

    def check_influx(self, database, points):
        held, expected = self.influx.points(database), receivers.influx_points(points)
        flows = [p for p in points if p.name == "netflow"]
        self.assertEqual(len(receivers.influx_points(flows)), len(flows), "two points have the same tags and time")
        self.assertEqual(held.keys(), expected.keys())
        for key, fields in expected.items():
            self.assertEqual(held[key], fields)

    def check_victoria(self, points):
        expected, text = receivers.victoria_samples(points), receivers.text_series(points)
        count = sum(samples.total() for samples in expected.values())

        def held():
            return {series: samples for series, samples in self.victoria.samples().items() if series[0] not in text}

        harness.wait_for(lambda: sum(samples.total() for samples in held().values()) >= count, 20, "all samples are there")
        self.assertEqual(held().keys(), expected.keys())
        for series, samples in held().items():
            self.assertEqual(samples, expected[series], series)

    def test_every_line_is_taken(self):
        for database in ("tcp", "unix"):
            self.influx.make_database(database)
        with receivers.VmAgent(self.directory / "vmagent", self.victoria) as agent:
            points = self.run_weir([self.influx.target("tcp"), self.influx.unix_target("unix"), agent.target()], lambda: None)
            for database in ("tcp", "unix"):
                self.check_influx(database, points)
            self.check_victoria(points)
            self.assertNotIn("cannot parse", agent.log())
            self.assertNotIn("cannot unmarshal", agent.log())

    def test_one_that_is_away_misses_nothing_and_gets_nothing_twice(self):
        self.influx.make_database("weir")

        def away():
            self.victoria.stop()
            self.influx.stop()
            time.sleep(AWAY)
            self.victoria.start()
            self.influx.start()

        points = self.run_weir([self.influx.target("weir"), self.victoria.target()], away)
        self.check_influx("weir", points)
        self.check_victoria(points)


if __name__ == "__main__":
    receivers.require_all()
    harness.main()
