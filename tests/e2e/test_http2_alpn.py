"""HTTP/2 in the clear and by ALPN, and gRPC: curl, nghttp, h2load, nginx, python3-grpcio, against the server's log."""

import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import harness
from harness import Link, Weir, in_netns
from test_http_tls import Certificate, Server, seen

CLEAR, TLS = 8081, 8443


class Nginx:
    """HTTP/2 on two ports; its log is the truth."""

    def __init__(self, link, certificate):
        self.link, self.certificate = link, certificate

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weir-nginx-")
        root = pathlib.Path(self.directory.name)
        self.log = root / "access.log"
        (root / "big").write_bytes(b"x" * 1_000_000)
        (root / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log; user root;
events {{ worker_connections 1024; }}
http {{
  log_format truth '$server_port $request_method $uri $status'; access_log {self.log} truth; keepalive_requests 10000000;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  server {{
    listen {self.link.server_ip}:{CLEAR} http2; listen {self.link.server_ip}:{TLS} ssl http2; root {root};
    ssl_certificate {self.certificate.cert}; ssl_certificate_key {self.certificate.key};
    location /hello {{ return 200 "hello\\n"; }}
    location /gone {{ return 404 "gone\\n"; }}
  }}
}}""")
        self.process = subprocess.Popen(in_netns(self.link.server, "nginx", "-c", root / "nginx.conf"))
        harness.wait_for(lambda: (root / "pid").exists() and (root / "pid").read_text().strip(), what="nginx")
        return self

    def __exit__(self, *_):
        harness.stop(self.process)
        self.directory.cleanup()

    def truth(self, port):
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return collections.Counter((m, p, int(s)) for at, m, p, s in lines if at == str(port))


class Http2(unittest.TestCase):
    def setUp(self):
        self.link = self.enterContext(Link())
        self.certificate = self.enterContext(Certificate())

    def run_client(self, *command):
        return subprocess.run(in_netns(self.link.client, *command), check=True, capture_output=True, text=True).stdout

    def url(self, port, path):
        return f"{'https' if port == TLS else 'http'}://{self.link.server_ip}:{port}{path}"

    def check(self, weir, nginx, port):
        truth = nginx.truth(port)
        self.assertTrue(truth)
        for points in (weir.points("httpflow", src_ip=self.link.server_ip, src_port=str(port)),
                       weir.points("httpflow", src_ip=self.link.client_ip, dst_port=str(port))):
            self.assertEqual(seen(points), truth)
            for p in points:
                self.assertEqual(p["http_version"], "2")
                if p["count"]:
                    self.assertGreater(p["latency"], 0)

    def test_methods_paths_and_status_equal_the_servers_log(self):
        with Nginx(self.link, self.certificate) as nginx, Weir() as weir:
            paths = [f"/hello/{i % 4}" for i in range(20)] + ["/gone", "/big?secret=x"]
            self.run_client("nghttp", "-n", *[self.url(CLEAR, path) for path in paths])
            self.run_client("nghttp", "-n", "-d", __file__, self.url(CLEAR, "/hello/form"))
            for path in paths:
                self.run_client("curl", "-sk", "--http2", "-o", "/dev/null", self.url(TLS, path), "-o", "/dev/null",
                                self.url(TLS, "/hello/again"))
            self.run_client("curl", "-sk", "--http2", "-d", "x" * 50000, "-o", "/dev/null", self.url(TLS, "/hello/form"))
            weir.stop()
            for port in (CLEAR, TLS):
                self.check(weir, nginx, port)

    def test_many_streams_at_once(self):
        with Nginx(self.link, self.certificate) as nginx, Weir() as weir:
            for port in (CLEAR, TLS):
                self.run_client("h2load", "-n", 2000, "-c", 4, "-m", 32, self.url(port, "/hello/load"))
            weir.stop()
            for port in (CLEAR, TLS):
                self.check(weir, nginx, port)

    def test_grpc(self):
        port = 8083
        with Weir() as weir, Server(self.link, "/usr/bin/python3", "-c", GRPC_SERVER, f"{self.link.server_ip}:{port}"):
            self.run_client("/usr/bin/python3", "-c", GRPC_CLIENT, f"{self.link.server_ip}:{port}")
            weir.stop()
            for points in (weir.points("httpflow", src_ip=self.link.server_ip, src_port=str(port)),
                           weir.points("httpflow", src_ip=self.link.client_ip, dst_port=str(port))):
                self.assertEqual(seen(points), {("POST", "/weir.Echo/Say", 200): 10, ("POST", "/weir.Echo/Fail", 200): 3})


GRPC_SERVER = """
import concurrent.futures, grpc, sys, time
def say(request, context):
    return request
def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no")
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("weir.Echo", {
    "Say": grpc.unary_unary_rpc_method_handler(say), "Fail": grpc.unary_unary_rpc_method_handler(fail)})])
server.add_insecure_port(sys.argv[1])
server.start()
print("ready", flush=True)
server.wait_for_termination()
"""

GRPC_CLIENT = """
import grpc, sys
with grpc.insecure_channel(sys.argv[1]) as channel:
    say, fail = channel.unary_unary("/weir.Echo/Say"), channel.unary_unary("/weir.Echo/Fail")
    for i in range(10):
        assert say(b"hello %d" % i) == b"hello %d" % i
    for _ in range(3):
        try:
            fail(b"")
            sys.exit("no error")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
"""


if __name__ == "__main__":
    harness.require(all(map(shutil.which, ("nginx", "nghttp", "h2load", "curl"))), "needs nghttp2's programs and curl")
    harness.main()
