"""The example agent in Go, built with the race detector and collecting garbage all the time, against a plugin that
needs no kernel."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

AGENT = os.environ["AGENT"]


class Agent(unittest.TestCase):
    def setUp(self):
        directory = tempfile.mkdtemp(prefix="weir-go-")
        self.addCleanup(shutil.rmtree, directory)
        # A copy, because the mode of what the build leaves depends on the umask of who builds.
        self.plugin = os.path.join(directory, "plugin.so")
        shutil.copyfile(os.environ["FAKE_PLUGIN"], self.plugin)
        os.chmod(self.plugin, 0o644)
        self.config = os.path.join(directory, "config")
        shutil.copyfile(os.environ["FAKE_CONFIG"], self.config)

    def start(self, *options):
        return subprocess.Popen([AGENT, "-plugin", self.plugin, "-config", self.config, *options], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, "GOGC": "1", "GORACE": "halt_on_error=1"})

    def finish(self, agent, code=0):
        said, errors = agent.communicate(timeout=100)
        self.assertEqual(agent.returncode, code, errors)
        self.assertNotIn("DATA RACE", errors)
        return json.loads(said) if said else errors

    def test_lives(self):
        for options in ((), ("-protobuf",)):
            figures = self.finish(self.start("-for", "500ms", "-lives", "8", "-refuse-each", "3", "-check-leaks", *options))
            self.assertGreater(figures["points"], 0)
            self.assertGreater(figures["refused"], 0)
            self.assertEqual(figures["broken"], 0)

    def test_last_error_reaches_the_feeder(self):
        with open(self.config, "a") as config:
            config.write('status = "disk full"\n')
        figures = self.finish(self.start("-for", "200ms"))
        self.assertEqual((figures["errors"], figures["last_error"]), (1, "disk full"))

    def test_terminated_by_a_signal(self):
        agent = self.start("-for", "1h", "-check-leaks")
        time.sleep(1)
        agent.send_signal(signal.SIGTERM)
        self.assertGreater(self.finish(agent)["points"], 0)

    def test_terminated_during_a_slow_start(self):
        with open(self.config, "a") as config:
            config.write("start_ms = 60000\n")
        agent = self.start("-for", "1h", "-check-leaks")
        time.sleep(0.5)
        before = time.monotonic()
        agent.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(agent)["points"], 0)
        self.assertLess(time.monotonic() - before, 5)

    def test_failures_are_told(self):
        with open(self.config, "a") as config:
            config.write("colour = 1\n")
        self.assertIn("colour: unknown key", self.finish(self.start(), 1))
        with open(self.config, "w") as config:
            config.write('start_error = "the port is taken"\n')
        self.assertIn("the port is taken", self.finish(self.start(), 1))
        os.chmod(self.plugin, 0o666)
        self.assertIn("may be written by its group or others", self.finish(self.start(), 1))
        os.unlink(self.plugin)
        self.assertIn("no such file", self.finish(self.start(), 1))


if __name__ == "__main__":
    if not os.path.exists(AGENT):
        print("SKIPPED: the example agent is not built: no go (package golang-go)")
        sys.exit(77)
    unittest.main(verbosity=2)
