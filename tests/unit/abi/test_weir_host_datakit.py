"""weir-host run --emit datakit: every point arrives once, in requests as the agent wants them."""
import glob
import json
import os
import signal
import threading
import time

import host_case
from host_case import HostCase, numbers_in, wait_until
from points_server import RESET, Answer, DataKit, InfluxServer, free_port

BATCHES = 10
POINTS = 700
ALL = BATCHES * POINTS


class DataKitCase(HostCase):
    def serve(self, *arguments, kind=DataKit, **options):
        server = kind(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def emit(self, *targets, options=(), keys=None, **more):
        words = [word for target in targets for word in ("--emit", target)]
        keys = {"batches": BATCHES, "points": POINTS, **(keys or {})}
        return self.start(*words, *options, config=self.config(**keys), **more)

    def assert_arrives(self, host, server, count=ALL):
        wait_until(lambda: server.count() >= count or server.complaints, "%d points" % count)
        self.assertEqual(server.complaints, [])
        self.assert_ends_in_time(host)
        self.assert_all_there(server.text(), count)


class DataKitTakesAll(DataKitCase):
    def assert_each_way(self, **options):
        for words, content_type in (((), DataKit.LINES), (("--format", "protobuf"), DataKit.PROTOBUF)):
            for gzip in ((), ("--gzip",)):
                with self.subTest(words + gzip):
                    server = self.serve(**options)
                    self.assert_arrives(self.emit(server.target(), options=words + gzip), server)
                    path, headers = server.requests[0]
                    self.assertEqual(path, "/v1/write/network?input=weir")
                    self.assertEqual(headers["Content-Type"], content_type)
                    self.assertEqual(headers.get("Content-Encoding"), "gzip" if gzip else None)
                    # 700 points are three requests: 256, 256 and 188
                    self.assertEqual(len(server.requests), 3 * BATCHES)
                    server.close()

    def test_over_tcp(self):
        self.assert_each_way()

    def test_over_a_unix_socket(self):
        self.assert_each_way(path=self.path("datakit.sock"))

    def test_the_plugins_last_error(self):
        server = self.serve()
        host = self.emit(server.target(), keys={"status": 'the "disk" is full'})
        wait_until(lambda: server.errors, "the error")
        self.assert_arrives(host, server)
        [(content_type, body)] = server.errors
        self.assertEqual(content_type, "application/json")
        self.assertEqual(json.loads(body), {"input": "weir", "source": "weir", "err_content": 'the "disk" is full'})

    def test_ways_to_write_a_unix_socket(self):
        path = self.path("datakit.sock")
        server = self.serve(path=path)
        route = "/v1/write/network?input=mine"
        for word, wanted in (("unix:" + path, "/v1/write/network?input=weir"),
                             ("unix:" + path + ":" + route, route),
                             ("http+unix://" + path.replace("/", "%2F") + route, route)):
            with self.subTest(word):
                before = server.count()
                host = self.emit("datakit:" + word)
                wait_until(lambda: server.count() == before + ALL, "all points")
                self.assert_ends_in_time(host)
                self.assertEqual(server.requests[-1][0], wanted)

    def test_route_and_query_of_the_user(self):
        server = self.serve()
        self.assert_arrives(self.emit(server.target("?precision=n")), server)
        self.assertEqual(server.requests[0][0], "/v1/write/network?precision=n&input=weir")

    def test_points_in_a_request(self):
        for words in ((), ("--format", "protobuf")):
            server = self.serve(most_points=100)
            self.assert_arrives(self.emit(server.target(), options=("--max-points", "100", *words)), server)
            self.assertEqual(len(server.requests), 7 * BATCHES)

    def test_protobuf_in_a_file_is_one_message(self):
        server = self.serve(most_points=ALL)
        host = self.emit("file:" + self.path("points"), server.target(), options=("--format", "protobuf"))
        wait_until(lambda: server.count() == ALL, "all points")
        self.assert_ends_in_time(host)
        with open(self.path("points"), "rb") as file:
            self.assertEqual(server.lines(DataKit.PROTOBUF, file.read()), server.text())


class DataKitInTrouble(DataKitCase):
    def test_rate_limit(self):
        """429 whenever a client is faster than 50 requests a second after a burst of 5."""
        state = {"tokens": 5.0, "at": time.monotonic()}
        lock = threading.Lock()

        def limited(_):
            with lock:
                now = time.monotonic()
                state["tokens"] = min(5.0, state["tokens"] + (now - state["at"]) * 50)
                state["at"] = now
                if state["tokens"] < 1:
                    return Answer(429, "reach max API rate limit")
                state["tokens"] -= 1
                return Answer(200)

        server = self.serve(limited)
        self.assert_arrives(self.emit(server.target(), keys={"points": 256, "batches": 60}), server, 256 * 60)
        self.assertLess(len(server.requests), 3 * 60)

    def test_storm_of_429_and_500(self):
        def storm(n):
            return Answer(200) if n % 5 == 4 else Answer((429, 500, 503, 502)[n % 4], "no")

        server = self.serve(storm)
        self.assert_arrives(self.emit(server.target(), keys={"batches": 2}), server, 2 * POINTS)

    def test_connections_that_break(self):
        server = self.serve(lambda n: (Answer(200), RESET, None)[n % 3], path=self.path("datakit.sock"))
        self.assert_arrives(self.emit(server.target(), options=("--format", "protobuf"), keys={"batches": 4}), server,
                            4 * POINTS)
        server = self.serve(lambda n: (RESET, Answer(200), None)[n % 3])
        self.assert_arrives(self.emit(server.target(), keys={"batches": 4}), server, 4 * POINTS)

    def test_restart(self):
        for options in ({}, {"path": self.path("datakit.sock")}):
            first = self.serve(**options)
            host = self.emit(first.target(), keys={"batches": 100})
            wait_until(lambda: first.count() > 5 * POINTS, "points")
            first.close()
            host.wait_for_errors("points wait until it takes them")
            time.sleep(1)
            second = self.serve(**({"port": first.port} if first.port else options))
            wait_until(lambda: first.count() + second.count() >= 100 * POINTS, "all points")
            self.assert_ends_in_time(host)
            self.assert_all_there(first.text() + second.text(), 100 * POINTS)
            second.close()

    def test_route_that_comes_later(self):
        """Nothing is wrong with the points, so none is dropped."""
        server = self.serve(lambda n: Answer((404, 401, 403)[n], "not yet") if n < 3 else Answer(200))
        self.assert_arrives(self.emit(server.target()), server)

    def test_refused_points_are_dropped_and_counted(self):
        server = self.serve(lambda n: Answer(400, "bad points") if n == 1 else Answer(200))
        host = self.emit(server.target())
        wait_until(lambda: server.count() >= ALL - 256, "the other points")
        self.assert_ends_in_time(host)
        self.assertEqual(numbers_in(server.text()), [*range(256), *range(512, ALL)])
        self.assertIn("HTTP 400: bad points; 256 points dropped so far", host.errors())

    def test_requests_that_are_too_large(self):
        for words in ((), ("--format", "protobuf")):
            server = self.serve(most_bytes=1500)
            host = self.emit(server.target(), options=words, keys={"batches": 3})
            wait_until(lambda: server.count() >= 3 * POINTS, "all points")
            self.assert_ends_in_time(host)
            self.assert_all_there(server.text(), 3 * POINTS)
            self.assertTrue(all(complaint.endswith(" bytes") for complaint in server.complaints))

    def test_one_point_that_is_too_large(self):
        server = self.serve(lambda n: Answer(413, "too much"))
        host = self.emit(server.target(), keys={"batches": 1, "points": 4})
        host.wait_for_errors("too much")
        wait_until(lambda: len(server.requests) == 7, "each point by itself")
        self.assert_ends_in_time(host)
        self.assertIn("4 points were refused and dropped in all", host.errors())

    def test_batch_that_a_server_fails_over(self):
        """It is tried for as long as --give-up-after says, then dropped, and the rest goes on."""
        failed = {}

        def fails(n):
            failed.setdefault("first", time.monotonic())
            return Answer(500, "boom") if time.monotonic() < failed["first"] + 1.0 else Answer(200)

        server = self.serve(fails)
        host = self.emit(server.target(), options=("--give-up-after", "700ms"))
        wait_until(lambda: server.count() >= ALL - 256, "the other points")
        self.assert_ends_in_time(host)
        self.assertEqual(numbers_in(server.text()), list(range(256, ALL)))
        self.assertIn("HTTP 500: boom; 256 points dropped so far", host.errors())

    def test_unavailable_is_never_given_up(self):
        server = self.serve(lambda n: Answer(503) if n < 6 else Answer(200))
        self.assert_arrives(self.emit(server.target(), options=("--give-up-after", "1ms")), server)


class DataKitThatHangs(DataKitCase):
    def test_an_answer_that_never_comes(self):
        server = self.serve(lambda n: Answer(503, seconds=60) if n == 1 else Answer(200))
        host = self.emit(server.target())
        host.wait_for_errors("no answer")
        self.assert_arrives(host, server)

    def test_a_listener_that_accepts_nothing(self):
        """Neither the other target nor the end waits for it."""
        import socket
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path("full.sock"))
            listener.listen(0)
            waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(self.path("full.sock"))
            steady = self.serve()
            host = self.emit("datakit:unix:" + self.path("full.sock"), steady.target())
            wait_until(lambda: steady.count() == ALL, "all points")
            self.assert_ends_in_time(host)
            for one in waiting:
                one.close()


class SeveralTargets(DataKitCase):
    def test_one_that_is_down_holds_nobody_up(self):
        """Many times more batches than a queue holds arrive at the others while one is down, and there later."""
        port = free_port()
        steady = self.serve()
        influx = self.serve(kind=InfluxServer)
        host = self.emit("datakit:http://127.0.0.1:%d" % port, steady.target(), influx.target(),
                         "file:" + self.path("points"), keys={"batches": 300, "points": 300})
        wait_until(lambda: min(steady.count(), influx.count()) >= 90_000, "all points at the others")
        late = self.serve(port=port)
        wait_until(lambda: late.count() >= 90_000, "all points")
        self.assert_ends_in_time(host)
        for text in (late.text(), steady.text(), influx.text(), self.read("points")):
            self.assert_all_there(text, 90_000)

    def test_what_memory_does_not_hold_is_counted(self):
        steady = self.serve(kind=InfluxServer)
        host = self.emit("datakit:http://127.0.0.1:%d" % free_port(), steady.target(),
                         keys={"batches": 12, "points": 200_000})
        wait_until(lambda: steady.count() >= 2_400_000, "all points at the other")
        self.assert_ends_in_time(host)
        self.assert_all_there(steady.text(), 2_400_000)
        self.assertRegex(host.errors(), r"warning datakit:\S+ \d+00000 points were dropped in all while it took none")


class Spooling(DataKitCase):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.down = "datakit:http://127.0.0.1:%d" % self.port
        self.spool = ("--spool", self.path("spool"))

    def spooled(self, ending=".lp"):
        files = glob.glob(self.path("spool/datakit-*/*" + ending))
        return sum(int(os.path.basename(file).split("-")[1]) for file in files)

    def collect_while_down(self, number=signal.SIGTERM, options=(), **keys):
        host = self.emit(self.down, options=(*self.spool, *options), keys=keys)
        wait_until(lambda: self.spooled() + self.spooled(".pb") == ALL, "all points in the spool")
        host.send(number)
        host.wait()
        return host

    def run_again(self, server, expected):
        """What waited arrives before the one point that this run has itself, at its end."""
        host = self.emit(self.down, options=self.spool, keys={"interval_ms": 60_000, "points": 1})
        wait_until(lambda: server.count() >= len(expected), "what waited")
        self.assert_ends_in_time(host)
        self.assertEqual(numbers_in(server.text()), [*expected, 0])

    def test_what_waits_arrives_in_the_next_run(self):
        host = self.collect_while_down()
        self.assertIn("%d points wait in the spool for the next run" % ALL, host.errors())
        server = self.serve(port=self.port)
        again = self.emit(self.down, options=self.spool)
        wait_until(lambda: server.count() >= 2 * ALL, "the points of both runs")
        self.assert_ends_in_time(again)
        self.assertEqual(numbers_in(server.text()), [*range(ALL), *range(ALL)])
        self.assertEqual(self.spooled(), 0)

    def test_kill(self):
        self.collect_while_down(signal.SIGKILL)
        server = self.serve(port=self.port)
        self.run_again(server, range(ALL))

    def test_restart_of_the_target_during_the_run(self):
        host = self.emit(self.down, options=(*self.spool, "--format", "protobuf"))
        wait_until(lambda: self.spooled(".pb") == ALL, "all points in the spool")
        server = self.serve(port=self.port)
        self.assert_arrives(host, server)
        self.assertEqual(self.spooled(".pb"), 0)

    def test_too_large_for_the_target(self):
        self.collect_while_down()
        server = self.serve(port=self.port, most_bytes=1500)
        self.run_again(server, range(ALL))
        self.assertEqual(self.spooled(), 0)

    def test_full_spool_holds_the_plugin_up(self):
        host = self.emit(self.down, options=(*self.spool, "--spool-size", "100KiB"))
        host.wait_for_errors("points wait")
        time.sleep(1)
        files = glob.glob(self.path("spool/*/*.lp"))
        self.assertLessEqual(sum(map(os.path.getsize, files)), 100 << 10)
        self.assertGreater(len(files), 0)
        server = self.serve(port=self.port)
        self.assert_arrives(host, server)

    def test_another_format_stays(self):
        self.collect_while_down(options=("--format", "protobuf"))
        server = self.serve(port=self.port)
        self.assert_arrives(self.emit(self.down, options=self.spool), server)
        self.assertEqual(self.spooled(".pb"), ALL)

    def test_damaged_file_stays(self):
        self.collect_while_down()
        first = sorted(glob.glob(self.path("spool/*/*.lp")))[0]
        os.truncate(first, 10)
        server = self.serve(port=self.port)
        self.run_again(server, range(256, ALL))
        self.assertTrue(os.path.exists(first))

    def test_spool_in_use(self):
        host = self.emit(self.down, options=self.spool)
        host.wait_for_errors("points wait")
        second = self.call("run", "--plugin", self.plugin, "--config", self.config(), "--emit", self.down, *self.spool)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another process uses it", second.stderr)
        self.assert_ends_in_time(host)

    def test_spool_that_cannot_be_made(self):
        self.write("file", "")
        done = self.call("run", "--plugin", self.plugin, "--config", self.config(), "--emit", self.down,
                         "--spool", self.path("file"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot spool in", done.stderr)


if __name__ == "__main__":
    host_case.main()
