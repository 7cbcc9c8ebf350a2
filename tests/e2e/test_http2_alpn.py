"""HTTP/2 in the clear and by ALPN, and gRPC: curl, nghttp, h2load, nginx, python3-grpcio, against the server's log."""

import shutil
import subprocess
import unittest

import harness
from harness import Link, Weir, counts, in_netns
from nginx import NginxServer
from test_http_tls import Certificate, Server

CLEAR, TLS = 8081, 8443


class Nginx(NginxServer):
    """HTTP/2 on two ports."""

    def __init__(self, link, certificate):
        super().__init__(link, f"listen {link.server_ip}:{CLEAR} http2; listen {link.server_ip}:{TLS} ssl http2;"
                               f"{certificate.directives}", log="$server_port", big=1_000_000)


class Http2(unittest.TestCase):
    def setUp(self):
        self.link = self.enterContext(Link())
        self.certificate = self.enterContext(Certificate())

    def run_client(self, *command):
        return subprocess.run(in_netns(self.link.client, *command), check=True, capture_output=True, text=True).stdout

    def url(self, port, path):
        return f"{'https' if port == TLS else 'http'}://{self.link.server_ip}:{port}{path}"

    def check(self, weir, nginx, port):
        truth = nginx.truth(str(port))
        self.assertTrue(truth)
        for points in (weir.points("httpflow", src_ip=self.link.server_ip, src_port=str(port)),
                       weir.points("httpflow", src_ip=self.link.client_ip, dst_port=str(port))):
            self.assertEqual(counts(points), truth)
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
                self.assertEqual(counts(points), {("POST", "/weir.Echo/Say", 200): 10, ("POST", "/weir.Echo/Fail", 200): 3})


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
