"""Two connections for each request, and bytes that pass through a proxy without being read by it (splice): each hop
against the log of nginx behind."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import Link, Weir, counts, in_netns, total
from nginx import NginxServer

PROXY, SERVER, INNER = 8090, 8080, 8081
BIG = 5_000_000

CONFIG = """
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 5s
  {option}
frontend proxy
  bind {ip}:{proxy}
  default_backend servers
backend servers
  server nginx {ip}:{server}
"""


class Nginx(NginxServer):
    """Reads what is put to /put to its end before it answers."""

    def __init__(self, link):
        listen = "".join(f"listen {link.server_ip}:{port};" for port in (SERVER, INNER))
        super().__init__(link, f"{listen} client_max_body_size 100m;"
                               f"location /put {{ proxy_pass http://{link.server_ip}:{INNER}/hello; }}",
                         log="$server_port", big=BIG)


class Proxy:
    def __init__(self, link, option):
        self.link, self.option = link, option

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weir-haproxy-")
        file = pathlib.Path(self.directory.name) / "haproxy.cfg"
        file.write_text(CONFIG.format(ip=self.link.server_ip, proxy=PROXY, server=SERVER, option=self.option))
        self.process = subprocess.Popen(in_netns(self.link.server, "haproxy", "-db", "-f", file),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listens = in_netns(self.link.server, "ss", "-Hltn", f"sport = :{PROXY}")
        harness.wait_for(lambda: subprocess.run(listens, capture_output=True, text=True).stdout.strip(), 20, "haproxy")
        return self

    def __exit__(self, *_):
        harness.stop(self.process)
        self.directory.cleanup()


class Hops(unittest.TestCase):
    def check(self, option):
        with Link() as link, Nginx(link) as nginx, Proxy(link, option), Weir() as weir:
            url = f"http://{link.server_ip}:{PROXY}"
            curl = in_netns(link.client, "curl", "-s", "-o", "/dev/null", "--max-time", "30")
            for more in ([], ["-0"], ["-I"], ["-d", "a=b" * 4000], ["-H", "Connection: close"]):
                paths = [arg for path in ("/hello", "/gone", "/hello") for arg in (url + path, "-o", "/dev/null")]
                subprocess.run([*curl, *more, *paths], check=True)
            # on one connection: what comes behind a body that nobody read is found
            download = [url + "/big"]
            upload = ["-T", nginx.directory.name + "/big", url + "/put"]
            more = [arg for one in (upload, download, upload, [url + "/hello"])
                    for arg in ("--next", "-s", "-o", "/dev/null", *one)]
            subprocess.run([*curl, *download, *more], check=True)
            weir.wait_intervals(2)
            weir.stop()
            truth = nginx.truth(str(SERVER))
            self.assertEqual(sum(truth.values()), 20)
            client, server = link.client_ip, link.server_ip
            for hop, end in (("client", dict(src_ip=client, dst_port=str(PROXY))),
                             ("proxy's front", dict(src_ip=server, src_port=str(PROXY))),
                             ("proxy's back", dict(src_ip=server, dst_port=str(SERVER))),
                             ("server", dict(src_ip=server, src_port=str(SERVER)))):
                points = weir.points("httpflow", **end)
                self.assertEqual(counts(points), truth, hop)
                of_requests, of_responses = ("bytes_written", "bytes_read") if "dst_port" in end else \
                    ("bytes_read", "bytes_written")
                for path, column in (("/big", of_responses), ("/put", of_requests)):
                    moved = total([p for p in points if p["path"] == path], column)
                    self.assertTrue(2 * BIG < moved < 2 * BIG + 2000, (hop, path, moved))

    def test_read_and_written(self):
        self.check("")

    def test_spliced(self):
        self.check("option splice-request\n  option splice-response")

    def test_a_connection_for_each_request(self):
        self.check("option httpclose")


if __name__ == "__main__":
    harness.require(shutil.which("haproxy"), "needs haproxy")
    harness.main()
