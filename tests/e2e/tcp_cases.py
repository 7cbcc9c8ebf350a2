"""TCP as programs really use it: what test_tcp_cases runs, each on a port of its own."""

import ctypes
import errno
import os
import signal
import socket
import struct
import threading
import time

import harness
from tcp_case import (RESET_ON_CLOSE, exchange, expect_reset, fast_client, fast_listener, finish, in_child, is_connected,
                      receive, wait_for_unread)

LIBC = ctypes.CDLL(None, use_errno=True)
IPPROTO_MPTCP = 262
# No route leads there; of networks that are for documentation.
NOWHERE = {socket.AF_INET: "198.51.100.7", socket.AF_INET6: "2001:db8::7"}
AF_UNSPEC = 0


def ipv4(case):
    client, server = case.pair()
    for _ in range(3):
        exchange(client, server, 1234, 5678)
        time.sleep(0.7)
    finish(client, server)
    case.expect_both(3 * 1234, 3 * 5678, client=dict(family="IPv4", src_ip=case.link.client_ip, pid=os.getpid()),
                     server=dict(family="IPv4", dst_ip=case.link.client_ip, pid=os.getpid()))


def ipv6(case):
    client, server = case.pair(family=socket.AF_INET6)
    exchange(client, server, 1234, 567_800)
    finish(server, client)
    case.expect_both(1234, 567_800, client=dict(family="IPv6", src_ip=case.link.client_ip6, pid=os.getpid()),
                     server=dict(family="IPv6", dst_ip=case.link.client_ip6, pid=os.getpid()))


def v4_mapped(case):
    """IPv6 sockets at both ends, IPv4 between them."""
    with case.listener(family=socket.AF_INET6, ip="::") as listener:
        client = case.connect(family=socket.AF_INET6, ip="::ffff:" + case.link.server_ip)
        server, _ = listener.accept()
    exchange(client, server, 11, 22)
    finish(client, server)
    tags = dict(family="IPv4")
    case.expect_both(11, 22, client=tags | dict(src_ip=case.link.client_ip, dst_ip=case.link.server_ip),
                     server=tags | dict(src_ip=case.link.server_ip, dst_ip=case.link.client_ip))


def half_close_by_client(case):
    client, server = case.pair()
    client.sendall(bytes(100))
    client.shutdown(socket.SHUT_WR)
    receive(server, 100)
    assert server.recv(1) == b""
    for _ in range(3):  # the other half lives on
        sender = threading.Thread(target=lambda: server.sendall(bytes(300_000)))
        sender.start()
        receive(client, 300_000)
        sender.join()
        time.sleep(0.5)
    server.close()
    assert client.recv(1) == b""
    client.close()
    case.expect_both(100, 900_000)


def half_close_by_server(case):
    client, server = case.pair()
    server.sendall(bytes(200))
    server.shutdown(socket.SHUT_WR)
    receive(client, 200)
    assert client.recv(1) == b""
    for _ in range(3):
        client.sendall(bytes(1000))
        receive(server, 1000)
        time.sleep(0.5)
    client.close()
    assert server.recv(1) == b""
    server.close()
    case.expect_both(3000, 200)


def reset_with_unread_data(case):
    client, server = case.pair()
    server.sendall(bytes(5000))
    wait_for_unread(client, 5000)
    client.close()
    expect_reset(server)
    server.close()
    case.expect_both(0, 5000)


def reset_by_linger(case):
    client, server = case.pair()
    exchange(client, server, 77, 88)
    client.sendall(bytes(99))
    wait_for_unread(server, 99)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    client.close()
    time.sleep(0.2)
    server.close()
    case.expect_both(77 + 99, 88)


def accepted_but_never_read(case):
    client, server = case.pair()
    client.sendall(bytes(3000))
    time.sleep(1.5)
    server.close()
    expect_reset(client)
    client.close()
    case.expect_both(3000, 0, server=dict(pid=os.getpid()))


def never_accepted(case):
    """Three fit into the accept queue; a fourth repeats its SYN and is given up."""
    listener = case.listener(backlog=2)
    clients = [case.connect() for _ in range(3)]
    for client in clients:
        client.sendall(bytes(10))
    fourth = case.new_socket("client")
    fourth.setblocking(False)
    assert fourth.connect_ex((case.link.server_ip, case.port)) == errno.EINPROGRESS
    time.sleep(1.6)
    fourth.close()
    listener.close()
    for client in clients:
        expect_reset(client)
        client.close()
    case.expect("outgoing", bytes_written=30, tcp_established=3, tcp_closed=3, connect_failed=1, connect_timed_out=1,
                retransmits=1)
    case.expect("incoming", dict(pid=os.getpid()), bytes_read=30, tcp_established=3, tcp_closed=3)


def peer_vanishes(case):
    """What is sent to it comes back to nobody, until the kernel gives up."""
    client, server = case.pair()
    exchange(client, server, 40, 50)
    case.nft("server", "input", "tcp dport PORT drop")
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500)
    client.sendall(bytes(1000))
    try:
        client.recv(1)
        raise AssertionError("no time-out")
    except TimeoutError:
        pass
    client.close()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    server.close()
    case.expect("outgoing", bytes_written=1040, bytes_read=50, tcp_established=1, tcp_closed=1, retransmits=None)
    case.expect("incoming", bytes_written=50, bytes_read=40, tcp_established=1, tcp_closed=1)


def firewall_refuses_to_send(case):
    """The kernel cannot hand its segments to the device, and tries again when it may."""
    client, server = case.pair()
    exchange(client, server, 40, 50)
    case.nft("client", "output", "tcp dport PORT tcp flags & psh == psh limit rate over 5/second burst 1 packets drop")
    for _ in range(5):
        exchange(client, server, 3000, 10)
    finish(client, server)
    case.expect("outgoing", bytes_written=15_040, bytes_read=100, tcp_established=1, tcp_closed=1, retransmits=None)
    case.expect("incoming", bytes_written=100, bytes_read=15_040, tcp_established=1, tcp_closed=1, retransmits=None)


def refused(case):
    for family in (socket.AF_INET, socket.AF_INET6):
        for _ in range(3):
            with case.new_socket("client", family) as client:
                assert client.connect_ex((case.address("server", family), case.port)) == errno.ECONNREFUSED
    case.expect("outgoing", dict(pid=os.getpid()), connect_failed=6, connect_refused=6)


def connect_times_out(case):
    case.nft("server", "input", "tcp dport PORT drop")
    with case.new_socket("client") as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
        assert client.connect_ex((case.link.server_ip, case.port)) == errno.ETIMEDOUT
    case.expect("outgoing", dict(pid=os.getpid()), connect_failed=1, connect_timed_out=1, retransmits=None)


def unreachable(case):
    case.nft("server", "input", "tcp dport PORT reject with icmpx type host-unreachable")
    for family in (socket.AF_INET, socket.AF_INET6):
        with case.new_socket("client", family) as client:
            client.setblocking(True)
            assert client.connect_ex((case.address("server", family), case.port)) == errno.EHOSTUNREACH
    case.expect("outgoing", connect_failed=2, connect_unreachable=2, retransmits=None)


def given_up(case):
    """Closed by its program before there was an answer: at once, and after one that did not come."""
    case.nft("server", "input", "tcp dport PORT drop")
    for patience in (0, 1.5):
        client = case.new_socket("client")
        client.setblocking(False)
        assert client.connect_ex((case.link.server_ip, case.port)) == errno.EINPROGRESS
        time.sleep(patience)
        client.close()
    case.expect("outgoing", connect_failed=2, connect_reset=1, connect_timed_out=1, retransmits=1)


def address_taken(case):
    """A connect that fails before there is a SYN: another connection has the same four numbers."""
    source = (case.link.client_ip, case.port + 20_000)
    with case.listener() as listener:
        clients = [case.new_socket("client") for _ in range(2)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(source)
        clients[0].connect((case.link.server_ip, case.port))
        assert clients[1].connect_ex((case.link.server_ip, case.port)) == errno.EADDRNOTAVAIL
        clients[1].close()
        server, _ = listener.accept()
        finish(clients[0], server)
    case.unsent = 1
    case.expect("outgoing", tcp_established=1, tcp_closed=1, connect_failed=1, connect_failed_other=1)


def expect_unsent(case, n, pid=None, **tags):
    case.unsent += n
    case.expect("outgoing", dict(pid=pid or os.getpid(), **tags), connect_failed=n, connect_unreachable=n)


def no_route(case):
    """Fails before there is a SYN: the socket never changes its state."""
    for family, tag in ((socket.AF_INET, "IPv4"), (socket.AF_INET6, "IPv6")):
        with case.new_socket("client", family) as client:
            assert client.connect_ex((NOWHERE[family], case.port)) == errno.ENETUNREACH
        expect_unsent(case, 1, family=tag, dst_ip=NOWHERE[family])


def no_route_v4_mapped(case):
    with case.new_socket("client", socket.AF_INET6) as client:
        assert client.connect_ex(("::ffff:" + NOWHERE[socket.AF_INET], case.port)) == errno.ENETUNREACH
    expect_unsent(case, 1, family="IPv4", dst_ip=NOWHERE[socket.AF_INET], src_ip="0.0.0.0")


def no_route_from_an_address(case):
    with case.new_socket("client") as client:
        client.bind((case.link.client_ip, case.port + 20_000))
        assert client.connect_ex((NOWHERE[socket.AF_INET], case.port)) == errno.ENETUNREACH
    expect_unsent(case, 1, src_ip=case.link.client_ip)


def no_route_in_other_ways(case):
    """Without waiting, with data in the SYN, over several paths."""
    nowhere = (NOWHERE[socket.AF_INET], case.port)
    with case.new_socket("client") as client:
        client.setblocking(False)
        assert client.connect_ex(nowhere) == errno.ENETUNREACH
    with case.new_socket("client") as client:
        try:
            client.sendto(bytes(10), socket.MSG_FASTOPEN, nowhere)
            raise AssertionError("sent")
        except OSError as error:
            assert error.errno == errno.ENETUNREACH
    with case.new_socket("client", protocol=IPPROTO_MPTCP) as client:
        assert client.connect_ex(nowhere) == errno.ENETUNREACH
    expect_unsent(case, 3)


def routes_that_refuse(case):
    kinds = {"unreachable": errno.EHOSTUNREACH, "blackhole": errno.EINVAL, "prohibit": errno.EACCES}
    for i, (kind, error) in enumerate(kinds.items()):
        for family, ip in ((socket.AF_INET, f"198.51.100.{100 + i}"), (socket.AF_INET6, f"2001:db8::{100 + i}")):
            harness.ip(case.link.client, "route", "add", kind, ip)
            with case.new_socket("client", family) as client:
                assert client.connect_ex((ip, case.port)) == error
            expect_unsent(case, 1, dst_ip=ip)


def no_route_at_first(case):
    """The same socket, again and again: what failed is told from what did not."""
    with case.listener() as listener:
        client = case.new_socket("client")
        for _ in range(2):
            assert client.connect_ex((NOWHERE[socket.AF_INET], case.port)) == errno.ENETUNREACH
        client.connect((case.link.server_ip, case.port))
        server, _ = listener.accept()
        exchange(client, server, 5, 6)
        finish(client, server)
    expect_unsent(case, 2, dst_ip=NOWHERE[socket.AF_INET])
    case.expect("outgoing", dict(dst_ip=case.link.server_ip), bytes_written=5, bytes_read=6, tcp_established=1, tcp_closed=1)


def no_route_a_thousand_times(case):
    """By threads that go on, and by many that do it once and keep their socket."""
    nowhere = (NOWHERE[socket.AF_INET], case.port)
    kept = []

    def fail(n, keep):
        for _ in range(n):
            client = case.new_socket("client")
            assert client.connect_ex(nowhere) == errno.ENETUNREACH
            if keep:
                kept.append(client)
            else:
                client.close()

    threads = [threading.Thread(target=fail, args=(230, False)) for _ in range(4)]
    threads += [threading.Thread(target=fail, args=(1, True)) for _ in range(80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in kept:
        client.close()
    expect_unsent(case, 1000, dst_ip=NOWHERE[socket.AF_INET])


def no_route_and_gone(case):
    """A process that has ended before anybody could look at it."""
    client = case.new_socket("client")
    nowhere = (NOWHERE[socket.AF_INET], case.port)

    def fail():
        assert client.connect_ex(nowhere) == errno.ENETUNREACH

    expect_unsent(case, 1, pid=in_child(fail), dst_ip=NOWHERE[socket.AF_INET])
    client.close()


def syn_repeated(case):
    """The first one is lost."""
    listener = case.listener()
    case.nft("server", "input", "tcp dport PORT tcp flags syn limit rate 1/minute burst 1 packets drop")
    client = case.connect()
    server, _ = listener.accept()
    listener.close()
    exchange(client, server, 5, 6)
    finish(client, server)
    case.expect("outgoing", bytes_written=5, bytes_read=6, tcp_established=1, tcp_closed=1, retransmits=1)
    case.expect("incoming", bytes_written=6, bytes_read=5, tcp_established=1, tcp_closed=1)


def synack_repeated(case):
    """The first answer to a SYN is lost. How often it is repeated is up to two timers, at both ends."""
    listener = case.listener()
    case.nft("server", "output",
             "tcp sport PORT tcp flags & (syn|ack) == (syn|ack) limit rate 1/minute burst 1 packets drop")
    client = case.connect()
    server, _ = listener.accept()
    listener.close()
    exchange(client, server, 5, 6)
    finish(client, server)
    case.expect("outgoing", bytes_written=5, bytes_read=6, tcp_established=1, tcp_closed=1, retransmits=None)
    case.expect("incoming", bytes_written=6, bytes_read=5, tcp_established=1, tcp_closed=1, retransmits=None)


def inherited_by_a_child(case):
    """Both ends are made by this process and used by children of it."""
    client, server = case.pair()
    done = []

    def serve():
        done.append(in_child(lambda: (receive(server, 600), server.sendall(bytes(700)))))

    thread = threading.Thread(target=serve)
    thread.start()
    user = in_child(lambda: (client.sendall(bytes(600)), receive(client, 700)))
    thread.join()
    client.close()
    server.close()
    # what was before an interval's end, the beginning too, is of who had it then
    case.expect_both(600, 700)
    case.expect("outgoing", dict(pid=user), only=("bytes_written", "bytes_read"), bytes_written=600, bytes_read=700)
    case.expect("incoming", dict(pid=done[0]), only=("bytes_written", "bytes_read"), bytes_written=700, bytes_read=600)


def used_by_two_in_turn(case):
    """First by who made it, then by a child: nothing is lost or doubled on the way."""
    client, server = case.pair()
    for user in (lambda work: work(), in_child, lambda work: work()):
        user(lambda: client.sendall(bytes(1000)))
        receive(server, 1000)
        server.sendall(bytes(2000))
        user(lambda: receive(client, 2000))
        time.sleep(1.1)
    finish(client, server)
    case.expect_both(3000, 6000)


def passed_to_another(case):
    """Over a unix socket, with SCM_RIGHTS."""
    client, server = case.pair()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            client.close()
            _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
            got = socket.socket(fileno=fds[0])
            got.settimeout(20)
            got.sendall(bytes(321))
            receive(got, 123)
            got.close()
            code = 0
        finally:
            os._exit(code)
    socket.send_fds(ours, [b"x"], [client.fileno()])
    client.close()
    receive(server, 321)
    server.sendall(bytes(123))
    assert server.recv(1) == b""
    server.close()
    assert os.waitpid(pid, 0)[1] == 0
    ours.close()
    theirs.close()
    case.expect_both(321, 123, client=dict(pid=pid), server=dict(pid=os.getpid()))


def reuseport_workers(case):
    """Two processes that listen on one port; each counts what the kernel gave to it."""
    n, workers = 40, []
    for _ in range(2):
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                listener = case.listener(options=[(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)])
                os.write(into, b"ready\n")
                served = 0
                signal.signal(signal.SIGTERM, lambda *_: (os.write(into, b"%d\n" % served), os._exit(0)))
                while True:
                    with listener.accept()[0] as connection:
                        receive(connection, 10)
                        connection.sendall(bytes(20))
                        connection.recv(1)
                    served += 1
            finally:
                os._exit(1)
        os.close(into)
        workers.append((pid, os.fdopen(out)))
    for _, out in workers:
        assert out.readline() == "ready\n"
    for _ in range(n):
        with case.connect() as client:
            client.sendall(bytes(10))
            receive(client, 20)
    time.sleep(0.3)
    case.expect("outgoing", bytes_written=10 * n, bytes_read=20 * n, tcp_established=n, tcp_closed=n)
    together = 0
    for pid, out in workers:
        os.kill(pid, signal.SIGTERM)
        served = int(out.readline())
        os.waitpid(pid, 0)
        out.close()
        together += served
        if served:
            case.expect("incoming", dict(pid=pid), bytes_written=20 * served, bytes_read=10 * served,
                        tcp_established=served, tcp_closed=served)
    assert together == n
    case.expect("incoming", bytes_written=20 * n, bytes_read=10 * n, tcp_established=n, tcp_closed=n)


def reused_ports(case):
    """The same four numbers again and again."""
    n = 20
    with case.listener() as listener:
        for i in range(n):
            client = case.new_socket("client")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((case.link.client_ip, case.port + 20_000))
            client.connect((case.link.server_ip, case.port))
            server, _ = listener.accept()
            exchange(client, server, i, 2 * i)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            client.close()
            expect_reset(server)
            server.close()
    case.expect_both(sum(range(n)), 2 * sum(range(n)), n=n)


def both_ends_here(case):
    """In one namespace: over the loopback addresses, and over its own address."""
    for up, (family, ip) in enumerate(((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"),
                                       (socket.AF_INET, case.link.client_ip)), 1):
        with case.listener(family=family, ip=ip, end="client") as listener:
            client = case.connect(family=family, ip=ip)
            server, _ = listener.accept()
        exchange(client, server, up, 10 * up)
        finish(client, server)
        case.expect_both(up, 10 * up, client=dict(src_ip=ip, dst_ip=ip), server=dict(src_ip=ip, dst_ip=ip))


def connected_to_itself(case):
    """One socket that is both ends."""
    with case.new_socket("client") as both:
        both.bind(("127.0.0.1", case.port))
        both.connect(("127.0.0.1", case.port))
        both.sendall(bytes(500))
        receive(both, 500)
    case.expect("outgoing", bytes_written=500, bytes_read=500, tcp_established=1, tcp_closed=1)


def simultaneous_open(case):
    """Both ends connect, and neither listens: the first SYNs are lost, the second ones cross."""
    ends = {"client": case.new_socket("client"), "server": case.new_socket("server")}
    for end in ends:
        case.nft(end, "input", "tcp dport PORT tcp flags syn limit rate 1/minute burst 1 packets drop")
    for end, made in ends.items():
        made.bind((case.address(end), case.port))
        made.setblocking(False)
        peer = case.address("server" if end == "client" else "client")
        assert made.connect_ex((peer, case.port)) == errno.EINPROGRESS
    for made in ends.values():
        made.settimeout(20)
        harness.wait_for(lambda m=made: is_connected(m), 10, "a simultaneous open")
    exchange(ends["client"], ends["server"], 31, 41)
    finish(ends["client"], ends["server"])
    for end, written, read in (("client", 31, 41), ("server", 41, 31)):
        case.expect("outgoing", dict(src_ip=case.address(end)), bytes_written=written, bytes_read=read,
                    tcp_established=1, tcp_closed=1, retransmits=None)


def reconnected(case):
    """One socket, three connections one after the other, ended by a connect to nowhere."""
    nowhere = struct.pack("H14x", AF_UNSPEC)
    with case.listener() as listener, case.new_socket("client") as client:
        for i in range(1, 4):
            client.connect((case.link.server_ip, case.port))
            server, _ = listener.accept()
            exchange(client, server, i, 100 * i)
            if i == 2:
                time.sleep(1.2)
            assert LIBC.connect(client.fileno(), nowhere, len(nowhere)) == 0
            expect_reset(server)
            server.close()
    case.expect_both(6, 600, n=3, client=dict(pid=os.getpid()))


def listener_again(case):
    """Closed and made anew, and shut down and made to listen again."""
    for _ in range(2):
        client, server = case.pair()
        exchange(client, server, 3, 4)
        finish(client, server)
    with case.listener() as listener:
        listener.shutdown(socket.SHUT_RDWR)
        with case.new_socket("client") as client:
            assert client.connect_ex((case.link.server_ip, case.port)) == errno.ECONNREFUSED
        listener.listen(5)
        client = case.connect()
        server, _ = listener.accept()
        exchange(client, server, 3, 4)
        finish(client, server)
    case.expect("outgoing", bytes_written=9, bytes_read=12, tcp_established=3, tcp_closed=3, connect_failed=1,
                connect_refused=1)
    case.expect("incoming", bytes_written=12, bytes_read=9, tcp_established=3, tcp_closed=3)


def fast_open(case):
    """Data in the SYN."""
    n = 4
    with fast_listener(case) as listener:
        for i in range(n):
            client = fast_client(case, 100)
            server, _ = listener.accept()
            receive(server, 100)
            server.sendall(bytes(50))
            receive(client, 50)
            finish(*((client, server) if i % 2 else (server, client)))
    case.expect_both(100 * n, 50 * n, n=n, client=dict(pid=os.getpid()), server=dict(pid=os.getpid()))


def fast_open_answered_early(case):
    """The server has answered and closed before the handshake was done."""
    case.nft("client", "output", "tcp dport PORT tcp flags & (syn|ack) == ack drop")
    with fast_listener(case) as listener:
        client = fast_client(case, 100)
        server, _ = listener.accept()
        receive(server, 100)
        server.sendall(bytes(50))
        server.close()
    time.sleep(0.3)
    case.nft_clear("client")
    receive(client, 50)
    assert client.recv(1) == b""
    client.close()
    case.expect("outgoing", bytes_written=100, bytes_read=50, tcp_established=1, tcp_closed=1, retransmits=None)
    case.expect("incoming", dict(pid=os.getpid()), bytes_written=50, bytes_read=100, tcp_established=1, tcp_closed=1,
                retransmits=None)


def multipath(case):
    client, server = case.pair(protocol=IPPROTO_MPTCP)
    for i in range(20):  # in small pieces: long ones may be sent on the subflow twice
        exchange(client, server, 700, 800)
        time.sleep(0.1)
    finish(client, server)
    time.sleep(0.3)
    case.expect_both(14_000, 16_000, client=dict(pid=os.getpid()), server=dict(pid=os.getpid()))


def bulk(case):
    """Both directions at once, through many walks."""
    up, down = 40_000_000, 60_000_000
    client, server = case.pair()
    threads = [threading.Thread(target=work) for work in
               (lambda: client.sendall(bytes(up)), lambda: server.sendall(bytes(down)), lambda: receive(server, up))]
    for thread in threads:
        thread.start()
    receive(client, down)
    for thread in threads:
        thread.join()
    finish(client, server)
    case.expect("outgoing", bytes_written=up, bytes_read=down, tcp_established=1, tcp_closed=1, retransmits=None)
    case.expect("incoming", bytes_written=down, bytes_read=up, tcp_established=1, tcp_closed=1, retransmits=None)


def many_short_ones(case):
    n = 1000
    with case.listener(backlog=500) as listener:
        for i in range(n):
            client = case.connect()
            server, _ = listener.accept()
            client.sendall(bytes(i % 97 + 1))
            receive(server, i % 97 + 1)
            server.sendall(bytes(i % 89))
            server.close()
            receive(client, i % 89)
            assert client.recv(1) == b""
            client.close()
    case.expect_both(sum(i % 97 + 1 for i in range(n)), sum(i % 89 for i in range(n)), n=n,
                     client=dict(pid=os.getpid()), server=dict(pid=os.getpid()))


# Those that have children come first and one by one, so that no child inherits another case's sockets.
FORKING = (inherited_by_a_child, used_by_two_in_turn, passed_to_another, reuseport_workers, no_route_and_gone)
SIDE_BY_SIDE = (ipv4, ipv6, v4_mapped, half_close_by_client, half_close_by_server, reset_with_unread_data,
                reset_by_linger, accepted_but_never_read, never_accepted, peer_vanishes, firewall_refuses_to_send,
                refused, connect_times_out, unreachable, given_up, address_taken, syn_repeated, synack_repeated,
                reused_ports, both_ends_here, connected_to_itself, simultaneous_open, reconnected, listener_again,
                fast_open, fast_open_answered_early, multipath, bulk, many_short_ones, no_route, no_route_v4_mapped,
                no_route_from_an_address, no_route_in_other_ways, routes_that_refuse, no_route_at_first,
                no_route_a_thousand_times)
