"""Records what real HTTP/2 programs say to each other: the seeds of tests/fuzz/corpus/http2.

usage: record_http2.py OUTPUT_DIRECTORY

Writes for each scenario NAME, the bytes of both directions in the order in which they passed (the format
is that of fuzz_http2.cc: u8 flags, 1 = from the client; u16 length, little-endian; bytes), and to
NAME.expected one line a request, sorted: method, path, status, gRPC status (-1 = none).

Needs nghttp2-client, nghttp2-server, nghttp2-proxy, curl, python3-grpcio.
"""
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent import futures

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

PIECE_MAX = 0xFFFF


class Recorder:
    """A relay for one connection at a time that keeps what passes."""

    def __init__(self, port):
        self.target = port
        self.pieces = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.relay, daemon=True)
        self.thread.start()

    def relay(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.target))
        peers = {client: server, server: client}
        while peers:
            for ready in select.select(list(peers), [], [])[0]:
                data = ready.recv(16384)
                if not data:
                    client.close()
                    server.close()
                    return
                self.pieces.append((ready is client, data))
                peers[ready].sendall(data)

    def write(self, path):
        self.thread.join(10)
        with open(path, "wb") as out:
            for from_client, data in self.pieces:
                for at in range(0, len(data), PIECE_MAX):
                    part = data[at:at + PIECE_MAX]
                    out.write(struct.pack("<BH", from_client, len(part)) + part)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def record(directory, name, port, drive):
    recorder = Recorder(port)
    expected = drive(recorder.port)
    recorder.write(os.path.join(directory, name))
    with open(os.path.join(directory, name + ".expected"), "w") as out:
        out.writelines(sorted(f"{line}\n" for line in expected))
    print(name, os.path.getsize(os.path.join(directory, name)), len(expected))


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def nghttp(port):
    run("nghttp", "-n", f"http://127.0.0.1:{port}/a.txt?secret=1", f"http://127.0.0.1:{port}/missing/17",
        f"http://127.0.0.1:{port}/b.txt")
    return ["GET /a.txt 200 -1", "GET /missing/17 404 -1", "GET /b.txt 200 -1"]


def nghttp_padded(port):
    run("nghttp", "-n", "--padding=40", "--continuation", "--no-dep", "-H", "x-long: " + "a" * 1000,
        f"http://127.0.0.1:{port}/a.txt")
    return ["GET /a.txt 200 -1"]


def nghttp_push(port):
    run("nghttp", "-n", f"http://127.0.0.1:{port}/a.txt", f"http://127.0.0.1:{port}/b.txt")
    return ["GET /a.txt 200 -1", "GET /b.txt 200 -1"]


def curl_get(port):
    run("curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", f"http://127.0.0.1:{port}/nothing?q=1")
    return ["GET /nothing 404 -1"]


def curl_post(port):
    run("curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", "--data-binary", "x" * 3000,
        f"http://127.0.0.1:{port}/a.txt")
    return ["POST /a.txt 200 -1"]


def h2load(port):
    run("h2load", "-n", "40", "-c", "1", "-m", "10", f"http://127.0.0.1:{port}/a.txt")
    return ["GET /a.txt 200 -1"] * 40


def upgrade(port):
    run("nghttp", "-n", "-u", f"http://127.0.0.1:{port}/a.txt", f"http://127.0.0.1:{port}/b.txt")
    return ["GET /a.txt 200 -1", "GET /b.txt 200 -1"]


def grpc_server():
    import grpc
    import grpc_peer

    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc_peer.Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def grpc_client(port):
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for _ in range(3):
            channel.unary_unary("/test.Echo/Unary")(b"hello")
        for name in ("Fail", "Missing"):
            try:
                channel.unary_unary("/test.Echo/" + name)(b"hello")
            except grpc.RpcError:
                pass
        list(channel.stream_stream("/test.Echo/Stream")(iter([b"a" * 100] * 5)))
    return ["POST /test.Echo/Unary 200 0"] * 3 + ["POST /test.Echo/Fail 200 5", "POST /test.Echo/Missing 200 12",
                                                  "POST /test.Echo/Stream 200 0"]


def main(directory):
    with tempfile.TemporaryDirectory() as root:
        for name, size in (("a.txt", 300), ("b.txt", 10)):
            with open(os.path.join(root, name), "w") as out:
                out.write("x" * size)
        plain, pushing, proxied = free_port(), free_port(), free_port()
        servers = [
            subprocess.Popen(["nghttpd", "--no-tls", "-d", root, str(plain)], stdout=subprocess.DEVNULL),
            subprocess.Popen(["nghttpd", "--no-tls", "-d", root, "-p", "/a.txt=/b.txt", str(pushing)],
                             stdout=subprocess.DEVNULL),
            subprocess.Popen(["nghttpx", "-f", f"127.0.0.1,{proxied};no-tls", "-b", f"127.0.0.1,{plain};;proto=h2",
                              "--conf=/dev/null", "--errorlog-file=/dev/null"], stdout=subprocess.DEVNULL),
        ]
        try:
            for port in (plain, pushing, proxied):
                wait_for(port)
            record(directory, "nghttp", plain, nghttp)
            record(directory, "nghttp_padded", plain, nghttp_padded)
            record(directory, "nghttp_push", pushing, nghttp_push)
            record(directory, "curl_get", plain, curl_get)
            record(directory, "curl_post", plain, curl_post)
            record(directory, "h2load", plain, h2load)
            record(directory, "upgrade", proxied, upgrade)
        finally:
            for server in servers:
                server.terminate()
                server.wait()
    server, port = grpc_server()
    record(directory, "grpc", port, grpc_client)
    server.stop(None)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
