"""Both ends of UDP exchanges whose bytes are known, over each of the calls there are.

udp_traffic.py server IP PORT             answers each datagram with twice its bytes, until one says "end"
udp_traffic.py client MODE IP PORT COUNT  sends COUNT datagrams of 0, 1, 2 ... bytes and takes the answers
udp_traffic.py segments IP PORT SIZE N    sends N * SIZE bytes in one call that the kernel cuts up (GSO)
The client reads a line before it begins, so that it can be started before something else.
"""

import ctypes
import os
import socket
import struct
import sys

UDP_SEGMENT = 103
libc = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(Iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("header", Msghdr), ("len", ctypes.c_uint)]


def sockaddr(ip, port):
    if ":" in ip:
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + \
            socket.inet_pton(socket.AF_INET6, ip) + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(ip) + bytes(8)


def mmsg(call, s, sizes, address=None):
    """sendmmsg or recvmmsg of so many datagrams at once; the sizes that the kernel says."""
    vector = (Mmsghdr * len(sizes))()
    keep = []
    for entry, size in zip(vector, sizes):
        data = ctypes.create_string_buffer(max(size, 1))
        iov = Iovec(ctypes.cast(data, ctypes.c_void_p), size)
        keep += [data, iov]
        entry.header.iov = ctypes.pointer(iov)
        entry.header.iovlen = 1
        if address:
            name = ctypes.create_string_buffer(address, len(address))
            keep.append(name)
            entry.header.name = ctypes.cast(name, ctypes.c_void_p)
            entry.header.namelen = len(address)
    arguments = [s.fileno(), vector, len(sizes), 0] + ([None] if call == "recvmmsg" else [])
    done = getattr(libc, call)(*arguments)
    assert done == len(sizes), (call, done, os.strerror(ctypes.get_errno()))
    return [entry.len for entry in vector]


def family(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def serve(ip, port):
    s = socket.socket(family(ip), socket.SOCK_DGRAM)
    s.bind((ip, port))
    print("ready", flush=True)
    while True:
        data, peer = s.recvfrom(65536)
        if data == b"end":
            return
        s.sendto(data + data, peer)


def exchange(s, mode, peer, size):
    data = bytes(size)
    if mode == "send":
        s.send(data)
        got = s.recv(65536)
    elif mode == "write":
        os.write(s.fileno(), data)
        got = os.read(s.fileno(), 65536)
    elif mode == "sendto":
        s.sendto(data, peer)
        got = s.recvfrom(65536)[0]
    elif mode == "sendmsg":
        s.sendmsg([data[:size // 2], data[size // 2:]], [], 0, peer)
        got = s.recvmsg(65536)[0]
    elif mode == "peek":
        s.sendto(data, peer)
        s.recvfrom(65536, socket.MSG_PEEK)
        got = s.recvfrom(65536)[0]
    assert len(got) == 2 * size


def client(mode, ip, port, count):
    s = socket.socket(family(ip), socket.SOCK_DGRAM)
    if mode in ("send", "write", "connected-mmsg"):
        s.connect((ip, port))
    print("ready", flush=True)
    sys.stdin.readline()
    if mode.endswith("mmsg"):
        address = None if mode == "connected-mmsg" else sockaddr(ip, port)
        for at in range(0, count, 4):
            mmsg("sendmmsg", s, range(at, at + 4), address)
            assert mmsg("recvmmsg", s, [65536] * 4, bytes(28)) == [2 * n for n in range(at, at + 4)]
    else:
        for size in range(count):
            exchange(s, mode, (ip, port), size)


def segments(ip, port, size, n):
    s = socket.socket(family(ip), socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    s.connect((ip, port))
    print("ready", flush=True)
    sys.stdin.readline()
    assert s.send(bytes(size * n)) == size * n
    for _ in range(n):
        assert len(s.recv(65536)) == 2 * size


def main():
    what, *rest = sys.argv[1:]
    if what == "server":
        serve(rest[0], int(rest[1]))
    elif what == "client":
        client(rest[0], rest[1], int(rest[2]), int(rest[3]))
    else:
        segments(rest[0], int(rest[1]), int(rest[2]), int(rest[3]))


main()
