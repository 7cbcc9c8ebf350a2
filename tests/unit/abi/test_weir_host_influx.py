"""weir-host run --emit influx: every point arrives once, whatever the server does."""
import base64
import time

import host_case
from host_case import HostCase, wait_until
from points_server import Answer, InfluxServer, free_port

BATCHES = 30
POINTS = 5
ALL = BATCHES * POINTS


class InfluxCase(HostCase):
    def serve(self, *arguments, **options):
        server = InfluxServer(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def emit(self, *targets, options=(), **more):
        words = [word for target in targets for word in ("--emit", target)]
        return self.start(*words, *options, config=self.config(batches=BATCHES, points=POINTS), **more)

    def assert_arrives(self, host, server, count=ALL):
        wait_until(lambda: server.count() >= count, "%d points" % count)
        self.assert_ends_in_time(host)
        self.assert_all_there(server.text(), count)


class Influx(InfluxCase):
    def test_plain(self):
        server = self.serve()
        host = self.emit(server.target())
        self.assert_arrives(host, server)
        path, headers = server.requests[0]
        self.assertEqual(path, "/write?db=weir")
        self.assertTrue(headers["Content-Type"].startswith("text/plain"))
        self.assertNotIn("Authorization", headers)
        self.assertEqual(host.errors().count("\n"), 1, host.errors())  # that it stops

    def test_url_without_a_path(self):
        for rest in ("", "/"):
            server = self.serve()
            self.assert_arrives(self.emit(server.target(rest)), server)
            self.assertEqual(server.requests[0][0], "/write?db=weir&precision=ns")

    def test_user_and_password(self):
        server = self.serve()
        target = "influx:http://me:p%%40ss@127.0.0.1:%d/write?db=secretdb" % server.port
        host = self.emit(target, "influx:http://127.0.0.1:%d" % free_port())
        wait_until(lambda: server.count() > 0, "points")
        self.assert_ends_in_time(host)
        expected = "Basic " + base64.b64encode(b"me:p@ss").decode()
        self.assertEqual(server.requests[0][1]["Authorization"], expected)

    def test_token(self):
        server = self.serve()
        self.assert_arrives(self.emit(server.target(), environment={"INFLUX_TOKEN": "t0ken"}), server)
        self.assertEqual(server.requests[0][1]["Authorization"], "Token t0ken")

    def test_unix_socket_and_gzip(self):
        server = self.serve(path=self.path("influx.sock"))
        self.assert_arrives(self.emit(server.target(), options=("--gzip",)), server)
        path, headers = server.requests[0]
        self.assertEqual(path, "/write?db=weir")
        self.assertEqual((headers["Content-Encoding"], headers["Host"]), ("gzip", "localhost"))

    def test_points_in_a_request(self):
        server = self.serve()
        self.assert_arrives(self.emit(server.target(), options=("--max-points", "2")), server)
        self.assertEqual(len(server.requests), 3 * BATCHES)

    def test_no_secret_is_logged(self):
        server = self.serve(lambda n: Answer(401, "who are you"))
        host = self.emit("influx:http://me:passw0rd@127.0.0.1:%d/write?db=x&p=passw0rd" % server.port)
        host.wait_for_errors("401: who are you")
        self.assert_ends_in_time(host)
        self.assertNotIn("passw0rd", host.errors())

    def test_the_last_points_arrive_before_the_end(self):
        server = self.serve(lambda n: Answer(seconds=0.3))
        host = self.start("--for", "100ms", "--emit", server.target(), config=self.config(interval_ms=60_000))
        self.assertEqual(host.wait(), 0)
        self.assert_all_there(server.text(), 5)


class InfluxInTrouble(InfluxCase):
    def test_unavailable_for_a_while(self):
        server = self.serve(lambda n: Answer(503, "starting\x1b[31m up") if n < 4 else Answer())
        host = self.emit(server.target())
        self.assert_arrives(host, server)
        self.assertEqual(host.errors().count(r"HTTP 503: starting\x1b[31m up"), 1)
        self.assertIn("takes points again", host.errors())

    def test_every_other_answer_is_an_error(self):
        server = self.serve(lambda n: Answer(500 if n % 4 else 502) if n % 2 else Answer())
        self.assert_arrives(self.emit(server.target()), server)

    def test_too_many_requests(self):
        server = self.serve(lambda n: Answer(429, "slow down", {"Retry-After": "1"}) if n == 0 else Answer())
        before = time.monotonic()
        host = self.emit(server.target())
        wait_until(lambda: server.count() > 0, "points")
        self.assertGreaterEqual(time.monotonic() - before, 1.0)
        self.assert_arrives(host, server)

    def test_connection_closed_without_a_word(self):
        server = self.serve(lambda n: None if n % 3 == 1 else Answer())
        self.assert_arrives(self.emit(server.target()), server)

    def test_server_that_comes_later(self):
        port = free_port()
        host = self.emit("influx:http://127.0.0.1:%d/write?db=weir" % port)
        host.wait_for_errors("no connection")
        time.sleep(0.5)
        server = self.serve(port=port)
        self.assert_arrives(host, server)
        self.assertEqual(host.errors().count("no connection"), 1)

    def test_server_that_restarts(self):
        first = self.serve()
        host = self.start("--emit", first.target(), config=self.config(batches=200))
        wait_until(lambda: first.count() > 100, "points")
        first.close()
        time.sleep(0.3)
        second = self.serve(port=first.port)
        wait_until(lambda: first.count() + second.count() >= 1000, "all points")
        self.assert_ends_in_time(host)
        self.assert_all_there(first.text() + second.text(), 1000)

    def test_refused_points_are_dropped_and_counted(self):
        server = self.serve(lambda n: Answer(400, "partial write: field type conflict\r\n") if n < 2 else Answer())
        host = self.emit(server.target())
        wait_until(lambda: server.count() >= ALL - 2 * POINTS, "the other points")
        self.assert_ends_in_time(host)
        self.assertEqual(host_case.numbers_in(server.text()), list(range(2 * POINTS, ALL)))
        self.assertIn("HTTP 400: partial write: field type conflict; 5 points dropped so far", host.errors())
        self.assertIn("10 points were refused and dropped in all", host.errors())

    def test_endless_words_of_a_server(self):
        server = self.serve(lambda n: Answer(400, "x" * 50_000_000) if n == 0 else Answer())
        host = self.emit(server.target())
        wait_until(lambda: server.count() >= ALL - POINTS, "the other points")
        self.assert_ends_in_time(host)
        self.assertLess(len(host.errors()), 2000)

    def test_several_targets_while_one_is_down(self):
        """The others get all of them meanwhile, and no target gets one twice."""
        port = free_port()
        steady = self.serve()
        host = self.emit("influx:http://127.0.0.1:%d" % port, steady.target(), "file:" + self.path("points"),
                         "stdout")
        host.wait_for_errors("no connection")
        wait_until(lambda: steady.count() >= ALL, "all points at the steady one")
        late = self.serve(port=port)
        wait_until(lambda: min(late.count(), steady.count()) >= ALL, "all points")
        self.assert_ends_in_time(host)
        for text in (late.text(), steady.text(), self.read("points"), host.output()):
            self.assert_all_there(text, ALL)

    def test_end_while_it_is_down(self):
        host = self.emit("influx:http://127.0.0.1:%d" % free_port())
        host.wait_for_errors("no connection")
        time.sleep(0.5)
        self.assert_ends_in_time(host)
        self.assertIn("points could not be delivered", host.errors())

    def test_end_while_it_hangs(self):
        server = self.serve(lambda n: Answer(seconds=60))
        host = self.emit(server.target(), "file:" + self.path("points"))
        wait_until(lambda: server.requests, "a request")
        self.assert_ends_in_time(host)
        self.assertIn("points could not be delivered", host.errors())
        self.assert_all_there(self.read("points"))


class InfluxThatHangs(InfluxCase):
    def test_an_answer_that_never_comes(self):
        """The request is given up and made again; what the server did not accept is not missing."""
        server = self.serve(lambda n: Answer(503, seconds=60) if n == 1 else Answer())
        host = self.emit(server.target())
        host.wait_for_errors("no answer")
        self.assert_arrives(host, server)


if __name__ == "__main__":
    host_case.main()
