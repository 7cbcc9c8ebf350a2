"""What Weir costs a request: instructions, system-wide, of nginx under wrk, without Weir, with L4, with L4 and L7, and
with a rule that leaves wrk's own end out.

  overhead.py [--seconds S] [--rounds N] [--close | --other BYTES] [--check]
  overhead.py --kernel DIR ...    the same in an emulated machine (tests/vm/boot.py), where each instruction counts

Wall time on a shared machine says little; instructions are steady to a few tenths of a percent. They are read
from the processor's counters, over all processors, so everything is in: the programs in the kernel, Weir's own
threads, caches that it cools. Modes take turns, and the median of the rounds is shown. Where the processor gives
no counters (most virtual machines), the emulated machine does: its clock counts instructions while its one
processor is busy.

--close makes wrk open a connection for each request. --other measures another protocol instead: BYTES there and as
many back, on each of a thousand connections in turn. --check fails when L4 adds more than its limit.
"""

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
from tcp_load import TcpLoad  # noqa: E402

PORT = 8090
SETTLING = 6  # seconds: what looking round at the start costs is not a cost of requests
L4_LIMIT = {False: 0.3, True: 3.0}  # percent; keep-alive, and a connection for each request
MODES = {"without": None, "L4": "l7net_enabled = []", "L4 + L7": ""}
BUT_WRKS = {"but wrk's": "netlog_blacklist = \"process_name == 'wrk'\""}
OTHER_CONNECTIONS = 1000


def counters_work():
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "stat", "-a", "-x,", "-e", "instructions", "true"], capture_output=True, text=True)
    return bool(re.match(r"\d+,", done.stderr.strip().splitlines()[-1])) if done.stderr.strip() else False


def start_nginx(directory, steady):
    config = directory / "nginx.conf"
    config.write_text(f"""
daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;
  uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
  server {{ listen 127.0.0.1:{PORT}; location / {{ return 200 "hello world\\n"; }} }}
}}""")
    process = subprocess.Popen([*steady, "nginx", "-c", config])
    harness.wait_for((directory / "pid").exists, 30, "nginx")
    return process


def idle_ns():
    """Time that the emulated machine had nothing to do: its clock goes on then, without instructions."""
    return int(float(pathlib.Path("/proc/uptime").read_text().split()[1]) * 1e9)


class Clock:
    """Instructions from the emulated machine's clock."""

    # On one processor a few instructions more or less decide who is woken when, and a change of hands costs more than
    # what is measured here: so nobody is put off by who has just been woken.
    steady = ["chrt", "--batch", "0"]

    def __enter__(self):
        self.started, self.idle = time.monotonic_ns(), idle_ns()

    def __exit__(self, *_):
        self.instructions = time.monotonic_ns() - self.started - (idle_ns() - self.idle)


class Counters:
    """Instructions from the counters of all processors."""

    steady = []

    def __enter__(self):
        self.perf = subprocess.Popen(["perf", "stat", "-a", "-x,", "-e", "instructions"], stderr=subprocess.PIPE,
                                     text=True)
        time.sleep(0.2)  # until it counts

    def __exit__(self, *_):
        self.perf.send_signal(signal.SIGINT)
        self.instructions = int(re.search(r"^(\d+),.*instructions", self.perf.communicate()[1], re.MULTILINE).group(1))


class Nginx:
    """nginx under wrk. measure() gives the instructions of a request."""

    unit, modes = "request", {**MODES, **BUT_WRKS}

    def __init__(self, options):
        close = ["-H", "Connection: close"] if options.close else []
        self.wrk = ["wrk", "-t1", "-c16", f"-d{options.seconds}s", *close, f"http://127.0.0.1:{PORT}/"]
        self.l4_limit = L4_LIMIT[options.close]
        self.counter = options.counter

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weir-bench-")
        self.process = start_nginx(pathlib.Path(self.directory.name), self.counter.steady)
        return self

    def __exit__(self, *_):
        harness.stop(self.process)
        self.directory.cleanup()

    def measure(self):
        with self.counter:
            out = subprocess.run([*self.counter.steady, *self.wrk], capture_output=True, text=True, check=True).stdout
        return self.counter.instructions / int(re.search(r"(\d+) requests in", out).group(1))


class Other:
    """A thousand connections of another protocol, bytes there and back. measure() gives the instructions of a round."""

    unit, modes, l4_limit = "round", MODES, L4_LIMIT[False]

    def __init__(self, options):
        self.bytes, self.seconds, self.counter = options.other, options.seconds, options.counter

    def __enter__(self):
        address = ("127.0.0.1", PORT, self.bytes, self.bytes)
        with contextlib.ExitStack() as stack:
            stack.enter_context(TcpLoad(None, "serve", *address, under=self.counter.steady))
            self.client = stack.enter_context(
                TcpLoad(None, "hold", *address, OTHER_CONNECTIONS, 1, under=self.counter.steady))
            self.stop = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stop.close()

    def measure(self):
        self.client.do("open")
        for _ in range(20):  # until each is known to be something else
            self.client.do("exchange")
        times, end = 0, time.monotonic() + self.seconds
        with self.counter:
            while time.monotonic() < end:
                self.client.do("exchange")
                times += 1
        self.client.do("close")
        return self.counter.instructions / (times * OTHER_CONNECTIONS)


def run(options):
    results = {}
    with (Other if options.other else Nginx)(options) as load:
        load.measure()  # nothing is cold afterwards
        for _ in range(options.rounds):
            for mode, config in load.modes.items():
                if config is None:
                    results.setdefault(mode, []).append(load.measure())
                    continue
                with harness.Weir(interval="10s", config=config, options=["--for", "1h"]):
                    time.sleep(SETTLING)
                    results.setdefault(mode, []).append(load.measure())
    base = statistics.median(results["without"])
    print(f"{'':10} instructions a {load.unit}    added")
    added = {}
    for mode, values in results.items():
        value = statistics.median(values)
        added[mode] = (value - base) / base * 100
        spread = (max(values) - min(values)) / value * 100
        print(f"{mode:10} {value:12,.0f} (+-{spread / 2:.2f} %)  {added[mode]:+6.2f} %")
    sys.stdout.flush()
    if options.check and added["L4"] > load.l4_limit:
        sys.exit(f"L4 adds {added['L4']:.2f} %, more than {load.l4_limit} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    load = parser.add_mutually_exclusive_group()
    load.add_argument("--close", action="store_true")
    load.add_argument("--other", type=int, metavar="BYTES", help="at most 65536")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--kernel", help="unpacked kernel package: measure in an emulated machine")
    parser.add_argument("--clock-counts", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kernel:
        again = [a for a in sys.argv[1:] if a not in ("--kernel", options.kernel)]
        environment = [f"WEIR_BUILD={harness.BUILD}"]
        sys.exit(subprocess.run([sys.executable, HERE.parent / "vm" / "boot.py", "--icount", options.kernel, "env",
                                 *environment, sys.executable, __file__, "--clock-counts", *again]).returncode)
    if not options.clock_counts:
        harness.require(counters_work(), "no hardware instruction counters here; use --kernel")
    options.counter = Clock() if options.clock_counts else Counters()
    run(options)


main()
