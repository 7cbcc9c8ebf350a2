"""An HTTP server that a test tells how to answer, and that keeps what it accepted."""
import http.server
import socket
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, status=204, body="", headers=None, seconds=0):
        self.status = status
        self.body = body.encode()
        self.headers = headers or {}
        self.seconds = seconds  # before anything is answered


class InfluxServer:
    """`answer(n)` is called with the request's number, from 0; None closes the connection without a word."""

    def __init__(self, answer=lambda n: Answer(), port=0):
        self.requests = []  # (path, headers) of every one
        self.accepted = []  # bodies answered with 2xx, in their order
        self.lock = threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with owner.lock:
                    number = len(owner.requests)
                    owner.requests.append((self.path, dict(self.headers)))
                said = answer(number)
                if said is None:
                    self.close_connection = True
                    return
                time.sleep(said.seconds)
                if 200 <= said.status < 300:
                    with owner.lock:
                        owner.accepted.append(body)
                self.reply(said)

            def reply(self, said):
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                if said.status != 204:
                    self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                if said.status != 204:
                    self.wfile.write(said.body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_):  # a host that went away, which is what some tests are about
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def text(self):
        with self.lock:
            return "".join(self.accepted)

    def count(self):
        return self.text().count("\n")

    def target(self, rest="/write?db=weir"):
        return "influx:http://127.0.0.1:%d%s" % (self.port, rest)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
