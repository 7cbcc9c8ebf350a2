"""The console in headless Chromium, on a running Weir: tests/browser does the driving."""

import os
import pathlib
import shutil
import subprocess
import unittest

import harness
from harness import BUILD, HERE, Weir

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


class Console(unittest.TestCase):
    def test_in_a_browser(self):
        # npm writes beside package.json, so it works on a copy
        work = BUILD / "tests" / "browser"
        work.mkdir(parents=True, exist_ok=True)
        for file in (HERE.parent / "browser").iterdir():
            if file.is_file():
                shutil.copy(file, work)
        stamp = work / "installed.lock"
        lock = (work / "package-lock.json").read_text()
        if not stamp.exists() or stamp.read_text() != lock:
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=work, check=True)
            stamp.write_text(lock)
        with Weir(interval="1s") as weir:
            done = subprocess.run(["npm", "test"], cwd=work, timeout=500, capture_output=True, text=True,
                                  env={**os.environ, "WEIR_URL": weir.url, "CHROMIUM": CHROMIUM})
            self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-4000:])
            print(done.stdout[-2000:])


if __name__ == "__main__":
    harness.require(pathlib.Path(CHROMIUM).exists(), "needs Chromium")
    harness.main()
