"""HTTP/1 as bytes: every split of reads and writes, pipelines, bodies, interim responses, and what is none of it.

Both ends are sockets of this process, driven step by step, so that each call of either end moves exactly the bytes
that the case says. Each case asks for paths of its own; both ends of its connections must have seen the same.
"""

import collections
import itertools
import random
import socket
import struct
import time
import unittest

import harness
from harness import Weir

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 0\r\n\r\n"
CHUNKED = (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"5\r\nHTTP/\r\n1a;x=y\r\n1.1 500 No\r\nGET / HTTP/1.1\r\n\r\n0\r\nTrailer: 1\r\n\r\n")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def get(path, more=b""):
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n"


def post(path, body, more=b""):
    return b"POST " + path + b" HTTP/1.1\r\nContent-Length: %d\r\n" % len(body) + more + b"\r\n" + body


class Connection:
    """client() and server() send; the other end reads the same pieces, or what `reads` says."""

    def __init__(self, listener):
        self.ends = {"c": socket.create_connection(listener.getsockname()), "s": listener.accept()[0]}
        for end in self.ends.values():
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, who, *pieces, reads=None):
        to = self.ends["s" if who == "c" else "c"]
        if reads is None:
            for piece in pieces:
                self.ends[who].sendall(piece)
                self.receive(to, len(piece))
            return
        for piece in pieces:
            self.ends[who].sendall(piece)
        left = sum(map(len, pieces))
        for size in itertools.chain(reads, itertools.repeat(1 << 20)):
            if not left:
                return
            left -= self.receive(to, min(size, left))

    @staticmethod
    def receive(end, n):
        left = n
        while left:
            left -= len(end.recv(left))
        return n

    def client(self, *pieces, reads=None):
        self.send("c", *pieces, reads=reads)

    def server(self, *pieces, reads=None):
        self.send("s", *pieces, reads=reads)

    def reset(self, who):
        self.ends[who].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        for end in self.ends.values():
            end.close()


def split(data, *positions):
    edges = [0, *sorted(positions), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:]) if a != b]


class Cases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.weir = cls.enterClassContext(Weir())
        cls.listener = cls.enterClassContext(socket.create_server(("127.0.0.1", 0), backlog=64))
        cls.port = cls.listener.getsockname()[1]
        cls.names = itertools.count()
        cls.expected = collections.Counter()
        cls.exact = {}

    def path(self, tail=""):
        return f"/{self._testMethodName}/{next(self.names)}{tail}".encode()

    def open(self):
        connection = Connection(self.listener)
        self.addCleanup(connection.close)
        return connection

    def expect(self, path, status, method="GET", n=1):
        self.expected[method, path.decode(), status] += n

    @classmethod
    def tearDownClass(cls):
        """All cases are judged at once, when Weir has said all."""
        cls.weir.stop()
        for side, key in (("server", "src_port"), ("client", "dst_port")):
            points = [p for p in cls.weir.points("httpflow") if p[key] == str(cls.port) and p["conn_side"] == side]
            seen = collections.Counter()
            for p in points:
                if p["count"]:
                    seen[p["method"], p["path"], p["status_code"]] += p["count"]
                assert p.fields.get("latency", 0) >= 0, p
            missing, extra = cls.expected - seen, seen - cls.expected
            if missing or extra:
                raise AssertionError(f"{side}: missing {dict(missing.most_common(20))}\nextra {dict(extra.most_common(20))}\n"
                                     f"losses {[p for p in points if p['path'] == '~other']}")
        losses = {n: v for n, v in cls.losses.items() if n.startswith("http")} if hasattr(cls, "losses") else {}
        assert not losses, losses

    # one request at a time

    def test_a_request_in_two_writes(self):
        connection = self.open()
        path = self.path()
        request = get(path)
        for at in range(1, len(request)):
            connection.client(*split(request, at))
            connection.server(OK)
            self.expect(path, 200)

    def test_a_request_in_two_reads(self):
        connection = self.open()
        path = self.path()
        request = get(path)
        for at in range(1, len(request)):
            connection.client(request, reads=[at])
            connection.server(OK)
            self.expect(path, 200)

    def test_a_response_in_two_writes(self):
        connection = self.open()
        for response, status in ((OK, 200), (NOT_FOUND, 404), (CHUNKED, 201)):
            path = self.path()
            for at in range(1, len(response)):
                connection.client(get(path))
                connection.server(*split(response, at))
                self.expect(path, status)

    def test_byte_by_byte(self):
        connection = self.open()
        for body in (b"", b"x" * 10):
            path = self.path()
            request = post(path, body)
            connection.client(*split(request, *range(1, len(request))))
            connection.server(*split(OK, *range(1, len(OK))))
            self.expect(path, 200, "POST")

    def test_every_method(self):
        connection = self.open()
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            path = self.path()
            connection.client(method.encode() + b" " + path + b" HTTP/1.1\r\n\r\n")
            connection.server(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.expect(path, 204, method)

    def test_requests_with_bodies_in_pieces(self):
        connection = self.open()
        for size in (1, 100, 70000):
            path = self.path()
            request = post(path, b"GET /no HTTP/1.1\r\n\r\n"[:size].ljust(size, b"y"))
            head = request.index(b"\r\n\r\n") + 4
            connection.client(*split(request, head, head + size // 2))
            connection.server(OK)
            self.expect(path, 200, "POST")

    def test_a_chunked_request(self):
        connection = self.open()
        path = self.path()
        request = (b"PUT " + path + b" HTTP/1.1\r\ntransfer-ENCODING: gzip, Chunked\r\n\r\n"
                   b"12\r\nGET /no HTTP/1.1\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        for at in range(1, len(request)):
            connection.client(*split(request, at))
            connection.server(OK)
            self.expect(path, 200, "PUT")

    def test_long_header_lines(self):
        connection = self.open()
        path = self.path()
        request = get(path, b"Cookie: " + b"c" * 65536 + b"\r\nContent-Lengthy: 7\r\n")
        connection.client(request)
        connection.server(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 65536 + b"\r\nContent-Length: 0\r\n\r\n")
        self.expect(path, 200)
        again = self.path()
        connection.client(get(again))
        connection.server(OK)
        self.expect(again, 200)

    def test_targets(self):
        connection = self.open()
        path = self.path()
        for target, seen in ((path + b"?q=/x?y#z", path), (b"http://host:80" + path, path), (b"*", b"*")):
            connection.client(b"OPTIONS " + target + b" HTTP/1.0\r\n\r\n")
            connection.server(OK)
            self.expect(seen, 200, "OPTIONS")

    def test_a_long_query_is_not_the_path(self):
        connection = self.open()
        path = self.path()
        connection.client(get(path + b"?" + b"q" * 3000))
        connection.server(OK)
        self.expect(path, 200)

    def test_empty_lines_before_a_request(self):
        connection = self.open()
        path = self.path()
        for _ in range(3):
            connection.client(get(path))
            connection.server(OK)
            connection.client(b"\r\n" + get(path))
            connection.server(OK)
            self.expect(path, 200, n=2)

    # what a response may be

    def test_interim_responses(self):
        connection = self.open()
        path = self.path()
        connection.client(post(path, b"", b"Expect: 100-continue\r\n"))
        connection.server(CONTINUE)
        connection.server(OK)
        connection.client(get(path))
        connection.server(CONTINUE + b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + NOT_FOUND)
        self.expect(path, 200, "POST")
        self.expect(path, 404)
        both = CONTINUE + OK
        for at in range(1, len(both)):
            connection.client(get(path))
            connection.server(*split(both, at))
            self.expect(path, 200)

    def test_expect_with_a_body_that_waits(self):
        connection = self.open()
        path = self.path()
        request = post(path, b"x" * 1000, b"Expect: 100-continue\r\n")
        head = len(request) - 1000
        connection.client(request[:head])
        connection.server(CONTINUE)
        connection.client(request[head:])
        connection.server(OK)
        self.expect(path, 200, "POST")

    def test_a_response_before_the_request_ended(self):
        connection = self.open()
        path = self.path()
        request = post(path, b"GET /no HTTP/1.1\r\n\r\n" * 100)
        connection.client(request[:100])
        connection.server(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.client(request[100:500])
        connection.client(request[500:])
        self.expect(path, 413, "POST")
        again = self.path()
        connection.client(get(again))
        connection.server(OK)
        self.expect(again, 200)

    def test_a_body_that_looks_like_a_response(self):
        connection = self.open()
        path = self.path()
        body = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" * 3
        for _ in range(3):
            connection.client(get(path))
            connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            connection.server(*split(body, *range(39, len(body), 39)))
            self.expect(path, 200)

    def test_a_response_until_the_end_of_the_connection(self):
        connection = self.open()
        path = self.path()
        connection.client(get(path))
        connection.server(b"HTTP/1.0 200 OK\r\n\r\nabc")
        connection.server(b"HTTP/1.1 500 No\r\n\r\n")
        self.expect(path, 200)

    def test_no_response(self):
        for end in ("close", "reset"):
            connection = self.open()
            path = self.path()
            connection.client(get(path))
            connection.close() if end == "close" else connection.reset("s")
            self.expect(path, 0)

    def test_half_a_response(self):
        connection = self.open()
        path = self.path()
        connection.client(get(path))
        connection.server(b"HTTP/1.1 2")
        connection.close()
        self.expect(path, 0)

    # several at once

    def pipeline(self, connection, paths):
        for path, (_, status, method) in paths:
            self.expect(path, status, method)

    def test_pipelines(self):
        for n in (2, 3, 16, 100):
            connection = self.open()
            paths = [self.path() for _ in range(n)]
            statuses = [(OK, 200), (NOT_FOUND, 404), (CHUNKED, 201)]
            answers = [statuses[i % 3] for i in range(n)]
            connection.client(b"".join(map(get, paths)))
            connection.server(b"".join(a for a, _ in answers))
            for path, (_, status) in zip(paths, answers):
                self.expect(path, status)
            again = self.path()
            for _ in range(2):
                connection.client(get(again))
                connection.server(OK)
                self.expect(again, 200)

    def test_a_pipeline_answered_one_by_one(self):
        connection = self.open()
        paths = [self.path() for _ in range(5)]
        connection.client(b"".join(map(get, paths)))
        for path in paths:
            connection.server(OK)
            self.expect(path, 200)

    def test_a_pipeline_split_anywhere(self):
        a, b, c = self.path(), self.path(), self.path()
        requests = get(a) + post(b, b"GET /") + get(c)
        responses = OK + CHUNKED + NOT_FOUND
        for at in range(1, len(requests)):
            connection = self.open()
            connection.client(*split(requests, at))
            connection.server(responses)
            connection.close()
        for at in range(1, len(responses)):
            connection = self.open()
            connection.client(requests)
            connection.server(*split(responses, at))
            connection.close()
        n = len(requests) + len(responses) - 2
        self.expect(a, 200, n=n)
        self.expect(b, 201, "POST", n=n)
        self.expect(c, 404, n=n)

    def test_the_next_request_before_the_response(self):
        """As a server sees it whose client is quick: the next request's first byte is read before the response is sent."""
        connection = self.open()
        path = self.path()
        request = get(path)
        connection.client(request)
        for _ in range(5):
            connection.client(request[:1])
            connection.server(OK)
            connection.client(request[1:])
        connection.server(OK)
        self.expect(path, 200, n=6)

    def test_a_pipeline_that_is_not_answered(self):
        connection = self.open()
        paths = [self.path() for _ in range(4)]
        connection.client(b"".join(map(get, paths)))
        connection.server(OK)
        connection.close()
        for i, path in enumerate(paths):
            self.expect(path, 0 if i else 200)

    def test_head_and_not_modified_have_no_body_in_a_pipeline(self):
        connection = self.open()
        a, b, c, d = (self.path() for _ in range(4))
        connection.client(b"HEAD " + a + b" HTTP/1.1\r\n\r\n" + get(b) + get(c) + get(d))
        connection.server(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
                          b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n"
                          b"HTTP/1.1 204 No Content\r\n\r\n" + NOT_FOUND)
        self.expect(a, 200, "HEAD")
        for path, status in ((b, 304), (c, 204), (d, 404)):
            self.expect(path, status)

    def test_random_pieces(self):
        random.seed(7)
        for _ in range(60):
            connection = self.open()
            paths = [self.path() for _ in range(random.randint(1, 6))]
            requests, responses = b"", b""
            for path in paths:
                answer, status = random.choice([(OK, 200), (NOT_FOUND, 404), (CHUNKED, 201), (CONTINUE + OK, 200)])
                body = random.choice([None, b"", b"z" * random.randint(1, 3000)])
                requests += get(path) if body is None else post(path, body)
                responses += answer
                self.expect(path, status, "GET" if body is None else "POST")
            pieces = [split(data, *(random.randrange(1, len(data)) for _ in range(random.randint(0, 8))))
                      for data in (requests, responses)]
            reads = [[random.randint(1, 2000) for _ in range(20)] for _ in range(2)]
            connection.client(*pieces[0], reads=reads[0])
            connection.server(*pieces[1], reads=reads[1])
            connection.close()

    # what HTTP turns into, and what is none

    def test_upgrade_and_connect_hand_over(self):
        for request, response, method, status in (
                (b"GET %s HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "GET", 101),
                (b"CONNECT %s HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 Connected\r\n\r\n", "CONNECT", 200)):
            connection = self.open()
            path = self.path()[1:]
            connection.client(request % path)
            connection.server(response)
            connection.client(get(b"/inside-of-something-else"))
            connection.server(OK)
            self.expect(path, status, method)

    def test_a_refused_connect_goes_on(self):
        connection = self.open()
        path = self.path()
        connection.client(b"CONNECT " + path[1:] + b" HTTP/1.1\r\n\r\n")
        connection.server(b"HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n")
        connection.client(get(path))
        connection.server(OK)
        self.expect(path[1:], 407, "CONNECT")
        self.expect(path, 200)

    def test_other_protocols(self):
        for first in (b"\x00\x01\x02\x03", b"SSH-2.0-x\r\n", b"GETTING\r\n", b"POSTFIX", b"P", b"*1\r\n$4\r\nPING\r\n",
                      b"GET no version\r\n\r\n", b"get / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00"):
            connection = self.open()
            connection.client(first)
            connection.server(OK)
            connection.client(get(b"/in-another-protocol"))
            connection.server(OK)

    def test_smuggled_requests_are_bodies(self):
        connection = self.open()
        path = self.path()
        hidden = get(b"/smuggled")
        for fields in (b"Content-Length: %d\r\n", b"Content-Length:%d\r\n", b"content-length: %d \r\n",
                       b"X-Content-Length: 3\r\nContent-Length:\t%d\r\n", b"Content-Length : 3\r\nContent-Length: %d\r\n"):
            connection.client(b"POST " + path + b" HTTP/1.1\r\n" + fields % len(hidden) + b"\r\n" + hidden)
            connection.server(OK)
            self.expect(path, 200, "POST")
        connection.client(b"POST " + path + b" HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n")
        connection.server(OK)
        self.expect(path, 200, "POST")

    def test_vectors(self):
        connection = self.open()
        path = self.path()
        request = post(path, b"body")
        for pieces in ([request], split(request, 3), split(request, 4, 9, 20, 40, 41), split(request, *range(1, len(request)))):
            connection.ends["c"].sendmsg(pieces)
            buffers = [bytearray(n) for n in (1, 2, 30, 5000)]
            received = connection.ends["s"].recvmsg_into(buffers)[0]
            connection.receive(connection.ends["s"], len(request) - received)
            connection.ends["s"].sendmsg(split(OK, 5, 17))
            connection.receive(connection.ends["c"], len(OK))
            self.expect(path, 200, "POST")

    def test_peeking_is_not_reading(self):
        connection = self.open()
        path = self.path()
        connection.ends["c"].sendall(get(path))
        connection.ends["s"].recv(10, socket.MSG_PEEK)
        connection.ends["s"].recv(1000, socket.MSG_PEEK)
        connection.receive(connection.ends["s"], len(get(path)))
        connection.server(OK)
        self.expect(path, 200)

    def test_a_walk_in_the_middle(self):
        connection = self.open()
        path = self.path()
        request = post(path, b"x" * 100)
        connection.client(request[:20])
        time.sleep(1.3)
        connection.client(request[20:])
        time.sleep(1.3)
        connection.server(OK[:20])
        time.sleep(1.3)
        connection.server(OK[20:])
        connection.client(get(path))
        connection.server(OK)
        self.expect(path, 200, "POST")
        self.expect(path, 200)


if __name__ == "__main__":
    harness.main()
