"""A host that does not take points for a while loses none and gets none twice; not when it is killed meanwhile, either."""

import collections
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import harness
import lineproto
from harness import HERE, PLUGIN, Link, Traffic


class Host:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.points_file = self.directory / "points.lp"
        self.config = self.directory / "weir.toml"
        self.port = harness.free_port()
        self.config.write_text('[[inputs.weir]]\ninterval = "1s"\nloopback = "keep"\n'
                               f'[inputs.weir.store]\npath = "{directory}/store"\n[inputs.weir.http]\nlisten = "127.0.0.1:{self.port}"\n')

    def start(self):
        self.log_file = open(self.directory / "log", "ab")
        self.process = subprocess.Popen([sys.executable, HERE / "spool_host.py", PLUGIN, self.config, self.points_file],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log_file, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", line + self.log()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stop(self):
        answer = self.say("stop")
        self.process.wait(20)
        self.close()
        return answer

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self):
        for file in (self.process.stdin, self.process.stdout, self.log_file):
            file.close()

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def points(self):
        return lineproto.parse(self.points_file.read_text()) if self.points_file.exists() else []


class Spool(unittest.TestCase):
    def setUp(self):
        self.host = Host(self.enterContext(tempfile.TemporaryDirectory()))
        self.link = self.enterContext(Link())
        self.traffic = self.enterContext(Traffic(self.link))
        self.opened = 0

    def talk(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.traffic.do("open", 10)
            self.traffic.do("exchange", 300, 400)
            self.traffic.do("close")
            self.opened += 10
            time.sleep(0.2)

    def check(self):
        mine = [p for p in self.host.points() if p.name == "netflow" and p.get("server_ip") == self.link.server_ip and p["conn_side"] == "client"]
        self.assertEqual(harness.total(mine, "tcp_established"), self.opened)
        self.assertEqual(harness.total(mine, "bytes_written"), 300 * self.opened)
        self.assertEqual(harness.total(mine, "bytes_read"), 400 * self.opened)
        points = self.host.points()
        seen = collections.Counter((p.name, p.time, tuple(p.tags.items()), p.get("path"), p.get("status_code"), p.get("method")) for p in points)
        self.assertEqual([key for key, n in seen.items() if n > 1], [])
        times = [p.time for p in points]
        self.assertEqual(times, sorted(times), "not in the order in which they were made")

    def test_busy_closed_and_back(self):
        self.host.start()
        for command in ("take", "busy", "take", "closed", "take"):
            self.assertEqual(self.host.say(command), "ok")
            self.talk(3)
        self.assertEqual(self.host.stop(), "stop answers 0")
        self.check()
        self.assertIn("the host has not taken points", self.host.log())
        self.assertIn("the host takes points again", self.host.log())

    def test_stopped_and_started_again(self):
        self.host.start()
        self.talk(3)
        self.assertEqual(self.host.stop(), "stop answers 0")
        self.assertEqual(self.host.points(), [])
        self.host.start()
        self.assertEqual(self.host.say("take"), "ok")
        self.talk(2)
        self.assertEqual(self.host.stop(), "stop answers 0")
        self.check()

    def test_killed_while_it_waits(self):
        self.host.start()
        self.talk(3)
        time.sleep(2.5)  # the last interval is over and spooled
        self.host.kill()
        self.host.start()
        self.assertEqual(self.host.say("take"), "ok")
        self.assertEqual(self.host.stop(), "stop answers 0")
        self.check()

    def test_a_host_that_hangs_keeps_nothing_up(self):
        self.host.start()
        self.assertEqual(self.host.say("hang"), "ok")
        self.talk(5)
        health = urllib.request.urlopen(f"http://127.0.0.1:{self.host.port}/healthz", timeout=5)
        self.assertEqual(health.status, 200)
        self.assertIn("status -8: the host has not come back from emit_points", self.host.log())
        self.assertEqual(self.host.say("take"), "ok")
        self.talk(1)
        self.assertEqual(self.host.stop(), "stop answers 0")
        self.check()

    def test_drain_hands_over_what_waits(self):
        self.host.start()
        self.talk(3)
        time.sleep(1.5)
        code, batches, points = map(int, self.host.say("drain 300").split())
        self.assertEqual(code, -8)
        self.assertGreater(batches, 0)
        self.assertGreater(points, 0)
        self.assertEqual(self.host.say("take"), "ok")
        self.assertEqual(self.host.say("drain 10000").split()[0], "0")
        self.assertGreater(len(self.host.points()), 0)
        self.assertEqual(self.host.stop(), "stop answers 0")
        self.check()

    def test_keys_change_without_a_restart(self):
        self.host.start()
        self.assertEqual(self.host.say("take"), "ok")
        self.assertIn('"tags"', self.host.say("keys"))
        self.talk(2.5)
        self.assertEqual(self.host.say('change [[inputs.weir]]\\ninterval = "2s"\\ntags = {zone = "b"}'), "0")
        self.talk(5)
        self.assertRegex(self.host.say('change [[inputs.weir]]\\nservice = "other"'), "^-5 .*service")
        self.assertRegex(self.host.say('change [[inputs.weir]]\\nintervall = "2s"'), "^-3 line 2: intervall")
        self.assertEqual(self.host.stop(), "stop answers 0")
        self.check()
        zones = [p.get("zone") for p in self.host.points()]
        self.assertEqual((zones[0], zones[-1]), (None, "b"))


if __name__ == "__main__":
    harness.main()
