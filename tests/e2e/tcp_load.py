"""tcp_load.c, driven command by command."""

import subprocess

import harness

PROGRAM = harness.BUILD / "tests" / "e2e" / "tcp_load"


class TcpLoad(harness.Child):
    """A running tcp_load, in a namespace or for None in this one; `under` is what runs it, such as chrt."""

    def __init__(self, namespace, *arguments, under=()):
        self.process = subprocess.Popen(harness.in_netns(namespace, *under, PROGRAM, *arguments),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("ready")

    def expect(self, word):
        answer = self.process.stdout.readline().strip()
        assert answer == word, answer

    def do(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.expect("ok")

    def end(self):
        """What it says last; None for nothing."""
        said, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, self.process.args
        return int(said) if said else None
