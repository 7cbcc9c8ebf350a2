"""HTTP servers that take points, tell a test what came, and answer as the test says."""
import contextlib
import gzip
import http.server
import os
import re
import socket
import socketserver
import struct
import threading
import time
import urllib.parse


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


RESET = "reset"  # an answer: the connection is reset in the middle of the request's body


class PointsServer:
    """`answer(n)` is called with the request's number, from 0; None closes the connection without a word.

    On a TCP port, or on the unix socket `path`. What kind of server it is decides read(): the points of a
    request as line protocol, or an Answer that refuses it.
    """
    accepts = 204

    def __init__(self, answer=None, port=0, path=None):
        self.requests = []  # (path, headers) of every one
        self.accepted = []  # points answered with 2xx, in their order, as line protocol
        self.complaints = []  # what a client did wrong
        self.errors = []  # (Content-Type, body) of what was told to /v1/lasterror
        self.connections = set()
        self.closed = False
        self.lock = threading.Lock()
        self.answer = answer or (lambda n: Answer(self.accepts))
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with owner.lock:
                    owner.connections.add(self.connection)

            def finish(self):
                with owner.lock:
                    owner.connections.discard(self.connection)
                super().finish()

            def do_POST(self):
                if self.path == "/v1/lasterror":
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    owner.errors.append((self.headers["Content-Type"], body))
                    self.reply(Answer(200))
                    return
                with owner.lock:
                    number = len(owner.requests)
                    owner.requests.append((self.path, dict(self.headers)))
                said = owner.answer(number)
                if said == RESET:
                    self.rfile.read(10)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    self.connection.close()
                    return
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if said is None:
                    self.close_connection = True
                    return
                time.sleep(said.seconds)
                points = owner.read(self.path, self.headers, body) if 200 <= said.status < 300 else None
                if isinstance(points, Answer):
                    owner.complaints.append(points.body.decode())
                    said, points = points, None
                with owner.lock:  # close() never comes between the two
                    if owner.closed:
                        self.close_connection = True
                        return
                    if points is not None:
                        owner.accepted.append(points)
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

        class Server(socketserver.ThreadingMixIn,
                     socketserver.UnixStreamServer if path else http.server.HTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_):  # a host that went away, which is what some tests are about
                pass

        self.path = path
        self.server = Server(path or ("127.0.0.1", port), Handler)
        self.port = None if path else self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def text(self):
        with self.lock:
            return "".join(self.accepted)

    def count(self):
        return self.text().count("\n")

    def close(self):
        """As when the server's process ends: connections break as well."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            self.closed = True
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        if self.path and os.path.exists(self.path):
            os.unlink(self.path)


class InfluxServer(PointsServer):
    """Takes everything; the tests look at what came."""

    def read(self, path, headers, body):
        return (gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body).decode()

    def target(self, rest="/write?db=weir"):
        if self.path:
            return "influx:unix:%s:%s" % (self.path, rest)
        return "influx:http://127.0.0.1:%d%s" % (self.port, rest)


class DataKit(PointsServer):
    """A stand-in for the agent's write endpoint: exact about all that the real one is exact about."""
    accepts = 200
    LINES = "application/line-protocol"
    PROTOBUF = "application/protobuf; proto=com.guance.Point"

    def __init__(self, *arguments, most_points=256, most_bytes=None, **options):
        self.most_points = most_points
        self.most_bytes = most_bytes
        super().__init__(*arguments, **options)

    def target(self, rest=""):
        if self.path:
            return "datakit:unix://%s%s" % (self.path, rest)
        return "datakit:http://127.0.0.1:%d%s" % (self.port, rest)

    def read(self, path, headers, body):
        url = urllib.parse.urlsplit(path)
        if url.path != "/v1/write/network":
            return Answer(404, "no such route " + path)
        if not urllib.parse.parse_qs(url.query).get("input"):
            return Answer(400, "no input in " + path)
        if self.most_bytes is not None and len(body) > self.most_bytes:
            return Answer(413, "%d bytes" % len(body))
        encoding = headers["Content-Encoding"]
        if encoding not in (None, "gzip"):
            return Answer(400, "Content-Encoding %s" % encoding)
        try:
            body = gzip.decompress(body) if encoding else body
            lines = self.lines(headers["Content-Type"], body)
        except (ValueError, KeyError, IndexError, OSError) as problem:
            return Answer(400, "%s: %r" % (type(problem).__name__, problem))
        if not 0 < lines.count("\n") <= self.most_points:
            return Answer(400, "%d points in one request" % lines.count("\n"))
        return lines

    def lines(self, content_type, body):
        if content_type == self.PROTOBUF:
            return "".join(map(line_of, read_message(body, {1: "points"})["points"]))
        if content_type != self.LINES or not body.endswith(b"\n"):
            raise ValueError("Content-Type %s" % content_type)
        return body.decode()


# ---- Protobuf, as far as points need it --------------------------------------------------------------------


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def read_message(data, names):
    """{name: [values]} of the fields; one without a name is an error, as is a length beyond the end."""
    found = {name: [] for name in names.values()}
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 1:
            value, at = struct.unpack("<d", data[at:at + 8])[0], at + 8
        else:
            value, at = read_varint(data, at)
        if tag & 7 == 2:
            size, value = value, data[at:at + value]
            at += size
            if len(value) != size:
                raise ValueError("a message that breaks off")
        elif tag & 7 > 1:
            raise ValueError("wire type %d" % (tag & 7))
        found[names[tag >> 3]].append(value)
    return found


# What the value of a field is called, by its number in PBPoints' Field, and how line protocol writes it.
VALUES = {2: ("integer", lambda v: "%di" % (v - (1 << 64) if v >> 63 else v)),
          3: ("unsigned", lambda v: "%du" % v),
          4: ("double", repr),
          5: ("bool", lambda v: "true" if v else "false"),
          11: ("text", lambda v: '"%s"' % v.decode().replace("\\", "\\\\").replace('"', '\\"'))}


def escaped(text):
    return re.sub("([,= ])", r"\\\1", text)


def line_of(data):
    """A PBPoint as a line; fields of the measurement's order, as they come."""
    point = read_message(data, {1: "name", 2: "fields", 3: "time"})
    tags, fields = "", []
    for field in point["fields"]:
        names = {1: "key", 8: "is_tag", 9: "type", 10: "unit", **{number: name for number, (name, _) in VALUES.items()}}
        field = read_message(field, names)
        key = field["key"][0].decode()
        if field["is_tag"] == [1]:
            tags += ",%s=%s" % (escaped(key), escaped(field["text"][0].decode()))
            continue
        value, = [write(field[name][0]) for name, write in VALUES.values() if field[name]]
        fields.append("%s=%s" % (escaped(key), value))
    return "%s%s %s %d\n" % (point["name"][0].decode(), tags, ",".join(fields), point["time"][0])
