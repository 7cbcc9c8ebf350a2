"""Every point of a run says the same as line protocol and as Protobuf, to parsers that are not Weir's."""

import collections
import http.server
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

import harness
import lineproto
import protobuf_points
from harness import BUILD, Link, Traffic, Weir

HOSTILE_PATHS = ["/plain", "/with,comma=and%20space", "/quote\"and\\backslash", "/%00%0a%ff", "/" + "x" * 300, "/d\u00e9j\u00e0"]


def plain(points):
    return [(p.name, p.tags, p.fields, p.time) for p in points]


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def request(port, path):
    """As raw bytes: what is no proper URL must go over the wire, too."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        while s.recv(4096):
            pass


class BothWays(unittest.TestCase):
    def test_a_run_encoded_both_ways_is_the_same(self):
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        run = subprocess.Popen([BUILD / "tests/e2e/both_ways", "6", directory / "points.lp", directory / "points.pb"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(run.stdout.readline(), "ready\n")
        with Link() as link, Traffic(link) as traffic:
            traffic.do("open", 50)
            for _ in range(5):
                traffic.do("exchange", 1000, 2000)
                for path in HOSTILE_PATHS:
                    request(server.server_port, path)
            traffic.do("close")
            self.assertEqual(run.wait(60), 0)
        run.stdout.close()
        server.shutdown()
        server.server_close()
        lines = plain(lineproto.parse((directory / "points.lp").read_text()))
        messages = plain(protobuf_points.parse((directory / "points.pb").read_bytes()))
        self.assertEqual(len(lines), len(messages))
        for line, message in zip(lines, messages):
            self.assertEqual(line, message)
        names = collections.Counter(name for name, *_ in lines)
        self.assertGreater(names["netflow"], 0)
        self.assertGreaterEqual(names["httpflow"], len(HOSTILE_PATHS))
        self.assertEqual({tags["a_b"] for _, tags, _, _ in lines}, {"x,y=z "})


class Product(unittest.TestCase):
    def test_a_host_that_wants_protobuf_gets_it(self):
        with Weir(options=["--format", "protobuf"]) as weir, Link() as link, Traffic(link) as traffic:
            traffic.do("open", 20)
            traffic.do("exchange", 1000, 500)
            traffic.do("close")
            weir.wait_intervals(2)
            weir.stop()
            points = protobuf_points.parse(weir.points_file.read_bytes())
        mine = [p for p in points if p.name == "netflow" and p.get("server_ip") == link.server_ip and p.get("conn_side") == "client"]
        self.assertEqual(harness.total(mine, "tcp_established"), 20)
        self.assertEqual(harness.total(mine, "bytes_written"), 20 * 1000)
        self.assertEqual(harness.total(mine, "bytes_read"), 20 * 500)


if __name__ == "__main__":
    harness.main()
