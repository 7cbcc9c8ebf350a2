"""Requests under TLS are tied to their sockets: several connections of one thread, on sockets and over memory."""

import shutil
import unittest

import harness
from tls_peers import PYTHON, TiedCase, node, openssl


class OpenSsl3(TiedCase):
    def test_asyncio(self):
        self.check_both_orders(PYTHON, PYTHON, "libssl.so.3")

    def test_its_functions(self):
        for io in ("sockets", "memory"):
            for calls in ("plain", "ex"):
                with self.subTest(io=io, calls=calls):
                    peer = openssl("libssl.so.3", "libcrypto.so.3", io, calls)
                    self.check_both_orders(peer, peer, "libssl.so.3")

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_node(self):
        self.check_both_orders(node("node"), node("node"), "node")


if __name__ == "__main__":
    harness.main()
