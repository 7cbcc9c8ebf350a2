"""weir-host run: how it starts, what it writes, how it ends."""
import os
import resource
import signal
import subprocess
import time

import host_case
from host_case import HostCase, limit_files_to, wait_until


class Starting(HostCase):
    def assert_fails(self, *words, arguments=(), **keys):
        """One clear message, and nothing left behind."""
        output = self.path("points")
        done = self.call("run", "--plugin", self.plugin, "--config", keys.pop("path", None) or self.config(**keys),
                         "--emit", "file:" + output, *arguments)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse(os.path.exists(output))

    def test_configuration_that_cannot_be_read(self):
        self.assert_fails("cannot read", "No such file", path=self.path("missing"))
        self.assert_fails("cannot read", "Is a directory", path=self.directory)
        self.assert_fails("cannot read", "larger than 1 MiB", path=self.write("large", "# much\n" * 200_000))

    def test_wrong_configuration(self):
        self.assert_fails("fake.conf: line 3: colour: unknown key", colour=1)

    def test_start_that_fails(self):
        self.assert_fails("cannot start: the address 127.0.0.1:9531 is in use",
                          start_error="the address 127.0.0.1:9531 is in use")

    def test_format_that_the_plugin_cannot(self):
        self.assert_fails("writes line protocol only", arguments=["--format", "protobuf"], only_lines=1)

    def test_file_that_cannot_be_made(self):
        for path, word in ((self.path("no/such/points"), "No such file"), (self.directory, "not a file")):
            done = self.call("run", "--plugin", self.plugin, "--config", self.config(), "--emit", "file:" + path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("file:" + path, done.stderr)
            self.assertIn(word, done.stderr)

    def test_console_is_announced_once(self):
        host = self.start("--for", "200ms", config=self.config(http="http://127.0.0.1:9531"))
        self.assertEqual(host.wait(), 0)
        lines = [line for line in host.errors().splitlines() if "console" in line]
        self.assertEqual(lines, ["weir: console on http://127.0.0.1:9531/"])

    def test_no_console_no_line(self):
        host = self.start("--for", "100ms")
        self.assertEqual(host.wait(), 0)
        self.assertEqual(host.errors(), "")

    def test_log_lines_have_time_and_level_and_no_terminal_sequences(self):
        host = self.start("--for", "100ms", config=self.config(log=r"path /\e[31m\e]0;owned", status="disk full"))
        self.assertEqual(host.wait(), 0)
        time_of = r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
        self.assertRegex(host.errors(), time_of + r"warning path /\\x1b\[31m\\x1b\]0;owned$")
        self.assertRegex(host.errors(), time_of + r"warning status: disk full$")
        self.assertNotIn("\x1b", host.errors())


class Output(HostCase):
    def test_stdout_is_the_default(self):
        host = self.start("--for", "300ms")
        self.assertEqual(host.wait(), 0)
        self.assert_all_there(host.output())

    def test_for_takes_that_long(self):
        before = time.monotonic()
        self.assertEqual(self.start("--for", "700ms").wait(), 0)
        self.assertGreaterEqual(time.monotonic() - before, 0.7)

    def test_the_last_points_are_there(self):
        """The plugin hands over once more when it stops: the first and only batch of a long interval."""
        host = self.start("--for", "100ms", config=self.config(interval_ms=60_000))
        self.assertEqual(host.wait(), 0)
        self.assert_all_there(host.output(), 5)

    def test_file_is_made_and_appended_to(self):
        config = self.config(batches=20)
        for run in range(2):
            self.assertEqual(self.start("--for", "500ms", "--emit", "file:" + self.path("points"),
                                        config=config).wait(), 0)
        text = self.read("points")
        half = len(text) // 2
        self.assert_all_there(text[:half], 100)
        self.assert_all_there(text[half:], 100)
        self.assertEqual(os.stat(self.path("points")).st_mode & 0o137, 0)

    def test_file_is_there_from_the_start(self):
        host = self.start("--emit", "file:" + self.path("points"), config=self.config(interval_ms=60_000))
        wait_until(lambda: os.path.exists(self.path("points")), "the file")
        self.assert_ends_in_time(host)

    def test_every_batch_is_in_the_file_at_once(self):
        host = self.start("--emit", "file:" + self.path("points"), config=self.config(interval_ms=50, batches=1))
        wait_until(lambda: os.path.exists(self.path("points")) and self.read("points"), "points")
        self.assert_all_there(self.read("points"), 5)
        self.assert_ends_in_time(host)

    def test_file_that_is_rotated_away(self):
        host = self.start("--emit", "file:" + self.path("points"))
        wait_until(lambda: os.path.exists(self.path("points")) and self.read("points"), "points")
        os.rename(self.path("points"), self.path("points.1"))
        wait_until(lambda: os.path.exists(self.path("points")) and self.read("points"), "points in the new file")
        self.assert_ends_in_time(host)
        self.assert_all_there(self.read("points.1") + self.read("points"))

    def test_several_targets_get_the_same(self):
        files = [self.path("a"), self.path("b")]
        host = self.start("--for", "500ms", "--emit", "file:" + files[0], "--emit", "stdout", "--emit",
                          "file:" + files[1], config=self.config(points=400))
        self.assertEqual(host.wait(), 0)
        self.assert_all_there(host.output())
        self.assertEqual(self.read("a"), host.output())
        self.assertEqual(self.read("b"), host.output())

    def test_large_batches(self):
        """Each larger than all that a target's queue may hold."""
        host = self.start("--emit", "file:" + self.path("points"),
                          config=self.config(points=200_000, batches=3), stdout=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.path("points")) and self.read("points").count("\n") == 600_000,
                   "all points")
        self.assert_ends_in_time(host)
        self.assert_all_there(self.read("points"), 600_000)

    def test_plugin_that_ignores_the_format(self):
        host = self.start("--for", "200ms", config=self.config(points_format=2))
        self.assertEqual(host.wait(), 0)
        self.assertEqual(host.output(), "")
        self.assertEqual(host.errors().count("another format than asked for"), 1)


class OutputInTrouble(HostCase):
    def test_reader_that_goes_away(self):
        host = self.start(config=self.config(points=1000), stdout=subprocess.PIPE)
        wait_until(host.output, "points")
        read, write = os.pipe()
        os.close(read)
        broken = self.start(stdout=write)
        os.close(write)
        self.assertEqual(broken.wait(), 0)
        self.assertIn("stdout: Broken pipe", broken.errors())
        self.assert_ends_in_time(host)

    def test_other_targets_get_all_when_stdout_goes_away(self):
        read, write = os.pipe()
        host = self.start("--emit", "stdout", "--emit", "file:" + self.path("points"), stdout=write)
        os.close(write)
        taken = os.read(read, 100_000).decode()
        os.close(read)
        self.assertEqual(host.wait(), 0)
        self.assert_all_there(self.read("points"))
        self.assertTrue(self.read("points").startswith(taken))

    def test_stdout_that_was_never_open(self):
        host = self.start(stdout=subprocess.DEVNULL, prepare=lambda: os.close(1))
        self.assertEqual(host.wait(), 0)
        self.assertIn("stdout: Bad file descriptor", host.errors())

    def test_reader_of_stdout_that_pauses(self):
        """Nothing is lost while it pauses, and the plugin is not held up."""
        read, write = os.pipe()
        host = self.start(config=self.config(points=1000, batches=40), stdout=write)
        os.close(write)
        time.sleep(1)
        with os.fdopen(read) as pipe:
            text = "".join(pipe.readline() for _ in range(40_000))
            self.assert_ends_in_time(host)
        self.assert_all_there(text, 40_000)

    def test_nobody_reads_stdout(self):
        read, write = os.pipe()
        host = self.start(config=self.config(points=1000), stdout=write)
        time.sleep(0.5)
        self.assert_ends_in_time(host)
        self.assertIn("points could not be delivered", host.errors())
        os.close(write)
        os.close(read)

    def test_nobody_reads_stderr(self):
        host = self.start("--emit", "file:" + self.path("points"), config=self.config(log="x" * 100, http="y" * 100),
                          read_stderr=False, prepare=self.fill_stderr)
        wait_until(lambda: os.path.exists(self.path("points")) and self.read("points").count("\n") > 50, "points")
        self.assert_ends_in_time(host)

    @staticmethod
    def fill_stderr():
        os.set_blocking(2, False)
        try:
            while True:
                os.write(2, b"." * 4096)
        except BlockingIOError:
            os.set_blocking(2, True)

    def test_full_device(self):
        host = self.start("--emit", "file:/dev/full")
        host.wait_for_errors("file:/dev/full: No space left on device")
        time.sleep(1)
        self.assert_ends_in_time(host)
        self.assertEqual(host.errors().count("No space left"), 1)
        self.assertIn("points could not be delivered", host.errors())

    def test_full_disk_that_gets_room_again(self):
        """Only whole batches are in the file while it is full; then all that waited arrives, once."""
        count = 40 * 100
        host = self.start("--emit", "file:" + self.path("points"), config=self.config(points=100, batches=40),
                          prepare=limit_files_to(50_000))
        host.wait_for_errors("File too large")
        time.sleep(0.5)
        full = self.read("points")
        self.assertEqual(len(host_case.numbers_in(full)) % 100, 0)
        resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: self.read("points").count("\n") == count, "all points")
        host.wait_for_errors("takes points again")
        self.assert_ends_in_time(host)
        self.assert_all_there(self.read("points"), count)
        self.assertEqual(host.errors().count("File too large"), 1)

    def test_full_disk_under_stdout(self):
        count = 40 * 100
        with open(self.path("points"), "w") as output:
            host = self.start(config=self.config(points=100, batches=40), stdout=output,
                              prepare=limit_files_to(50_000))
        host.wait_for_errors("stdout: File too large")
        resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: self.read("points").count("\n") == count, "all points")
        self.assert_ends_in_time(host)
        self.assert_all_there(self.read("points"), count)

    def test_directory_that_vanishes_and_comes_back(self):
        os.mkdir(self.path("d"))
        host = self.start("--emit", "file:" + self.path("d/points"))
        wait_until(lambda: os.path.exists(self.path("d/points")) and self.read("d/points"), "points")
        os.rename(self.path("d"), self.path("e"))
        host.wait_for_errors("No such file")
        os.mkdir(self.path("d"))
        wait_until(lambda: os.path.exists(self.path("d/points")) and self.read("d/points"), "points")
        self.assert_ends_in_time(host)
        self.assert_all_there(self.read("e/points") + self.read("d/points"))


class Ending(HostCase):
    def started(self, **keys):
        host = self.start(config=self.config(http="http://127.0.0.1:9531", **keys))
        host.wait_for_errors("console on")
        return host

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number.name):
                host = self.started()
                self.assert_ends_in_time(host, number)
                self.assertIn(number.name + ", stopping", host.errors())
                self.assert_all_there(host.output())

    def test_signal_before_for_is_over(self):
        host = self.start("--for", "1h")
        wait_until(host.output, "points")
        self.assert_ends_in_time(host)

    def test_second_signal_breaks_nothing(self):
        host = self.started(stop_ms=500)
        host.send(signal.SIGINT)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            time.sleep(0.1)
            host.send(number)
        self.assert_ends_in_time(host)
        self.assertEqual(host.errors().count("stopping"), 1)
        self.assert_all_there(host.output())

    def test_signal_during_a_slow_start(self):
        host = self.start("--emit", "file:" + self.path("points"), config=self.config(start_ms=60_000))
        time.sleep(0.5)
        self.assert_ends_in_time(host)
        self.assertFalse(os.path.exists(self.path("points")))

    def test_plugin_that_does_not_stop(self):
        host = self.started(stop_ms=60_000)
        code, took = host.end()
        self.assertEqual(code, 1)
        self.assertLess(took, host_case.STOPS_WITHIN)
        self.assertIn("takes too long", host.errors())

    def test_signal_during_the_end_of_for(self):
        host = self.start("--for", "100ms", config=self.config(stop_ms=60_000))
        time.sleep(1)
        code, took = host.end()
        self.assertEqual(code, 1)
        self.assertLess(took, host_case.STOPS_WITHIN)

    def test_hangup_is_ignored_under_nohup(self):
        host = self.start(prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        wait_until(host.output, "points")
        host.send(signal.SIGHUP)
        time.sleep(0.5)
        self.assertIsNone(host.process.poll())
        self.assert_ends_in_time(host)


if __name__ == "__main__":
    host_case.main()
