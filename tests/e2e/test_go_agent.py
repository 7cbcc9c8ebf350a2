"""The example agent in Go runs the plugin under real traffic, with the race detector and garbage collected all the
time, and leaves nothing behind. WEIR_GO_SECONDS=60 makes it a minute."""
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest

import harness

AGENT = harness.BUILD / "example-agent"
SECONDS = int(os.environ.get("WEIR_GO_SECONDS", "6"))


def http_server():
    import http.server

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class GoAgent(unittest.TestCase):
    def make_traffic(self, port, over):
        import http.client
        while not over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            for _ in range(20):
                connection.request("HEAD", "/")
                connection.getresponse().read()
            connection.close()
            time.sleep(0.02)

    def run_agent(self, *options):
        server = http_server()
        over = threading.Event()
        traffic = threading.Thread(target=self.make_traffic, args=(server.server_address[1], over))
        traffic.start()
        try:
            with tempfile.TemporaryDirectory() as directory:
                config = pathlib.Path(directory, "weir.toml")
                config.write_text('[[inputs.weir]]\ninterval = "1s"\nloopback = "keep"\n'
                                  f'[inputs.weir.store]\npath = "{directory}/store"\n'
                                  '[inputs.weir.http]\nlisten = "127.0.0.1:0"\n')
                return subprocess.run([AGENT, "-plugin", harness.PLUGIN, "-config", config, "-check-leaks", "-refuse-each", "4",
                                       *options], text=True, capture_output=True, timeout=SECONDS * 3 + 120,
                                      env={**os.environ, "GOGC": "1", "GORACE": "halt_on_error=1"})
        finally:
            over.set()
            traffic.join()
            server.shutdown()

    def check(self, *options):
        done = self.run_agent(*options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("DATA RACE", done.stderr)
        figures = json.loads(done.stdout)
        self.assertGreater(figures["points"], SECONDS)
        self.assertGreater(figures["refused"], 0)
        self.assertEqual(figures["broken"], 0)

    def test_line_protocol(self):
        self.check("-for", f"{SECONDS}s", "-lives", "2")

    def test_protobuf(self):
        self.check("-for", f"{SECONDS}s", "-protobuf")


if __name__ == "__main__":
    harness.require(AGENT.exists(), "the example agent is not built: no go (package golang-go)")
    harness.main()
