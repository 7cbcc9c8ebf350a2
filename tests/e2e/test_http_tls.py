"""HTTP under TLS: nginx, Python and Node with OpenSSL, on sockets of their own and over memory, begun before Weir and after."""

import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import harness
from harness import Link, Weir, counts, in_netns
from nginx import NginxServer

PORT = 8443


class Certificate:
    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weir-tls-")
        root = pathlib.Path(self.directory.name)
        self.cert, self.key = root / "cert.pem", root / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=weir",
                        "-keyout", self.key, "-out", self.cert], check=True, capture_output=True)
        self.directives = f"ssl_certificate {self.cert}; ssl_certificate_key {self.key};"  # nginx's
        return self

    def __exit__(self, *_):
        self.directory.cleanup()


class Server:
    """A server in the link's server namespace that says "ready"."""

    def __init__(self, link, *command):
        self.command = in_netns(link.server, *command)

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        harness.stop(self.process)
        self.process.stdout.close()


class Nginx(NginxServer):
    def __init__(self, link, certificate):
        super().__init__(link, f"listen {link.server_ip}:{PORT} ssl; ssl_protocols TLSv1.2 TLSv1.3; {certificate.directives}")


def ends(weir, link):
    return (weir.points("httpflow", src_ip=link.client_ip, dst_port=str(PORT)),
            weir.points("httpflow", src_ip=link.server_ip, src_port=str(PORT)))


def url(link, path):
    return f"https://{link.server_ip}:{PORT}{path}"


def curl(link, *arguments):
    process = subprocess.Popen(in_netns(link.client, "curl", "-sk", "--http1.1", *arguments),
                               stdout=subprocess.DEVNULL)
    assert process.wait(30) == 0
    return str(process.pid)


class Tls(unittest.TestCase):
    def setUp(self):
        self.link = self.enterContext(Link())
        self.certificate = self.enterContext(Certificate())

    def check(self, weir, truth, client_pids=None, server_name=None):
        weir.stop()
        client, server = ends(weir, self.link)
        self.assertEqual(counts(server), truth, "the server's end")
        self.assertEqual(counts(client), truth, "the client's end")
        for p in client + server:
            self.assertTrue(p["process_name"])
            if p["count"] and p["status_code"]:
                self.assertGreater(p["latency"], 0)
        if client_pids:
            self.assertEqual({p["pid"] for p in client}, client_pids)
        if server_name:
            self.assertEqual({p["process_name"] for p in server}, {server_name})
        return client, server

    def curl_to_nginx(self, weir, nginx):
        pids = {curl(self.link, version, "--tls-max", last, url(self.link, "/hello/1"), url(self.link, "/gone"),
                     url(self.link, "/big?secret=1"))
                for version, last in (("--tlsv1.2", "1.2"), ("--tlsv1.3", "1.3"))}
        pids.add(curl(self.link, "-d", "a=b" * 9000, url(self.link, "/hello/form")))
        truth = nginx.truth()
        self.assertEqual(sum(truth.values()), 7)
        client, server = self.check(weir, truth, pids, "nginx")
        for points in (client, server):
            big = [p for p in points if p["path"] == "/big"]
            self.assertGreater(sum(p["bytes_read"] + p["bytes_written"] for p in big), 2 * 300_000)

    def test_a_server_that_started_before(self):
        with Nginx(self.link, self.certificate) as nginx, Weir() as weir:
            self.curl_to_nginx(weir, nginx)

    def test_a_server_that_starts_after(self):
        with Weir() as weir, Nginx(self.link, self.certificate) as nginx:
            self.curl_to_nginx(weir, nginx)

    def test_keep_alive(self):
        with Nginx(self.link, self.certificate) as nginx, Weir() as weir:
            curl(self.link, *[url(self.link, f"/hello/{i}") for i in range(50)])
            self.check(weir, nginx.truth())

    def test_python_on_sockets_and_over_memory(self):
        for server in ("sockets", "memory"):
            with self.subTest(server), Weir() as weir, Server(
                    self.link, sys.executable, "-c", PYTHON_SERVER, server, self.link.server_ip, PORT, self.certificate.cert,
                    self.certificate.key):
                for client in ("sockets", "memory"):
                    subprocess.run(in_netns(self.link.client, sys.executable, "-c", PYTHON_CLIENT, client,
                                            self.link.server_ip, PORT), check=True)
                self.check(weir, collections.Counter({("GET", "/hello/sockets", 200): 5, ("GET", "/hello/memory", 200): 5}))

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_a_program_with_openssl_inside(self):
        with Weir() as weir, Server(self.link, "node", "-e", NODE_SERVER, self.link.server_ip, PORT, self.certificate.cert,
                                    self.certificate.key):
            harness.wait_for(lambda: "following TLS in" in weir.log() and "node" in weir.log(), 10, "node is followed")
            curl(self.link, *[url(self.link, f"/node/{i % 3}") for i in range(20)])
            self.check(weir, collections.Counter({("GET", "/node/0", 200): 7, ("GET", "/node/1", 200): 7,
                                                  ("GET", "/node/2", 200): 6}))

    def test_it_can_be_switched_off(self):
        with Nginx(self.link, self.certificate), Weir(config='l7net_enabled = ["httpflow"]') as weir:
            curl(self.link, url(self.link, "/hello"))
            weir.stop()
            self.assertEqual(ends(weir, self.link), ([], []))
            self.assertNotIn("following TLS", weir.log())


PYTHON_SERVER = """
import asyncio, http.server, ssl, sys
mode, ip, port, cert, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
if mode == "sockets":
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        def log_message(self, *_): pass
    server = http.server.ThreadingHTTPServer((ip, int(port)), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready", flush=True)
    server.serve_forever()
async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, ip, int(port), ssl=context)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""

PYTHON_CLIENT = """
import asyncio, http.client, ssl, sys
mode, ip, port = sys.argv[1:]
context = ssl._create_unverified_context()
if mode == "sockets":
    connection = http.client.HTTPSConnection(ip, int(port), context=context)
    for _ in range(5):
        connection.request("GET", "/hello/sockets")
        assert connection.getresponse().read() == b"ok"
    connection.close()
    sys.exit()
async def main():
    reader, writer = await asyncio.open_connection(ip, int(port), ssl=context)
    for _ in range(5):
        writer.write(b"GET /hello/memory HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        assert (await reader.readuntil(b"ok")).endswith(b"ok")
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
"""

NODE_SERVER = """
const [ip, port, cert, key] = process.argv.slice(1), fs = require('fs');
require('https').createServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key)}, (request, response) => {
  response.end('hello');
}).listen(Number(port), ip, () => console.log('ready'));
"""


if __name__ == "__main__":
    harness.main()
