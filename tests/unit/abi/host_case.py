"""What the tests of weir-host share: the programs under test, a directory of their own, a process to talk to.

The programs come from the environment: WEIR_HOST, FAKE_PLUGIN, BROKEN_PLUGIN. CTest runs one class at a time.
"""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

STOPS_WITHIN = 2.0  # seconds after a signal, the host's promise
PATIENCE = 30.0  # seconds before a test gives up; never what is measured


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def numbers_in(text):
    """The numbers of the fake plugin's points, in their order. A line that is not a whole point is an error."""
    numbers = []
    for line in text.splitlines(keepends=True):
        point = re.fullmatch(r"fake,source=thread number=(\d+)i \d{19}\n", line)
        if point is None:
            raise AssertionError("not a point: %r" % line)
        numbers.append(int(point[1]))
    return numbers


class HostProcess:
    """weir-host, running, with its output collected by threads unless a test takes a pipe for itself."""

    def __init__(self, arguments, stdout=subprocess.PIPE, read_stderr=True, environment=None, prepare=None):
        self.process = subprocess.Popen(
            [os.environ["WEIR_HOST"], *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.PIPE, env={**os.environ, **(environment or {})}, preexec_fn=prepare)
        self.stdout = self._collect(self.process.stdout) if stdout == subprocess.PIPE else None
        self.stderr = self._collect(self.process.stderr) if read_stderr else None

    def _collect(self, pipe):
        parts = []

        def read():
            while part := os.read(pipe.fileno(), 65536):
                parts.append(part)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return parts, thread

    def output(self):
        return b"".join(self.stdout[0]).decode()

    def errors(self):
        return b"".join(self.stderr[0]).decode()

    def wait_for_errors(self, text):
        wait_until(lambda: text in self.errors(), "%r on stderr, which is %r" % (text, self.errors()))

    def wait(self):
        code = self.process.wait(PATIENCE)
        for collected in (self.stdout, self.stderr):
            if collected:
                collected[1].join(PATIENCE)
        return code

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Sends the signal; the exit code and how many seconds the end took."""
        before = time.monotonic()
        self.send(number)
        code = self.process.wait(PATIENCE)
        took = time.monotonic() - before
        return self.wait() if code is None else code, took

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


class HostCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="weir-host-")
        self.addCleanup(shutil.rmtree, self.directory)
        # A copy, because the mode of what the build leaves depends on the umask of who builds.
        self.plugin = self.copy_plugin("FAKE_PLUGIN")

    def copy_plugin(self, variable, mode=0o644):
        path = self.path(os.path.basename(os.environ[variable]))
        shutil.copyfile(os.environ[variable], path)
        os.chmod(path, mode)
        return path

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def config(self, **keys):
        keys = {"interval_ms": 10, "points": 5, **keys}
        quoted = {key: '"%s"' % value if isinstance(value, str) else value for key, value in keys.items()}
        return self.write("fake.conf", "".join("%s = %s\n" % pair for pair in quoted.items()))

    def call(self, *arguments, environment=None):
        """Runs a command that ends by itself; the finished process."""
        return subprocess.run([os.environ["WEIR_HOST"], *arguments], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=PATIENCE,
                              env={**os.environ, **(environment or {})})

    def start(self, *arguments, config=None, **options):
        """`run` with the fake plugin."""
        host = HostProcess(["run", "--plugin", self.plugin, "--config", config or self.config(), *arguments],
                           **options)
        self.addCleanup(host.close)
        return host

    def assert_ends_in_time(self, host, number=signal.SIGTERM):
        code, took = host.end(number)
        self.assertEqual(code, 0)
        self.assertLess(took, STOPS_WITHIN)

    def assert_all_there(self, text, count=None):
        """Every number from 0 on, once, in order; `count` of them if that is known."""
        numbers = numbers_in(text)
        self.assertGreater(len(numbers), 0)
        self.assertEqual(numbers, list(range(len(numbers) if count is None else count)))


def limit_files_to(size):
    """For Popen: writing beyond `size` bytes fails, as on a full disk, until the limit is lifted."""
    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return prepare


def main():
    """Exit code 77, which CTest shows as skipped, when a test did not run."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    if not program.result.wasSuccessful() or program.result.testsRun == 0:
        sys.exit(1)
    sys.exit(77 if program.result.skipped else 0)
