"""nginx in the link's server namespace: one worker, and its log as the truth."""

import collections
import pathlib
import subprocess
import tempfile

import harness
from harness import in_netns

REQUEST = "$request_method $uri $status"  # what a log begins with here


class NginxServer:
    """`server` is what its server block has besides /hello, /gone and the file /big; `log` comes behind REQUEST."""

    def __init__(self, link, server, log="", big=300_000):
        self.link, self.server, self.log_format, self.big = link, server, f"{REQUEST} {log}", big

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weir-nginx-")
        root = pathlib.Path(self.directory.name)
        self.log = root / "access.log"
        (root / "big").write_bytes(b"x" * self.big)
        (root / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log; user root;
events {{ worker_connections 1024; }}
http {{
  log_format truth '{self.log_format}'; access_log {self.log} truth; sendfile on; keepalive_requests 10000000;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  server {{
    root {root};
    location /hello {{ return 200 "hello\\n"; }}
    location /gone {{ return 404 "gone\\n"; }}
    {self.server}
  }}
}}""")
        self.process = subprocess.Popen(in_netns(self.link.server, "nginx", "-c", root / "nginx.conf"))
        harness.wait_for(lambda: (root / "pid").exists() and (root / "pid").read_text().strip(), what="nginx")
        self.worker_pid = harness.wait_for(self.worker, what="nginx's worker")
        return self

    def __exit__(self, *_):
        harness.stop(self.process)
        self.directory.cleanup()

    def worker(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return children and children[0]

    def requests(self):
        """A list of words for each line of the log."""
        return [line.split() for line in self.log.read_text().splitlines()]

    def truth(self, *rest):
        """How many of each method, path and status; of those lines that go on with these words."""
        return collections.Counter((method, path, int(status)) for method, path, status, *more in self.requests()
                                   if more[:len(rest)] == list(rest))
