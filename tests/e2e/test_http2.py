"""HTTP/2 and gRPC of real programs: nghttpd with nghttp, curl and h2load, nghttpx with an upgrade, grpcio."""

import collections
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness
from harness import Link, Weir, in_netns

PORT, PROXY_PORT, GRPC_PORT = 8082, 8083, 8084
PYTHON = "/usr/bin/python3"  # where Debian's packages put their modules
GRPC_PEER = pathlib.Path(__file__).resolve().parent / "grpc_peer.py"


def run(link, *command):
    return subprocess.run(in_netns(link.client, *command), check=True, capture_output=True, text=True, timeout=60).stdout


class Servers:
    """nghttpd, nghttpx before it, and a gRPC server."""

    def __init__(self, link):
        self.link = link

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weir-h2-")
        root = pathlib.Path(self.directory.name)
        (root / "a.txt").write_text("x" * 300)
        (root / "big").write_bytes(b"x" * 200_000)
        at = self.link.server_ip
        self.processes = [self.start("nghttpd", "--no-tls", "-a", at, "-d", root, PORT)]
        self.wait(PORT)
        self.processes += [
            self.start("nghttpx", "--conf=/dev/null", "--errorlog-file=/dev/null", "-f", f"{at},{PROXY_PORT};no-tls",
                       "-b", f"{at},{PORT};;proto=h2"),
            self.start(PYTHON, GRPC_PEER, "server", f"{at}:{GRPC_PORT}"),
        ]
        self.wait(PROXY_PORT)
        self.wait(GRPC_PORT)
        return self

    def start(self, *command):
        return subprocess.Popen(in_netns(self.link.server, *command), stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def wait(self, port):
        harness.wait_for(lambda: subprocess.run(
            in_netns(self.link.client, PYTHON, "-c", f"import socket; socket.create_connection(('{self.link.server_ip}', {port}))"),
            stderr=subprocess.DEVNULL).returncode == 0, 20, f"port {port}")

    def __exit__(self, *_):
        for process in self.processes:
            harness.stop(process)
        self.directory.cleanup()

    def url(self, path, port=PORT):
        return f"http://{self.link.server_ip}:{port}{path}"


class Http2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.link = cls.enterClassContext(Link())
        cls.servers = cls.enterClassContext(Servers(cls.link))

    def ends(self, weir, port):
        """What the client's end said of requests, and what the server's."""
        link = self.link
        for mine in (dict(src_ip=link.client_ip, dst_port=port), dict(src_ip=link.server_ip, src_port=port)):
            seen = collections.Counter()
            for p in weir.points("httpflow", **mine):
                self.assertGreaterEqual(p.get("latency") or 0, 0)
                if p["count"]:
                    seen[p["method"], p["path"], p["status_code"], p["http_version"], p.get("grpc_status")] += p["count"]
            yield seen

    def expect(self, weir, port, wanted):
        weir.wait_intervals(2)
        for seen in self.ends(weir, port):
            self.assertEqual(dict(seen), wanted)

    def test_nghttp_and_curl(self):
        with Weir() as weir:
            run(self.link, "nghttp", "-n", *(self.servers.url(p) for p in ("/a.txt?secret=1", "/missing/17", "/big")))
            for _ in range(3):
                run(self.link, "curl", "-s", "-o", "/dev/null", "--http2-prior-knowledge", self.servers.url("/a.txt"))
            run(self.link, "curl", "-s", "-o", "/dev/null", "--http2-prior-knowledge", "--data-binary", "x" * 50_000,
                self.servers.url("/big"))
            self.expect(weir, PORT, {("GET", "/a.txt", 200, "2", None): 4, ("GET", "/missing/17", 404, "2", None): 1,
                                     ("GET", "/big", 200, "2", None): 1, ("POST", "/big", 200, "2", None): 1})
            points = weir.points("httpflow", src_ip=self.link.server_ip, src_port=PORT)
            self.assertEqual({p["process_name"] for p in points}, {"nghttpd"})
            self.assertEqual({p["direction"] for p in points}, {"incoming"})
            sent = sum(p["bytes_written"] for p in points)
            self.assertGreater(sent, 2 * 200_000 + 4 * 300, "bytes are the socket's")

    def test_many_streams_at_once(self):
        """As many as h2load says, over connections with a hundred streams each."""
        with Weir() as weir:
            said = run(self.link, "h2load", "-n", "20000", "-c", "10", "-m", "100", self.servers.url("/a.txt"))
            self.assertIn("20000 2xx", said)
            self.expect(weir, PORT, {("GET", "/a.txt", 200, "2", None): 20000})
            lost = weir.api("status")["coverage"]["lost"]
            self.assertFalse({k: v for k, v in lost.items() if k.startswith(("http", "ring"))}, lost)

    @unittest.skipIf(harness.is_sanitized(), "at full speed a build with sanitizers loses most pieces of HTTP/2")
    def test_connections_from_before_the_start(self):
        load = subprocess.Popen(
            in_netns(self.link.client, "h2load", "-D", "8", "-c", "4", "-m", "4", self.servers.url("/a.txt")),
            stdout=subprocess.PIPE, text=True)
        with Weir() as weir:
            said = load.communicate(timeout=60)[0]
            weir.wait_intervals(2)
            total = int(re.search(r"status codes: (\d+) 2xx", said).group(1))
            for seen in self.ends(weir, PORT):
                count = sum(seen.values())
                self.assertGreater(count, total / 4)
                self.assertLessEqual(count, total)
                whole = seen["GET", "/a.txt", 200, "2", None]
                # at full speed on a busy machine the ring may be full at times, which is said
                lost = weir.api("status")["coverage"]["lost"].get("http2_lost", 0)
                self.assertGreater(whole, (0.5 if lost else 0.99) * count, seen)

    def test_an_upgraded_connection(self):
        with Weir() as weir:
            run(self.link, "nghttp", "-n", "-u", self.servers.url("/a.txt", PROXY_PORT), self.servers.url("/big", PROXY_PORT))
            self.expect(weir, PROXY_PORT, {("GET", "/a.txt", 200, "2", None): 1, ("GET", "/big", 200, "2", None): 1})

    def test_grpc(self):
        with Weir() as weir:
            run(self.link, PYTHON, GRPC_PEER, "client", f"{self.link.server_ip}:{GRPC_PORT}", 50)
            self.expect(weir, GRPC_PORT, {
                ("POST", "/test.Echo/Unary", 200, "2", 0): 50, ("POST", "/test.Echo/Fail", 200, "2", 5): 25,
                ("POST", "/test.Echo/Missing", 200, "2", 12): 1, ("POST", "/test.Echo/Stream", 200, "2", 0): 1})
            rows = weir.api("facets", layer="l7", fields="grpc_status", q=f"server_port:{GRPC_PORT}")["data"]["grpc_status"]
            self.assertLessEqual({"0", "5", "12"}, {str(row["value"]) for row in rows})


if __name__ == "__main__":
    harness.main()
