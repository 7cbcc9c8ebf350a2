"""What the end-to-end tests share: network namespaces, a running Weir, traffic, and what Weir said of it.

Everything a test starts is its own process and is stopped by its PID when the test ends. Weir runs with a
store and a port of its own, so tests do not see each other; but every Weir sees the whole host, so tests
select what is theirs by address, port or PID.
"""

import collections
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import lineproto

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", HERE.parent.parent / "build" / "release"))
PLUGIN = BUILD / "weir.so"
HOST = BUILD / "weir-host"
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SKIPPED = 77  # CTest's SKIP_RETURN_CODE


def wait_for(condition, seconds=10, what="condition"):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def stop(process, seconds=10):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{process.args} did not end on SIGTERM")


class Child:
    """What has a process that ends with its block, however that ends."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def sh(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Link:
    """Two network namespaces joined by a veth pair: 10.A.B.1 in the one, 10.A.B.2 in the other."""

    count = 0

    def __init__(self):
        Link.count += 1
        tag = f"{os.getpid()}-{Link.count}"
        self.client, self.server = f"wc-{tag}", f"ws-{tag}"
        net = f"10.{200 + os.getpid() % 50}.{Link.count}"
        self.client_ip, self.server_ip = net + ".1", net + ".2"
        six = f"fd00:{os.getpid() % 65536:x}:{Link.count}"
        self.client_ip6, self.server_ip6 = six + "::1", six + "::2"

    def __enter__(self):
        for name in (self.client, self.server):
            sh("ip", "netns", "add", name)
            ip(name, "link", "set", "lo", "up")
        ip(self.client, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", self.server)
        for name, four, six in ((self.client, self.client_ip, self.client_ip6),
                                (self.server, self.server_ip, self.server_ip6)):
            ip(name, "addr", "add", four + "/24", "dev", "veth0")
            ip(name, "addr", "add", six + "/64", "dev", "veth0", "nodad")
            ip(name, "link", "set", "veth0", "up")
        return self

    def __exit__(self, *_):
        for name in (self.client, self.server):
            sh("ip", "netns", "del", name)


def in_netns(name, *command):
    """The command that runs another in a namespace. Not by ip: it mounts a /sys of the namespace, too, and
    that fails in a chroot."""
    return [*(["nsenter", f"--net=/run/netns/{name}"] if name else []), *map(str, command)]


def ip(name, *arguments):
    """ip(8) in a namespace."""
    sh(*in_netns(name, "ip", *arguments))


@contextlib.contextmanager
def inside(namespace):
    """This thread in a network namespace: a socket stays in the one that it was made in."""
    def enter(file):
        if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    home = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    with open(home) as before, open(f"/run/netns/{namespace}") as target:
        enter(target)
        try:
            yield
        finally:
            enter(before)


def tcp_counters(name):
    """The kernel's own TCP counters of a namespace, by name."""
    with inside(name), open("/proc/thread-self/net/snmp") as file:
        names, values = [line.split()[1:] for line in file if line.startswith("Tcp:")]
    return dict(zip(names, map(int, values)))


def netns_inode(name):
    """What Weir reports as netns; of this process's own for None."""
    return str(os.stat(f"/run/netns/{name}" if name else "/proc/self/ns/net").st_ino)


class Weir:
    """weir-host with the plugin, as a user runs it."""

    def __init__(self, interval="1s", config="", directory=None, options=(), keep=False):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="weir-e2e-"))
        self.keep = keep or directory is not None
        self.points_file = self.directory / "points.lp"
        self.store = self.directory / "store"
        self.config = self.directory / "weir.toml"
        self.config.write_text(f'[[inputs.weir]]\ninterval = "{interval}"\nloopback = "keep"\n{config}\n'
                               f'[inputs.weir.store]\npath = "{self.store}"\n'
                               '[inputs.weir.http]\nlisten = "127.0.0.1:0"\n')
        self.options = list(options)
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            sys.stderr.write("---- weir said:\n" + self.log())
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        said_before = len(self.log())
        self.log_file = open(self.directory / "weir.log", "ab")
        self.process = subprocess.Popen(
            [HOST, "run", "--plugin", PLUGIN, "--config", self.config, "--emit", f"file:{self.points_file}",
             *self.options], stdout=self.log_file, stderr=self.log_file)

        def url():
            if self.process.poll() is not None:
                raise AssertionError("weir-host ended:\n" + self.log())
            found = re.findall(r"console on (http://\S+?)/?\s", self.log()[said_before:])
            return found and found[0]

        self.url = wait_for(url, 20, "the console's address")

    def stop(self):
        if self.process is not None:
            stop(self.process)
            self.log_file.close()

    def hold(self, seconds):
        """Stops the process for a while: nobody empties the ring."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log_file.close()

    def log(self):
        path = self.directory / "weir.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def points(self, name=None, **tags):
        """Points handed to the host so far, those whose tags and fields are as given."""
        text = self.points_file.read_text() if self.points_file.exists() else ""
        return [p for p in lineproto.parse(text)
                if (name is None or p.name == name) and all(p.get(k) == str(v) if k in p.tags else p.get(k) == v
                                                            for k, v in tags.items())]

    def api(self, path, **parameters):
        return json.loads(self.get("/api/v1/" + path, **parameters))

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(self.url + path + ("?" + query if query else ""), timeout=15) as answer:
            return answer.read().decode()

    def metric(self, name):
        found = re.search(rf"^{name} (\S+)$", self.get("/metrics"), re.MULTILINE)
        return float(found.group(1))

    def wait_intervals(self, n):
        """Waits until n more intervals are over."""
        target = self.metric("weir_intervals_total") + n
        wait_for(lambda: self.metric("weir_intervals_total") >= target, 60, f"{n} intervals")


def wait_until_closed(namespace, port):
    """Until the kernel has ended every connection with the port: a closed socket whose last segment was lost lives on for
    a while without its program."""
    command = in_netns(namespace, "ss", "-Htn", "state", "connected", "exclude", "time-wait",
                       f"sport = :{port} or dport = :{port}")
    wait_for(lambda: not subprocess.run(command, check=True, capture_output=True).stdout, 60, "the kernel ended them")


def total(points, field):
    return sum(p.fields.get(field, 0) for p in points)


class Traffic:
    """tcp_traffic.py as a server and a client, each in its namespace, driven command by command."""

    PORT = 7070

    def __init__(self, link=None, port=PORT, server_ip=None):
        self.link, self.port = link, port
        self.server_ip = server_ip or (link.server_ip if link else "127.0.0.1")

    def __enter__(self):
        script = HERE / "tcp_traffic.py"
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.server = subprocess.Popen(
            in_netns(self.link and self.link.server, sys.executable, script, "server", self.server_ip, self.port), **pipes)
        assert self.server.stdout.readline() == "ready\n"
        self.client = subprocess.Popen(
            in_netns(self.link and self.link.client, sys.executable, script, "client", self.server_ip, self.port), **pipes)
        assert self.client.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        for process in (self.client, self.server):
            process.stdin.close()
            process.wait(30)
            process.stdout.close()

    def do(self, command, *arguments):
        """open N | exchange UP DOWN | close: on all of the client's connections; returns when done."""
        self.client.stdin.write(" ".join([command, *map(str, arguments)]) + "\n")
        self.client.stdin.flush()
        answer = self.client.stdout.readline()
        assert answer == "ok\n", answer


def bpf_objects():
    """How many programs and maps of Weir's the kernel holds, whoever runs it."""
    def count(kind, names):
        listed = json.loads(subprocess.run(["bpftool", "-j", kind, "show"], check=True, capture_output=True).stdout)
        return sum(1 for item in listed if item.get("name", "").startswith(names))
    return count("prog", "weir_") + count("map", ("weir_bpf", "conns", "walk_records", "local_addresses"))


def wait_until_detached(before):
    """Nothing is held that was not before; the kernel frees what is closed a little later."""
    wait_for(lambda: bpf_objects() <= before, 10, "programs and maps are gone")


def counts(points):
    """How many requests of each method, path and status."""
    out = collections.Counter()
    for p in points:
        if p["count"]:
            out[p["method"], p["path"], p["status_code"]] += p["count"]
    return out


def is_sanitized():
    """Whether the build under test is one with sanitizers: it needs several times the time and memory."""
    cache = BUILD / "CMakeCache.txt"
    return cache.exists() and bool(re.search(r"^WEIR_SANITIZE:\w+=\S", cache.read_text(), re.MULTILINE))


def npm_packages(source):
    """A folder's copy in the build directory with the packages of its lock file: npm writes beside package.json. They are
    installed when the lock file is another one than last time."""
    work = BUILD / "tests" / source.name
    work.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.is_file():
            shutil.copy(file, work)
    stamp = work / "installed.lock"
    lock = (work / "package-lock.json").read_text()
    if not stamp.exists() or stamp.read_text() != lock:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=work, check=True)
        stamp.write_text(lock)
    return work


def require(condition, reason):
    """A visible skip of the whole file: what the kernel or the machine cannot."""
    if not condition:
        print("SKIPPED: " + reason)
        sys.exit(SKIPPED)


def main():
    require(os.geteuid() == 0, "needs root: network namespaces and BPF")
    unittest.main(verbosity=2)
