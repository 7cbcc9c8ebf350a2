"""Points of real traffic reach an agent's write endpoint, in both formats, and none is lost or doubled while it is
away. The stand-in is the one of the reference host's own tests."""
import sys
import tempfile
import time
import unittest

import harness

sys.path.append(str(harness.HERE.parent / "unit" / "abi"))
from points_server import DataKit  # noqa: E402


class WriteEndpoint(unittest.TestCase):
    def serve(self, **where):
        server = DataKit(**where)
        self.addCleanup(server.close)
        return server

    def run_weir(self, server, *options, pause=None):
        """The points of a run with traffic, as the file has them."""
        with harness.Weir(options=["--emit", server.target(), *options]) as weir, harness.Traffic() as traffic:
            for _ in range(3):
                traffic.do("open", 20)
                traffic.do("exchange", 100, 1000)
                traffic.do("close")
                weir.wait_intervals(1)
                if pause:
                    pause()
            weir.wait_intervals(2)
            weir.stop()
            return weir.points_file.read_bytes()

    def test_line_protocol_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            server = self.serve(path=directory + "/datakit.sock")
            written = self.run_weir(server, "--gzip").decode()
            self.assertEqual(server.complaints, [])
            self.assertGreater(server.count(), 3)
            self.assertEqual(server.text(), written)

    def test_protobuf_over_tcp(self):
        server = self.serve()
        written = self.run_weir(server, "--format", "protobuf")
        self.assertEqual(server.complaints, [])
        self.assertGreater(server.count(), 3)
        self.assertEqual(server.text(), server.lines(DataKit.PROTOBUF, written))

    def test_an_agent_that_restarts(self):
        servers = [self.serve()]

        def restart():
            servers[-1].close()
            time.sleep(1.5)
            servers.append(self.serve(port=servers[0].port))

        written = self.run_weir(servers[0], pause=restart).decode()
        self.assertEqual("".join(server.text() for server in servers), written)


if __name__ == "__main__":
    harness.main()
