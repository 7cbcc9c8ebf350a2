"""Starting and stopping: a hundred times in one process, by signals, and with everything that can be wrong."""

import json
import os

import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import harness
from harness import BUILD, HOST, PLUGIN, Weir


def run_host(*arguments, environment=None):
    return subprocess.run([HOST, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(environment or {})})


class Cycles(unittest.TestCase):
    def test_a_hundred_cycles_leave_nothing(self):
        """c_host checks threads, descriptors, mappings and the process's settings; the kernel's objects are
        counted here."""
        before = harness.bpf_objects()
        with tempfile.TemporaryDirectory() as directory:
            config = os.path.join(directory, "c.toml")
            with open(config, "w") as file:
                file.write(f'[[inputs.weir]]\ninterval="1s"\nloopback="keep"\n[inputs.weir.store]\npath="{directory}/store"\n'
                           '[inputs.weir.http]\nlisten="127.0.0.1:0"\n')
            ending = threading.Event()
            talker = threading.Thread(target=talk_on_loopback, args=(ending,))
            talker.start()
            try:
                done = subprocess.run([BUILD / "tests/unit/abi/c_host", PLUGIN, config, "100"],
                                      capture_output=True, text=True, timeout=600)
            finally:
                ending.set()
                talker.join()
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        harness.wait_until_detached(before)

    def test_one_symbol(self):
        listed = subprocess.run(["nm", "-D", "--defined-only", PLUGIN], capture_output=True, text=True, check=True).stdout
        self.assertEqual([line.split()[-1] for line in listed.splitlines()], ["weir_plugin_entry"])


def talk_on_loopback(ending):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        while not ending.is_set():
            with socket.create_connection(listener.getsockname()) as client:
                served, _ = listener.accept()
                client.sendall(b"x" * 100)
                served.recv(100)
                served.close()
            time.sleep(0.02)


class Signals(unittest.TestCase):
    def test_sigterm_and_sigint_end_it_within_two_seconds(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            before = harness.bpf_objects()
            with Weir() as weir:
                self.assertGreater(harness.bpf_objects(), 0)
                started = time.monotonic()
                weir.process.send_signal(number)
                self.assertEqual(weir.process.wait(5), 0, weir.log())
                self.assertLess(time.monotonic() - started, 2)
            harness.wait_until_detached(before)

    def test_with_clients_connected_that_say_nothing(self):
        with Weir() as weir:
            port = int(weir.url.rsplit(":", 1)[1])
            silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
            self.assertTrue(weir.api("status")["healthy"])
            started = time.monotonic()
            weir.stop()
            self.assertLess(time.monotonic() - started, 2)
            for s in silent:
                s.close()

    def test_for_ends_by_itself(self):
        with tempfile.TemporaryDirectory() as directory:
            started = time.monotonic()
            done = run_host("run", "--plugin", PLUGIN, "--config", "/dev/null", "--emit", f"file:{directory}/p", "--for", "2s",
                            environment={"WEIR_STORE_PATH": directory + "/s", "WEIR_HTTP_LISTEN": "127.0.0.1:0"})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertLess(time.monotonic() - started, 5)


class Mistakes(unittest.TestCase):
    """Each gives one clear message, a status that is not 0, and leaves nothing behind."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        self.before = harness.bpf_objects()

    def tearDown(self):
        harness.wait_until_detached(self.before)
        self.assertEqual(os.listdir(self.directory), self.left if hasattr(self, "left") else [])

    def start(self, expected, environment=None, config="/dev/null", command=()):
        environment = {"WEIR_STORE_PATH": self.directory + "/store", "WEIR_HTTP_LISTEN": "127.0.0.1:0", **(environment or {})}
        done = subprocess.run([*command, HOST, "run", "--plugin", PLUGIN, "--config", config, "--for", "20s", "--emit", "stdout"],
                              capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, expected)
        self.assertEqual(done.stdout, "")
        message = [line for line in done.stderr.splitlines() if " info " not in line]
        self.assertEqual(len(message), 1, done.stderr)

    def test_no_privileges(self):
        self.start("CAP_BPF and CAP_PERFMON", command=["setpriv", "--bounding-set=-all", "--inh-caps=-all"])

    def test_no_btf(self):
        self.start("/sys/kernel/btf/vmlinux",
                   command=["unshare", "-m", "--propagation", "unchanged", "sh", "-c", "mount --make-rprivate /sys && "
                            'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"])

    def test_busy_port(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.start("address already in use", {"WEIR_HTTP_LISTEN": f"127.0.0.1:{taken.getsockname()[1]}"})

    def test_store_path_that_cannot_be_written(self):
        self.start("/proc/weir-cannot-be-here", {"WEIR_STORE_PATH": "/proc/weir-cannot-be-here"})

    def test_store_in_use(self):
        self.left = ["store"]
        with Weir() as weir:
            self.start("store", {"WEIR_STORE_PATH": str(weir.store)})
        self.left = []

    def test_bad_configuration(self):
        path = self.directory + ".toml"
        with open(path, "w") as file:
            file.write('[[inputs.weir]]\ninterval = "never"\n')
        try:
            self.start("line 2: interval", config=path)
            checked = run_host("check-config", "--plugin", PLUGIN, "--config", path)
            self.assertEqual(checked.returncode, 1)
            self.assertIn("line 2: interval", checked.stdout + checked.stderr)
        finally:
            os.unlink(path)

    def test_other_addresses_need_a_token(self):
        self.start("token", {"WEIR_HTTP_LISTEN": "0.0.0.0:0"})


class SelfDescription(unittest.TestCase):
    def test_probe(self):
        done = run_host("probe", "--plugin", PLUGIN, "--json")
        self.assertEqual(done.returncode, 0)
        report = json.loads(done.stdout)
        self.assertEqual(report["tier"], "tracepoint")
        self.assertTrue(all(r["met"] for r in report["requirements"]))

    def test_probe_without_privileges(self):
        done = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", HOST, "probe", "--plugin", PLUGIN],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CAP_BPF", done.stdout)

    def test_describe_names_what_points_hold(self):
        description = json.loads(run_host("describe", "--plugin", PLUGIN).stdout)
        self.assertEqual({m["name"] for m in description["measurements"]}, {"netflow", "httpflow", "dnsflow"})

    def test_the_sample_is_accepted(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(run_host("sample-config", "--plugin", PLUGIN).stdout)
            file.flush()
            self.assertEqual(run_host("check-config", "--plugin", PLUGIN, "--config", file.name).returncode, 0)


class Access(unittest.TestCase):
    def test_a_token_is_asked_for(self):
        token = "correct-horse-battery-staple"
        with Weir() as weir:
            weir.stop()
            weir.config.write_text(weir.config.read_text() + f'token = "{token}"\n')
            weir.start()
            with self.assertRaises(urllib.error.HTTPError) as refused:
                weir.api("summary")
            self.assertEqual(refused.exception.code, 401)
            request = urllib.request.Request(weir.url + "/api/v1/summary", headers={"Authorization": "Bearer " + token})
            self.assertEqual(urllib.request.urlopen(request).status, 200)
            self.assertNotIn(token, weir.log())

    def test_a_foreign_host_or_origin_is_refused(self):
        with Weir() as weir:
            for header in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                request = urllib.request.Request(weir.url + "/api/v1/summary", headers=header)
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(request)
                self.assertEqual(refused.exception.code, 403, header)


if __name__ == "__main__":
    harness.main()
