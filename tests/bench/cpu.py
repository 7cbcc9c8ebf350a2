"""Weir's own processor time under a steady load: nginx serves 10,000 requests/s, and both ends are followed.

  cpu.py [--seconds S] [--check]

The process' own time is counted, user and system; what its programs in the kernel add to the calls of others is
overhead.py's. The load must have been a load, and every request of it must have been counted: else the figure is of
something else. --check fails above the limit, which leaves a slow processor room: 0.2 % are usual.
"""

import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
from nginx import NginxServer  # noqa: E402

PORT = 8091
CLIENTS, A_SECOND = 50, 10_000
LIMIT = 2.0  # percent of one processor


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def counted(weir, link):
    """Requests by end."""
    ends = {"incoming": 0, "outgoing": 0}
    for point in weir.points("httpflow", server_ip=link.server_ip, server_port=PORT):
        ends[point["direction"]] += point.fields["count"]
    return ends


def run(options):
    requests = options.seconds * A_SECOND
    with harness.Link() as link, harness.Weir(interval="10s") as weir, \
            NginxServer(link, f"listen {link.server_ip}:{PORT};") as nginx:
        load = ["h2load", "--h1", "-c", CLIENTS, f"--rps={A_SECOND // CLIENTS}", "-n", requests,
                f"http://{link.server_ip}:{PORT}/hello"]
        weir.wait_intervals(1)  # what a start costs is none of it
        begin, clock = cpu_seconds(weir.process.pid), os.times().elapsed
        subprocess.run(harness.in_netns(link.client, *load), check=True, stdout=subprocess.DEVNULL)
        seconds = os.times().elapsed - clock
        weir.wait_intervals(1)  # the last one's work is of the load, too
        spent = cpu_seconds(weir.process.pid) - begin
        logged = nginx.truth()[("GET", "/hello", 200)]
        harness.wait_for(lambda: min(counted(weir, link).values()) >= logged, 30, "all requests in points")
        ends = counted(weir, link)
    percent = spent / seconds * 100
    print(f"{requests / seconds:,.0f} requests/s for {seconds:.0f} s, {logged:,} logged by the server, counted {ends}")
    print(f"Weir's process: {percent:.2f} % of a processor (limit {LIMIT} %)")
    sys.stdout.flush()
    if set(ends.values()) != {logged} or logged != requests:
        sys.exit("not every request was answered and counted once at each end")
    if options.check and percent > LIMIT:
        sys.exit("more than the limit")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--check", action="store_true")
    harness.require(os.geteuid() == 0, "needs root: network namespaces and BPF")
    run(parser.parse_args())


main()
