"""Translated connections: a client, a router that translates as kube-proxy does, and two servers behind it, each in a
network namespace of its own. The client knows the service's address only."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import harness
from harness import Weir, in_netns, sh, total, wait_for

SERVICE, SERVICE_PORT = "10.96.77.1", 80
SERVICE6 = "fd00:96::1"
BACKEND_PORT = 8080

ECHO = textwrap.dedent("""
    import socket, sys, threading
    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((sys.argv[1], int(sys.argv[2])))
    def datagrams():
        while True:
            data, peer = udp.recvfrom(65536)
            udp.sendto(data * 2, peer)
    threading.Thread(target=datagrams, daemon=True).start()
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family, backlog=512)
    print("ready", flush=True)
    def serve(connection):
        while data := connection.recv(65536):
            connection.sendall(data * 2)
        connection.close()
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    """)

# connects N times, sends SIZE bytes on each and reads twice as many
CLIENT = textwrap.dedent("""
    import socket, sys
    address, port, n, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    for _ in range(n):
        s = socket.create_connection((address, port), timeout=10)
        s.sendall(b"x" * size)
        got = 0
        while got < 2 * size:
            got += len(s.recv(65536))
        s.close()
    """)


class Cluster:
    """client --- router --- backend 1, backend 2. The router translates the service's address."""

    def __init__(self, masquerade):
        tag = f"{os.getpid()}"
        self.client, self.router = f"wn-c{tag}", f"wn-r{tag}"
        self.backends = [f"wn-b{tag}", f"wn-d{tag}"]
        base = f"10.{100 + os.getpid() % 90}"
        self.client_ip, self.router_ip = f"{base}.0.2", f"{base}.0.1"
        self.backend_ips = [f"{base}.1.2", f"{base}.2.2"]
        self.backend_ips6 = ["fd00:b1::2", "fd00:b2::2"]
        self.masquerade = masquerade
        self.processes = []

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self):
        for name in (self.client, self.router, *self.backends):
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        self._join(self.client, "c", self.client_ip, self.router_ip, "fd00:c::2", "fd00:c::1")
        for i, (backend, address) in enumerate(zip(self.backends, self.backend_ips)):
            self._join(backend, f"b{i}", address, address[:-1] + "1", self.backend_ips6[i],
                       self.backend_ips6[i][:-1] + "1")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            sh(*in_netns(self.router, "sysctl", "-qw", f"{key}=1"))
        one, two = self.backend_ips
        masquerade = "ip saddr != 127.0.0.1 masquerade" if self.masquerade else ""
        rules = f"""
            table ip nat {{
              chain pre {{
                type nat hook prerouting priority -100;
                ip daddr {SERVICE} tcp dport {SERVICE_PORT} dnat to numgen inc mod 2 map {{ 0 : {one} . {BACKEND_PORT}, 1 : {two} . {BACKEND_PORT} }}
                ip daddr {SERVICE} udp dport {SERVICE_PORT} dnat to {one}:{BACKEND_PORT}
              }}
              chain post {{
                type nat hook postrouting priority 100;
                {masquerade}
              }}
            }}
            table ip6 nat {{
              chain pre {{
                type nat hook prerouting priority -100;
                ip6 daddr {SERVICE6} tcp dport {SERVICE_PORT} dnat to [{self.backend_ips6[1]}]:{BACKEND_PORT}
              }}
            }}
            """
        subprocess.run(in_netns(self.router, "nft", "-f", "-"), input=rules, text=True, check=True)
        for backend, addresses in zip(self.backends, zip(self.backend_ips, self.backend_ips6)):
            for address in addresses:
                process = subprocess.Popen(in_netns(backend, sys.executable, "-c", ECHO, address, BACKEND_PORT),
                                           stdout=subprocess.PIPE, text=True)
                self.processes.append(process)
                assert process.stdout.readline() == "ready\n"

    def _join(self, name, link, address, gateway, address6, gateway6):
        sh("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", link, "netns", self.router)
        sh("ip", "-n", name, "addr", "add", address + "/24", "dev", "eth0")
        sh("ip", "-n", name, "addr", "add", address6 + "/64", "dev", "eth0", "nodad")
        sh("ip", "-n", self.router, "addr", "add", gateway + "/24", "dev", link)
        sh("ip", "-n", self.router, "addr", "add", gateway6 + "/64", "dev", link, "nodad")
        sh("ip", "-n", name, "link", "set", "eth0", "up")
        sh("ip", "-n", self.router, "link", "set", link, "up")
        sh("ip", "-n", name, "route", "add", "default", "via", gateway)
        sh("ip", "-n", name, "-6", "route", "add", "default", "via", gateway6)

    def __exit__(self, *_):
        for process in self.processes:
            harness.stop(process)
            process.stdout.close()
        for name in (self.client, self.router, *self.backends):
            subprocess.run(["ip", "netns", "del", name], check=True)

    def run(self, code, *arguments):
        return subprocess.run(in_netns(self.client, sys.executable, "-c", code, *arguments), check=True,
                              capture_output=True, text=True).stdout


def namespaces():
    """The network namespaces that there are: of processes, and those with a name."""
    found = set()
    for link in pathlib.Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(link))
    for mount in pathlib.Path("/run/netns").glob("*"):
        with contextlib.suppress(OSError):
            found.add(f"net:[{mount.stat().st_ino}]")
    return found


def known(weir):
    return weir.api("status")["namespaces"]["known"]


def knows_all(weir):
    return known(weir) == len(namespaces())


class Nat(unittest.TestCase):
    N, SIZE = 40, 1000

    def check(self, weir, cluster):
        points = weir.points("netflow", src_ip=cluster.client_ip, dst_ip=SERVICE, transport="tcp")
        self.assertEqual({p["dst_port"] for p in points}, {str(SERVICE_PORT)})
        self.assertEqual({(p["dst_nat_ip"], p["dst_nat_port"]) for p in points},
                         {(ip, str(BACKEND_PORT)) for ip in cluster.backend_ips})
        for ip in cluster.backend_ips:
            mine = [p for p in points if p["dst_nat_ip"] == ip]
            self.assertEqual(total(mine, "tcp_established"), self.N // 2, ip)
            self.assertEqual(total(mine, "bytes_written"), self.N // 2 * self.SIZE, ip)
            self.assertEqual(total(mine, "bytes_read"), self.N // 2 * self.SIZE * 2, ip)
        seen_client = cluster.client_ip
        for ip, gateway in zip(cluster.backend_ips, (i[:-1] + "1" for i in cluster.backend_ips)):
            served = weir.points("netflow", src_ip=ip, direction="incoming", transport="tcp")
            self.assertEqual({p["dst_ip"] for p in served}, {gateway if cluster.masquerade else seen_client})
            self.assertEqual(total(served, "tcp_established"), self.N // 2)
            self.assertEqual({p["dst_nat_ip"] for p in served}, {"N/A"})
        self.assertNotIn("nat_unresolved", weir.api("status")["coverage"]["lost"])

    def test_dnat(self):
        with Cluster(masquerade=False) as cluster, Weir() as weir:
            cluster.run(CLIENT, SERVICE, SERVICE_PORT, self.N, self.SIZE)
            weir.wait_intervals(2)
            self.check(weir, cluster)

    def test_dnat_and_masquerade(self):
        with Cluster(masquerade=True) as cluster, Weir() as weir:
            cluster.run(CLIENT, SERVICE, SERVICE_PORT, self.N, self.SIZE)
            weir.wait_intervals(2)
            self.check(weir, cluster)
            # the pair is counted once, though the server sees a client that is nobody's own address
            cluster.run(CLIENT, SERVICE, SERVICE_PORT, self.N, self.SIZE)
            weir.wait_intervals(2)

    def test_a_connection_from_before_the_start(self):
        with Cluster(masquerade=False) as cluster:
            code = textwrap.dedent(f"""
                import socket, sys
                s = socket.create_connection(("{SERVICE}", {SERVICE_PORT}))
                print("open", flush=True)
                sys.stdin.readline()
                s.sendall(b"x" * 500)
                s.recv(65536)
                sys.stdin.readline()
                """)
            client = subprocess.Popen(in_netns(cluster.client, sys.executable, "-c", code), text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            client.stdout.readline()
            with Weir() as weir:
                client.stdin.write("\n")
                client.stdin.flush()
                weir.wait_intervals(2)
                points = weir.points("netflow", src_ip=cluster.client_ip, dst_ip=SERVICE)
                self.assertEqual(total(points, "bytes_written"), 500)
                self.assertTrue({p["dst_nat_ip"] for p in points} <= set(cluster.backend_ips), points)
            client.communicate("\n")

    def test_a_namespace_that_begins_later_and_one_that_ends(self):
        with Weir() as weir:
            with Cluster(masquerade=False) as cluster:
                wait_for(lambda: knows_all(weir), 10, "namespaces are known")
                self.assertEqual(known(weir), weir.api("status")["namespaces"]["tracked"])
                cluster.run(CLIENT, SERVICE, SERVICE_PORT, self.N, self.SIZE)
                weir.wait_intervals(2)
                self.check(weir, cluster)
            wait_for(lambda: knows_all(weir), 10, "namespaces are let go")

    def test_a_name_whose_mount_comes_late(self):
        """A busy kernel takes its time between the file of `ip netns add` and its mount, of which nothing tells.
        The regular looks are two seconds apart or more, so one of three is found sooner only if it is looked for."""
        name = pathlib.Path(f"/run/netns/wn-late{os.getpid()}")
        took = []
        with Weir() as weir, tempfile.TemporaryDirectory() as directory:
            there = pathlib.Path(directory, "netns")
            for _ in range(3):
                wait_for(lambda: knows_all(weir), 30, "all others are known")
                before = known(weir)
                there.touch()
                sh("unshare", f"--net={there}", "true")
                try:
                    name.touch()
                    time.sleep(0.3)
                    sh("mount", "--bind", there, name)
                    mounted = time.monotonic()
                    wait_for(lambda: known(weir) == before + 1, 30, "the namespace is known")
                    took.append(time.monotonic() - mounted)
                finally:
                    sh("umount", there)
                    sh("ip", "netns", "del", name.name)
        self.assertLess(min(took), 1.5, took)

    def test_ipv6(self):
        with Cluster(masquerade=False) as cluster, Weir() as weir:
            cluster.run(CLIENT, SERVICE6, SERVICE_PORT, 5, 100)
            weir.wait_intervals(2)
            points = weir.points("netflow", dst_ip=SERVICE6)
            self.assertEqual({(p["dst_nat_ip"], p["dst_nat_port"]) for p in points},
                             {(cluster.backend_ips6[1], str(BACKEND_PORT))})
            self.assertEqual(total(points, "tcp_established"), 5)

    def test_udp_connected_and_unconnected(self):
        code = textwrap.dedent("""
            import socket, sys
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(5)
            if sys.argv[3] == "connected":
                s.connect((sys.argv[1], int(sys.argv[2])))
            for _ in range(10):
                if sys.argv[3] == "connected":
                    s.send(b"y" * 70)
                else:
                    s.sendto(b"y" * 70, (sys.argv[1], int(sys.argv[2])))
                assert len(s.recvfrom(65536)[0]) == 140
            """)
        for kind in ("connected", "unconnected"):
            with self.subTest(kind), Cluster(masquerade=False) as cluster, Weir() as weir:
                cluster.run(code, SERVICE, SERVICE_PORT, kind)
                weir.wait_intervals(2)
                points = weir.points("netflow", dst_ip=SERVICE, transport="udp", direction="outgoing")
                self.assertEqual(total(points, "bytes_written"), 700)
                self.assertEqual(total(points, "bytes_read"), 1400)
                self.assertEqual({(p["dst_nat_ip"], p["dst_nat_port"]) for p in points},
                                 {(cluster.backend_ips[0], str(BACKEND_PORT))})

    def test_switched_off(self):
        with Cluster(masquerade=False) as cluster, Weir(config="nat = false") as weir:
            cluster.run(CLIENT, SERVICE, SERVICE_PORT, 2, 10)
            weir.wait_intervals(2)
            points = weir.points("netflow", dst_ip=SERVICE)
            self.assertEqual(total(points, "tcp_established"), 2)
            self.assertEqual({p["dst_nat_ip"] for p in points}, {"N/A"})
            self.assertEqual(weir.api("status")["namespaces"]["tracked"], 0)


if __name__ == "__main__":
    harness.require(shutil.which("nft"), "nftables is not installed")
    harness.main()
