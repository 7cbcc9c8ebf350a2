"""HTTP/1 against the server's own log: nginx with curl and wrk. WEIR_SATURATION_SECONDS=20 makes saturation last."""

import contextlib
import os
import re
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Link, Weir, counts, in_netns, total
from nginx import NginxServer

PORT = 8080
SATURATION = int(os.environ.get("WEIR_SATURATION_SECONDS", "4"))


class Nginx(NginxServer):
    def __init__(self, link):
        super().__init__(link, f"""listen {link.server_ip}:{PORT};
    location /moved {{ return 302 /hello; }}
    location /broken {{ return 503 "broken\\n"; }}""", log="$request_length $bytes_sent $pid $connection", big=3_000_000)

    def url(self, path):
        return f"http://{self.link.server_ip}:{PORT}{path}"


def curl(link, *arguments):
    """Runs curl in the client's namespace; returns its PID, time to first byte (s), and status."""
    process = subprocess.Popen(
        in_netns(link.client, "curl", "-s", "-o", "/dev/null", "-w", "%{time_starttransfer} %{http_code} ", *arguments),
        stdout=subprocess.PIPE, text=True)
    out = process.communicate(timeout=30)[0].split()
    return process.pid, float(out[0]), int(out[1])


def ends(weir, link):
    """httpflow points of the client's end and of the server's."""
    return (weir.points("httpflow", src_ip=link.client_ip, dst_ip=link.server_ip),
            weir.points("httpflow", src_ip=link.server_ip, dst_ip=link.client_ip))


class Curl(unittest.TestCase):
    def test_methods_paths_and_status_equal_the_servers_log(self):
        with Link() as link, Nginx(link) as nginx, Weir() as weir:
            for method, path in (("GET", "/hello"), ("GET", "/hello?token=secret"), ("GET", "/gone/1"), ("GET", "/moved"),
                                 ("GET", "/broken"), ("POST", "/hello"), ("DELETE", "/hello/7"), ("PUT", "/gone"),
                                 ("PATCH", "/hello"), ("OPTIONS", "/hello"), ("GET", "/no-such-file")):
                curl(link, "-X", method, nginx.url(path))
            curl(link, "-I", nginx.url("/hello"))
            curl(link, "-d", "a=b" * 1000, nginx.url("/hello/form"))
            weir.stop()
            truth = nginx.truth()
            client, server = ends(weir, link)
            self.assertEqual(total(client, "count"), 13)
            self.assertEqual(total(server, "count"), 13)
            for points in (client, server):
                self.assertEqual(counts(points), truth)
            self.assertNotIn("secret", weir.points_file.read_text(), "query strings never leave the kernel side")

    def test_owners_direction_and_latency(self):
        with Link() as link, Nginx(link) as nginx, Weir() as weir:
            pid, first_byte, status = curl(link, nginx.url("/hello"))
            weir.stop()
            self.assertEqual(status, 200)
            client, server = ends(weir, link)
            self.assertEqual([(p["pid"], p["process_name"], p["direction"], p["conn_side"]) for p in client],
                             [(str(pid), "curl", "outgoing", "client")])
            self.assertEqual([(p["pid"], p["process_name"], p["direction"], p["conn_side"]) for p in server],
                             [(nginx.worker_pid, "nginx", "incoming", "server")])
            seen = client[0]["latency"] / 1e9
            self.assertLess(0, seen)
            self.assertLessEqual(seen, first_byte, "no longer than curl waited")
            self.assertLessEqual(server[0]["latency"], client[0]["latency"])
            for p in client + server:
                self.assertEqual(p["http_version"], "1.1")
                self.assertIs(p["truncated"], False)
                self.assertLessEqual(p["latency_p50"], p["latency_max"])

    def test_a_slow_server_is_seen_as_slow(self):
        with Link() as link, Weir() as weir:
            with slow_server(link):
                _, first_byte, _ = curl(link, f"http://{link.server_ip}:{PORT}/slow")
            slow = slowest(weir, link)
            weir.stop()
            for points in ends(weir, link):
                self.assertEqual(total(points, "count"), 1)
                self.assertGreaterEqual(points[0]["latency"], 0.3e9)
                self.assertLessEqual(points[0]["latency"], first_byte * 1e9)
                request = slow[points[0]["conn_side"]]
                self.assertEqual(request["latency"], points[0]["latency"])
                self.assertEqual((request["path"], request["status_code"], request["retransmits"]), ("/slow", 200, 0))
                self.assertGreaterEqual(request["server_time"], 0.29e9, "not the network's fault")
                self.assertLess(0, request["connection_age"])

    def test_a_slow_network_is_not_the_servers_fault(self):
        with Link() as link, Weir() as weir:
            with slow_server(link):
                # the request's first packet is lost, and its second, 200 ms later, is not
                with harness.inside(link.server):
                    subprocess.run(["nft", "-f", "-"], check=True, text=True, input=(
                        "table inet lossy {\nchain input {\ntype filter hook input priority 0\n"
                        f"tcp dport {PORT} tcp flags & psh == psh limit rate 1/hour burst 1 packets drop\n}}\n}}\n"))
                curl(link, f"http://{link.server_ip}:{PORT}/lost")
            client = slowest(weir, link)["client"]
            self.assertGreaterEqual(client["latency"], 0.5e9)
            self.assertGreaterEqual(client["retransmits"], 1)
            self.assertGreaterEqual(client["network_stall"], 0.2e9)
            self.assertGreaterEqual(client["server_time"], 0.29e9)
            self.assertEqual(client["network_stall"] + client["server_time"], client["latency"])

    def test_keep_alive_is_one_connection_and_many_requests(self):
        with Link() as link, Nginx(link) as nginx, Weir() as weir:
            curl(link, *[nginx.url(f"/hello/{i}") for i in range(50)])
            weir.stop()
            for points in ends(weir, link):
                self.assertEqual(total(points, "count"), 50)
                self.assertEqual(len({p["path"] for p in points}), 50)
                self.assertEqual({p["route"] for p in points}, {"/hello/{id}"})
            self.assertEqual(total(weir.points("netflow", src_ip=link.client_ip), "tcp_established"), 1)

    def test_bytes_are_the_sockets(self):
        with Link() as link, Nginx(link) as nginx, Weir() as weir:
            curl(link, nginx.url("/big"), nginx.url("/hello"))
            weir.stop()
            truth = nginx.requests()
            requests, responses = sum(int(r[3]) for r in truth), sum(int(r[4]) for r in truth)
            self.assertGreater(responses, 3_000_000)
            client, server = ends(weir, link)
            self.assertEqual((total(client, "bytes_written"), total(client, "bytes_read")), (requests, responses))
            self.assertEqual((total(server, "bytes_read"), total(server, "bytes_written")), (requests, responses))
            big = [p for p in client if p["path"] == "/big"]
            self.assertGreater(total(big, "bytes_read"), 3_000_000)

    def test_a_long_path_is_cut_and_says_so(self):
        path = "/hello/" + "x" * 1000
        with Link() as link, Nginx(link) as nginx, Weir() as weir:
            curl(link, nginx.url(path))
            weir.stop()
            for points in ends(weir, link):
                self.assertEqual(total(points, "count"), 1)
                self.assertIs(points[0]["truncated"], True)
                self.assertTrue(path.startswith(points[0]["path"]))
                self.assertGreater(len(points[0]["path"]), 100)


@contextlib.contextmanager
def slow_server(link):
    server = subprocess.Popen(
        in_netns(link.server, "python3", "-c", SLOW_SERVER, link.server_ip, PORT), stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        yield
    finally:
        harness.stop(server)
        server.stdout.close()


def slowest(weir, link):
    """The slow requests of both ends, by side."""
    def found():
        records = weir.api("flows", layer="l7", slow=1, q=f"server_ip:{link.server_ip}")["data"]
        return len(records) == 2 and {record["conn_side"]: record for record in records}
    return harness.wait_for(found, 10, "the slow request of both ends")


SLOW_SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.3)
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
    def log_message(self, *_): pass
server = http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
print('ready', flush=True)
server.serve_forever()
"""


class Wrk(unittest.TestCase):
    def run_wrk(self, link, nginx, seconds, connections, *options):
        done = subprocess.run(in_netns(link.client, "wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", *options,
                                       nginx.url("/hello")), capture_output=True, text=True, check=True)
        return int(re.search(r"(\d+) requests in", done.stdout).group(1)), done.stdout

    def check(self, link, nginx, weir):
        truth = len(nginx.requests())
        losses = weir.api("status")["coverage"]["lost"]
        weir.stop()
        client, server = ends(weir, link)
        self.assertEqual(total(server, "count"), truth, losses)
        # wrk is stopped in the middle of its last requests: nginx logs them when it notices
        self.assertEqual(counts(server)["GET", "/hello", 200], truth)
        return client, truth

    def test_counts_at_full_speed(self):
        with Link() as link, Nginx(link) as nginx, Weir() as weir:
            completed, _ = self.run_wrk(link, nginx, 5, 32)
            client, truth = self.check(link, nginx, weir)
            self.assertGreaterEqual(counts(client)["GET", "/hello", 200], completed)
            self.assertEqual(total(client, "count"), truth)
            netflow = weir.points("netflow", src_ip=link.client_ip)
            self.assertEqual(total(netflow, "tcp_established"), total(netflow, "tcp_closed"))
            latency = [p for p in client if p["count"] and p["status_code"]]
            self.assertTrue(all(p["latency_p50"] <= p["latency_p95"] <= p["latency_p99"] <= p["latency_max"] for p in latency))

    def test_a_connection_for_each_request(self):
        with Link() as link, Nginx(link) as nginx, Weir() as weir:
            self.run_wrk(link, nginx, 3, 16, "-H", "Connection: close")
            _, truth = self.check(link, nginx, weir)
            server = weir.points("netflow", src_ip=link.server_ip)
            self.assertEqual(total(server, "tcp_established"), total(server, "tcp_closed"))
            self.assertGreaterEqual(total(server, "tcp_established"), truth)
            # a connection that ended before the worker accepted it belongs to who listened: the master
            mine = [p for p in server if p["pid"] == nginx.worker_pid]
            self.assertEqual(total(mine, "tcp_established"), total(mine, "tcp_closed"))
            self.assertLessEqual({p["pid"] for p in server}, {nginx.worker_pid, str(nginx.process.pid)})


MANY_PATHS = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "/hello/" .. n % 997 .. (n % 10 == 0 and "?x" or ""))
end
"""


class Saturation(unittest.TestCase):
    """A ring that is far too small: detail goes, and no count."""

    RING = '[inputs.weir.limits]\nring = "64KiB"'

    def overload(self, link, weir, *options):
        """Traffic while nobody empties the ring for a second."""
        wrk = subprocess.Popen(in_netns(link.client, "wrk", "-t2", "-c32", f"-d{SATURATION}s", *options),
                               stdout=subprocess.DEVNULL)
        time.sleep(1)
        weir.hold(1)
        self.assertEqual(wrk.wait(timeout=SATURATION + 60), 0)

    def check(self, link, nginx, weir):
        weir.wait_intervals(2)
        truth = nginx.requests()
        lost = weir.api("status")["coverage"]["lost"]
        weir.stop()
        client, server = ends(weir, link)
        for points in (client, server):
            self.assertEqual(total(points, "count"), len(truth), lost)
        # the client ends before its last requests are answered
        self.assertEqual(sum(p["count"] for p in server if p["status_code"] // 100 == 2), len(truth))
        self.assertEqual(total(server, "bytes_read"), sum(int(r[3]) for r in truth))
        self.assertEqual(total(server, "bytes_written"), sum(int(r[4]) for r in truth))
        self.assertGreater(lost.get("ring_full_http", 0), 0, "the ring was not full: nothing was tested")
        without = [p for p in client + server if p["path"] == "~other"]
        # the ledger is the whole host's: others' requests may have lost their detail, too
        self.assertGreaterEqual(lost["ring_full_http"], total(without, "count"), "it says how many have no detail")
        self.assertGreater(total(without, "count"), 0)
        self.assertTrue(all(p["latency_p50"] <= p["latency_p99"] <= p["latency_max"] for p in without if p["status_code"]))

    def test_many_paths(self):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script, Link() as link, Nginx(link) as nginx, \
                Weir(config=self.RING) as weir:
            script.write(MANY_PATHS)
            script.flush()
            self.overload(link, weir, "-s", script.name, nginx.url("/"))
            self.check(link, nginx, weir)

    def test_a_connection_for_each_request(self):
        with Link() as link, Nginx(link) as nginx, Weir(config=self.RING) as weir:
            self.overload(link, weir, "-H", "Connection: close", nginx.url("/hello"))
            self.check(link, nginx, weir)


if __name__ == "__main__":
    harness.main()
