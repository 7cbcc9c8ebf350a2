"""weir-host's commands: what they print, and with which code they end."""
import json
import os
import subprocess
import unittest

import host_case
from host_case import HostCase


class CommandLine(HostCase):
    def assert_usage_error(self, arguments, *words):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word, done.stderr)

    def run_arguments(self, *more):
        return ["run", "--plugin", self.plugin, "--config", self.config(), *more]

    def test_help(self):
        for arguments in (["--help"], ["-h"], ["run", "--help"]):
            done = self.call(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for word in ("run", "probe", "describe", "sample-config", "check-config", "--emit", "--for"):
                self.assertIn(word, done.stdout)

    def test_version(self):
        done = self.call("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^weir-host \d+\.\d+\.\d+\n$")

    def test_commands(self):
        self.assert_usage_error([], "no command", "--help")
        self.assert_usage_error(["walk"], 'unknown command walk')
        self.assert_usage_error(["--walk"], "unknown option --walk")

    def test_options(self):
        run = self.run_arguments
        self.assert_usage_error(run("--fast"), "unknown option --fast")
        self.assert_usage_error(run("--fast=yes"), "unknown option --fast")
        self.assert_usage_error(run("more"), 'unexpected argument "more"')
        self.assert_usage_error(run("--json"), "run takes no --json")
        self.assert_usage_error(run("--emit"), "--emit needs a value")
        self.assert_usage_error(run("--plugin", "other"), "--plugin is given twice")
        self.assert_usage_error(run("--format", "xml"), "lineproto or protobuf")
        self.assert_usage_error(["run", "--config", "x"], "run needs --plugin")
        self.assert_usage_error(["run", "--plugin", "x"], "run needs --config")
        self.assert_usage_error(["probe", "--plugin", "x", "--json=yes"], "--json takes no value")
        self.assert_usage_error(["probe", "--plugin", "x", "--emit", "stdout"], "probe takes no --emit")

    def test_durations(self):
        for text in ("", "30", "s", "-1s", "0s", "1.5s", "1 s", "30sec", "1d", "99999999999999999999s", "9999999h"):
            with self.subTest(text):
                self.assert_usage_error(self.run_arguments("--for", text), "--for")

    def test_sizes_and_numbers(self):
        for option in ("--spool-size", "--max-points"):
            for text in ("", "0", "-1", "x", "1.5", "1 KiB", "99999999999999999999", "1PiB"):
                with self.subTest((option, text)):
                    self.assert_usage_error(self.run_arguments("--spool", self.directory, option, text), option)
        self.assert_usage_error(self.run_arguments("--spool-size", "1MiB"), "goes with --spool")
        self.assert_usage_error(self.run_arguments("--gzip=yes"), "takes no value")

    def test_targets(self):
        run = self.run_arguments
        known = ("stdout", "file:PATH", "datakit:URL", "influx:URL")
        self.assert_usage_error(run("--emit", "kafka:x"), 'unknown target "kafka:x"', *known)
        self.assert_usage_error(run("--emit", "stdout:x"), "unknown target", *known)
        self.assert_usage_error(run("--emit", "file:"), "needs a path")
        self.assert_usage_error(run("--emit", "stdout", "--emit", "stdout"), "given twice")
        for url in ("", "127.0.0.1:8086", "ftp://host", "http://", "http://:1", "http://h:0", "http://h:65536",
                    "http://h:x", "http://[::1", "http://h/a b", "http://h/\x01", "http://h/\r\nX: y"):
            with self.subTest(url):
                self.assert_usage_error(run("--emit", "influx:" + url), "URL")
        for url in ("unix:", "unix:///" + 110 * "x", "http+unix://%2Fa%00b", "unix:?input=x"):
            with self.subTest(url):
                self.assert_usage_error(run("--emit", "datakit:" + url), "unix socket")
        self.assert_usage_error(run("--emit", "influx:http://h", "--format", "protobuf"), "line protocol only")

    def test_no_terminal_sequence_comes_back(self):
        done = self.call("\x1b[31mred")
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("\x1b", done.stderr)
        self.assertIn(r"\x1b[31mred", done.stderr)


class Asking(HostCase):
    def test_describe(self):
        done = self.call("describe", "--plugin", self.plugin)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["name"], "fake")

    def test_sample_config_is_a_valid_configuration(self):
        done = self.call("sample-config", "--plugin", self.plugin)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        sample = self.write("sample", done.stdout)
        done = self.call("check-config", "--plugin", self.plugin, "--config", sample)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ok\n", ""))

    def test_check_config_names_every_error(self):
        bad = self.write("bad", "points = 1\n\ninterval_ms = soon\ncolour = \"\x1b[31m\"\n")
        done = self.call("check-config", "--plugin", self.plugin, "--config", bad)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(done.stdout, "line 3: interval_ms: is not a whole number\nline 4: colour: unknown key\n")

    def test_many_errors_are_all_printed(self):
        bad = self.write("bad", "".join("key%d = 1\n" % i for i in range(5000)))
        done = self.call("check-config", "--plugin", self.plugin, "--config", bad)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stdout.splitlines()), 5000)
        self.assertIn("line 5000: key4999: unknown key\n", done.stdout)

    def test_check_config_without_a_file(self):
        for path in (self.path("missing"), self.directory):
            done = self.call("check-config", "--plugin", self.plugin, "--config", path)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("cannot read " + path, done.stderr)

    def test_probe(self):
        done = self.call("probe", "--plugin", self.plugin)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "can run  yes\n"
                                      "tier     thread\n"
                                      "why      threads are always there\n"
                                      "\n"
                                      "requirement  met  detail\n"
                                      "threads      yes  pthread\n"
                                      "a kernel     no   hostile \\x1b[31m text\n")

    def test_probe_json(self):
        done = self.call("probe", "--plugin", self.plugin, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["tier"], "thread")

    def test_probe_that_finds_nothing(self):
        for more in ([], ["--json"]):
            done = self.call("probe", "--plugin", self.plugin, *more, environment={"FAKE_PROBE": "privilege"})
            self.assertEqual((done.returncode, done.stderr), (1, ""))
            self.assertIn("CAP_FAKE", done.stdout)

    def test_probe_that_answers_nonsense(self):
        done = self.call("probe", "--plugin", self.plugin, environment={"FAKE_PROBE": "garbage"})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("{broken", done.stderr)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([os.environ["WEIR_HOST"], "describe", "--plugin", self.plugin], text=True,
                                  stdout=full, stderr=subprocess.PIPE, timeout=host_case.PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)


class PluginFile(HostCase):
    def assert_refused(self, plugin, *words, environment=None):
        """By every command, before anything happens."""
        output = self.path("points")
        for arguments in (["describe"], ["probe"], ["run", "--config", self.config(), "--emit", "file:" + output]):
            done = self.call(*arguments, "--plugin", plugin, environment=environment)
            self.assertEqual((done.returncode, done.stdout), (1, ""), arguments)
            for word in (plugin, *words):
                self.assertIn(word, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse(os.path.exists(output))

    def test_writable_by_others(self):
        for mode in (0o664, 0o646, 0o777):
            with self.subTest(oct(mode)):
                self.assert_refused(self.copy_plugin("FAKE_PLUGIN", mode), "may write it", "chmod go-w")

    def test_writable_through_a_link(self):
        os.chmod(self.plugin, 0o666)
        os.symlink(self.plugin, self.path("link.so"))
        done = self.call("describe", "--plugin", self.path("link.so"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("may write it", done.stderr)

    def test_no_plugin(self):
        self.assert_refused(self.path("missing.so"), "No such file")
        self.assert_refused(self.directory, "not a file")
        self.assert_refused(self.write("text.so", "no library"), "cannot use")

    def test_a_library_that_is_no_plugin(self):
        with open("/proc/self/maps") as maps:
            library = next(line.split()[-1] for line in maps if "/libc.so" in line or "/libc-" in line)
        self.assert_refused(library, "no function weir_plugin_entry")

    def test_a_name_without_a_slash_is_a_file_here(self):
        done = subprocess.run([os.environ["WEIR_HOST"], "describe", "--plugin", os.path.basename(self.plugin)],
                              cwd=self.directory, capture_output=True, timeout=host_case.PATIENCE)
        self.assertEqual(done.returncode, 0)

    def test_another_version(self):
        broken = self.copy_plugin("BROKEN_PLUGIN")
        for kind, words in {"no-table": ["does not speak version 1"],
                            "small-table": ["144 bytes", "152"],
                            "other-major": ["speaks version 2.0", "this host version 1"]}.items():
            with self.subTest(kind):
                self.assert_refused(broken, *words, environment={"BROKEN_PLUGIN": kind})
        self.assert_refused(broken, "gaps")


class PluginOfAnotherUser(HostCase):
    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file to another user")
    def test_refused(self):
        os.chown(self.plugin, 65534, -1)
        done = self.call("describe", "--plugin", self.plugin)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("belongs to user 65534", done.stderr)


if __name__ == "__main__":
    host_case.main()
