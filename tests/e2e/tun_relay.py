"""A link of known delay, jitter and loss between two network namespaces: a TUN device in each, and packets that wait
their time between them. (The kernels that tests run on have no netem.)

tun_relay.py NAMESPACE_A ADDRESS_A NAMESPACE_B ADDRESS_B DELAY_MS JITTER_MS LOSS: delay and jitter one way, jitter
is spread evenly around the delay and keeps packets in order; LOSS is the share that is dropped. Says "ready"; ends
with its standard input.
"""

import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import sys
import time

import harness

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def open_tun(namespace, address):
    with harness.inside(namespace):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", b"tun0", IFF_TUN | IFF_NO_PI))
        subprocess.run(["ip", "addr", "add", address + "/24", "dev", "tun0"], check=True)
        subprocess.run(["ip", "link", "set", "tun0", "up"], check=True)
    return fd


def relay(ends, delay, jitter, loss):
    waiting, order, last = [], itertools.count(), {fd: 0.0 for fd in ends}
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    chance = random.Random(1)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, fd, packet = heapq.heappop(waiting)
            os.write(fd, packet)
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for fd in select.select([*ends, 0], [], [], timeout)[0]:
            if fd == 0:
                return
            packet, now = os.read(fd, 65536), time.monotonic()
            if chance.random() < loss:
                continue
            # never before the packet that came before it
            due = last[fd] = max(last[fd], now + delay + chance.uniform(-jitter, jitter))
            heapq.heappush(waiting, (due, next(order), other[fd], packet))


def main():
    a, a_ip, b, b_ip = sys.argv[1:5]
    delay, jitter, loss = map(float, sys.argv[5:])
    ends = [open_tun(a, a_ip), open_tun(b, b_ip)]
    print("ready", flush=True)
    relay(ends, delay / 1000, jitter / 1000, loss)


main()
