"""weir-abi-check finds nothing to say against weir.so, with and without a configuration of ours."""
import subprocess
import tempfile
import unittest

import harness

KIT = harness.BUILD / "weir-abi-check"
CONFIG = """\
[[inputs.weir]]
interval = "1s"
loopback = "keep"
[inputs.weir.store]
path = "@DIR@/store"
[inputs.weir.http]
listen = "127.0.0.1:0"
"""


class Conformance(unittest.TestCase):
    def kit(self, *arguments):
        done = subprocess.run([KIT, *arguments, harness.PLUGIN], text=True, capture_output=True, timeout=500)
        print(done.stdout + done.stderr)
        return done

    def test_every_rule(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(CONFIG)
            config.flush()
            done = self.kit("--strict", "--config", config.name)
        self.assertEqual(done.returncode, 0)

    def test_what_the_sample_gives(self):
        """Nothing but the plugin: its sample, with paths and addresses out of the way."""
        done = self.kit("--strict", *[word for rule in ("sample", "states", "points", "instances", "busy")
                                      for word in ("--rule", rule)])
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    harness.main()
