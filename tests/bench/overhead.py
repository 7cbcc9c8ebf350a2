"""What Weir costs a request: instructions, system-wide, of nginx under wrk, without Weir, with L4, with L4 and L7, and
with a rule that leaves wrk's own end out.

  overhead.py [--seconds S] [--rounds N] [--close] [--check]
  overhead.py --kernel DIR ...    the same in an emulated machine (tests/vm/boot.py), where each instruction counts

Wall time on a shared machine says little; instructions are steady to a few tenths of a percent. They are read
from the processor's counters, over all processors, so everything is in: the programs in the kernel, Weir's own
threads, caches that it cools. Modes take turns, and the median of the rounds is shown. Where the processor gives
no counters (most virtual machines), the emulated machine does: its clock counts instructions while its one
processor is busy.

--close makes wrk open a connection for each request. --check fails when L4 adds more than its limit.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402

PORT = 8090
SETTLING = 6  # seconds: what looking round at the start costs is not a cost of requests
L4_LIMIT = {False: 0.3, True: 3.0}  # percent; keep-alive, and a connection for each request
MODES = {"without": None, "L4": "l7net_enabled = []", "L4 + L7": "",
         "but wrk's": "netlog_blacklist = \"process_name == 'wrk'\""}
# On one processor a few instructions more or less decide who is woken when, and a change of hands costs more than what
# is measured here: so nobody is put off by who has just been woken.
STEADY = ["chrt", "--batch", "0"]


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


def measure(options):
    """Instructions for each request of one run of wrk."""
    close = ["-H", "Connection: close"] if options.close else []
    wrk = ["wrk", "-t1", "-c16", f"-d{options.seconds}s", *close, f"http://127.0.0.1:{PORT}/"]
    if options.clock_counts:
        wrk = [*STEADY, *wrk]
        started, idle = time.monotonic_ns(), idle_ns()
        out = subprocess.run(wrk, capture_output=True, text=True, check=True).stdout
        instructions = time.monotonic_ns() - started - (idle_ns() - idle)
    else:
        done = subprocess.run(["perf", "stat", "-a", "-x,", "-e", "instructions", *wrk], capture_output=True, text=True,
                              check=True)
        out = done.stdout
        instructions = int(re.search(r"^(\d+),.*instructions", done.stderr, re.MULTILINE).group(1))
    return instructions / int(re.search(r"(\d+) requests in", out).group(1))


def run(options):
    results = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as temporary:
        nginx = start_nginx(pathlib.Path(temporary), STEADY if options.clock_counts else [])
        try:
            measure(options)  # nothing is cold afterwards
            for _ in range(options.rounds):
                for mode, config in MODES.items():
                    if config is None:
                        results[mode].append(measure(options))
                        continue
                    with harness.Weir(interval="10s", config=config, options=["--for", "1h"]):
                        time.sleep(SETTLING)
                        results[mode].append(measure(options))
        finally:
            harness.stop(nginx)
    base = statistics.median(results["without"])
    print(f"{'':10} instructions a request    added")
    added = {}
    for mode, values in results.items():
        value = statistics.median(values)
        added[mode] = (value - base) / base * 100
        spread = (max(values) - min(values)) / value * 100
        print(f"{mode:10} {value:12,.0f} (+-{spread / 2:.2f} %)  {added[mode]:+6.2f} %")
    sys.stdout.flush()
    limit = L4_LIMIT[options.close]
    if options.check and added["L4"] > limit:
        sys.exit(f"L4 adds {added['L4']:.2f} %, more than {limit} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--close", action="store_true")
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
    run(options)


main()
