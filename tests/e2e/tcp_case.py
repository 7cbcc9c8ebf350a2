"""One case of test_tcp_cases: the way to two ends in two namespaces, and what they have done."""

import os
import socket
import struct
import subprocess
import threading
import traceback

import harness
from harness import inside

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no time
MEASURES = ("bytes_written", "bytes_read", "tcp_established", "tcp_closed", "connect_failed", "connect_refused",
            "connect_timed_out", "connect_unreachable", "connect_reset", "connect_failed_other", "retransmits")


def receive(connection, n):
    while n:
        data = connection.recv(min(n, 1 << 16))
        assert data, f"{n} bytes are missing"
        n -= len(data)


def in_child(work):
    """work() in a process of its own, which must end well; its PID."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert status == 0, "a child failed"
    return pid


class Case:
    """The way to two ends, and what they have done: what is to be found in the points."""

    def __init__(self, name, port, link):
        self.name, self.port, self.link = name, port, link
        self.expected = []  # (tags, measures)
        self.unsent = 0  # connects that failed before there was a SYN

    # the peers

    def new_socket(self, end, family=socket.AF_INET, protocol=0):
        with inside(getattr(self.link, end)):
            made = socket.socket(family, socket.SOCK_STREAM, protocol)
        made.settimeout(20)
        return made

    def address(self, end, family=socket.AF_INET):
        return getattr(self.link, end + ("_ip6" if family == socket.AF_INET6 else "_ip"))

    def listener(self, family=socket.AF_INET, ip=None, backlog=100, protocol=0, options=(), end="server"):
        made = self.new_socket(end, family, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option in options:
            made.setsockopt(*option)
        made.bind((ip or self.address(end, family), self.port))
        made.listen(backlog)
        return made

    def connect(self, family=socket.AF_INET, ip=None, protocol=0, options=(), end="client"):
        made = self.new_socket(end, family, protocol)
        for option in options:
            made.setsockopt(*option)
        made.connect((ip or self.address("server", family), self.port))
        return made

    def pair(self, **how):
        with self.listener(**how) as listener:
            client = self.connect(**how)
            server, _ = listener.accept()
            server.settimeout(20)
        return client, server

    def nft(self, end, hook, rule):
        """A rule of the firewall for this case's port, in a table of its own."""
        rule = rule.replace("PORT", str(self.port))
        with inside(getattr(self.link, end)):
            subprocess.run(["nft", "-f", "-"], check=True, text=True, input=(
                f"table inet case{self.port} {{\nchain {hook} {{\ntype filter hook {hook} priority 0\n{rule}\n}}\n}}\n"))

    def nft_clear(self, end):
        with inside(getattr(self.link, end)):
            subprocess.run(["nft", "delete", "table", "inet", f"case{self.port}"], check=True)

    # the truth

    def expect(self, direction, tags=None, retransmits=0, only=MEASURES, **measures):
        """retransmits: a number, or None where it depends on the time. only: what is compared; zero unless told."""
        port = "dst_port" if direction == "outgoing" else "src_port"
        measures = dict.fromkeys(MEASURES, 0) | measures | {"retransmits": retransmits}
        measures = {name: value for name, value in measures.items() if name in only and value is not None}
        self.expected.append((dict(direction=direction, transport="tcp") | {port: self.port} | (tags or {}), measures))

    def expect_both(self, up, down, n=1, client=None, server=None):
        # on a machine that keeps the receiver waiting, the kernel sends the tail of much again
        again = 0 if up + down < 100_000 else None
        self.expect("outgoing", client, again, bytes_written=up, bytes_read=down, tcp_established=n, tcp_closed=n)
        self.expect("incoming", server, again, bytes_written=down, bytes_read=up, tcp_established=n, tcp_closed=n)


def exchange(client, server, up, down):
    sender = threading.Thread(target=lambda: client.sendall(bytes(up)))
    sender.start()
    receive(server, up)
    sender.join()
    sender = threading.Thread(target=lambda: server.sendall(bytes(down)))
    sender.start()
    receive(client, down)
    sender.join()


def finish(first, second):
    """An orderly end, begun by the first."""
    first.shutdown(socket.SHUT_WR)
    assert second.recv(1) == b""
    second.close()
    assert first.recv(1) == b""
    first.close()


def wait_for_unread(connection, n):
    harness.wait_for(lambda: len(connection.recv(n, socket.MSG_PEEK)) == n, 5, "unread data")


def expect_reset(connection):
    try:
        connection.recv(1)
        raise AssertionError("no reset")
    except ConnectionResetError:
        pass


def is_connected(made):
    try:
        made.getpeername()
        return True
    except OSError:
        return False


def fast_listener(case):
    return case.listener(options=[(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)])


def fast_client(case, n):
    client = case.new_socket("client")
    assert client.sendto(bytes(n), socket.MSG_FASTOPEN, (case.link.server_ip, case.port)) == n
    return client
