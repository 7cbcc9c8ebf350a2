"""Requests under TLS are tied to their sockets: several connections of one thread, on sockets and over memory."""

import shutil
import subprocess
import unittest

import harness
from harness import Link, counts, total
from tls_peers import PORTS, PYTHON, TiedCase, node, openssl

MORE = 100
RECORD = 5 + 1 + 16  # what TLS 1.3 adds to plaintext


class OpenSsl3(TiedCase):
    def test_asyncio(self):
        self.check_both_orders(PYTHON, PYTHON, "libssl.so.3")

    def test_its_functions(self):
        for io in ("sockets", "memory"):
            for calls in ("plain", "ex"):
                with self.subTest(io=io, calls=calls):
                    peer = openssl("libssl.so.3", "libcrypto.so.3", io, calls)
                    self.check_both_orders(peer, peer, "libssl.so.3")

    def test_an_object_that_is_used_again(self):
        for io in ("sockets", "memory"):
            peer = openssl("libssl.so.3", "libcrypto.so.3", io, "plain")
            with self.subTest(io), Link() as self.link, self.weir() as weir:
                with self.server(peer) as server, self.client(peer) as client:
                    client.round("GET", "hello")
                    client.round("AGAIN", MORE)
                    self.check(weir, server, client, [port + MORE for port in PORTS])

    def test_ciphertext_is_counted_with_its_own_request(self):
        peer = openssl("libssl.so.3", "libcrypto.so.3", "sockets", "plain")
        with Link() as self.link, self.weir() as weir, self.server(peer) as server, self.client(peer) as client:
            points = self.check(weir, server, client)["client"]
        for method, path, _ in counts(points):
            mine = [p for p in points if p["path"] == path]
            request = len(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n") + RECORD
            self.assertEqual(total(mine, "bytes_written"), request * total(mine, "count"), path)

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_node(self):
        # Debian's uses the system's OpenSSL, others carry their own
        shares = subprocess.run(["node", "-p", "process.config.variables.node_shared_openssl"], check=True,
                                capture_output=True, text=True).stdout.strip()
        library = "libssl.so.3" if shares == "true" else "node"
        self.check_both_orders(node("node"), node("node"), library)
        self.check_after(node("node", http=2), node("node", http=2), library)


if __name__ == "__main__":
    harness.main()
