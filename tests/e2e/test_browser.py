"""The console in headless Chromium, on a running Weir: tests/browser does the driving."""

import os
import pathlib
import shutil
import subprocess
import unittest

import harness
from harness import HERE, Weir, npm_packages

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


class Console(unittest.TestCase):
    def test_in_a_browser(self):
        work = npm_packages(HERE.parent / "browser")
        with Weir(interval="1s") as weir:
            done = subprocess.run(["npm", "test"], cwd=work, timeout=500, capture_output=True, text=True,
                                  env={**os.environ, "WEIR_URL": weir.url, "CHROMIUM": CHROMIUM})
            self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-4000:])
            print(done.stdout[-2000:])


if __name__ == "__main__":
    harness.require(pathlib.Path(CHROMIUM).exists(), "needs Chromium")
    harness.main()
