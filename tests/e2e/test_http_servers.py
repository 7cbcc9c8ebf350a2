"""HTTP/1 of servers that write and read in ways of their own, against what each of them logged."""

import collections
import pathlib
import subprocess
import tempfile
import unittest

import harness
from harness import Link, Weir, counts, in_netns, total

PORT = 8088
MODULES = pathlib.Path("/usr/lib/apache2/modules")

APACHE = """
ServerName weir.test
Listen {ip}:{port}
PidFile {root}/pid
ErrorLog {root}/error.log
User www-data
Group www-data
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LogFormat "%m %U %>s" truth
CustomLog {root}/access.log truth
DocumentRoot {root}/www
Redirect 302 /moved /small
LimitRequestBody 100000000
"""

PYTHON = """
import http.server, os, sys
root = sys.argv[1]
log = open(root + "/access.log", "w", buffering=1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        path = self.path.split("?")[0]
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        status = {"/small": 200, "/large": 200, "/moved": 302}.get(path, 404)
        body = open(root + "/www" + path, "rb").read() if status == 200 else b"no\\n"
        log.write(f"{self.command} {path} {status}\\n")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302: self.send_header("Location", "/small")
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = answer
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((sys.argv[2], int(sys.argv[3])), Handler).serve_forever()
"""

NODE = """
const fs = require('fs'), http = require('http');
const [root, ip, port] = process.argv.slice(1);
http.createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const path = request.url.split('?')[0];
    const status = { '/small': 200, '/large': 200, '/moved': 302 }[path] ?? 404;
    fs.appendFileSync(root + '/access.log', `${request.method} ${path} ${status}\\n`);
    response.writeHead(status, status === 302 ? { Location: '/small' } : {});
    if (status === 200) fs.createReadStream(root + '/www' + path).pipe(response);  // chunked
    else response.end('no\\n');
  });
}).listen(Number(port), ip);
"""


class Server:
    """One of them, serving /small, /large, /moved, and 404 for the rest."""

    def __init__(self, link, kind):
        self.link, self.kind = link, kind

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="weir-server-")
        self.root = pathlib.Path(self.directory.name)
        (self.root / "www").mkdir()
        (self.root / "www" / "small").write_bytes(b"small\n")
        (self.root / "www" / "large").write_bytes(b"x" * 2_000_000)
        (self.root / "www" / "chunks").write_bytes(b"c" * 300_000)
        self.root.chmod(0o755)
        ip = self.link.server_ip
        if self.kind == "apache":
            (self.root / "apache.conf").write_text(APACHE.format(root=self.root, ip=ip, port=PORT, modules=MODULES))
            command = ["apache2", "-X", "-f", self.root / "apache.conf"]
        elif self.kind == "node":
            command = ["node", "-e", NODE, self.root, ip, PORT]
        else:
            command = ["python3", "-c", PYTHON, self.root, ip, PORT]
        self.process = subprocess.Popen(in_netns(self.link.server, *command))
        harness.wait_for(self.answers, 20, f"{self.kind} to listen")
        return self

    def answers(self):
        listening = subprocess.run(in_netns(self.link.server, "ss", "-Hltn", f"sport = :{PORT}"), capture_output=True, text=True)
        return listening.stdout.strip()

    def __exit__(self, *_):
        harness.stop(self.process)
        self.directory.cleanup()

    def requests(self):
        lines = (line.split() for line in (self.root / "access.log").read_text().splitlines())
        return collections.Counter((method, path, int(status)) for method, path, status in lines)


class Servers(unittest.TestCase):
    def check(self, kind):
        with Link() as link, Server(link, kind) as server, Weir() as weir:
            url = f"http://{link.server_ip}:{PORT}"
            curl = in_netns(link.client, "curl", "-s", "-o", "/dev/null", "--max-time", "30")
            every = ["/small", "/small?secret=1", "/large", "/moved", "/nothing/here", "/large", "/small"]
            for more in (["-X", "GET"], ["-I"], ["-d", "a=b" * 4000], ["-X", "DELETE"],
                         ["-H", "Transfer-Encoding: chunked", "-d", f"@{server.root}/www/chunks"], ["-H", "Connection: close"],
                         ["-H", "Expect: 100-continue", "-d", "e" * 2000], ["-0"]):
                # one connection for all of them, where the options allow
                subprocess.run([*curl, *more, *[arg for path in every for arg in (url + path, "-o", "/dev/null")]], check=True)
            subprocess.run(in_netns(link.client, "wrk", "-t2", "-c20", "-d1s", url + "/small"), check=True,
                           stdout=subprocess.DEVNULL)
            weir.wait_intervals(2)
            lost = weir.api("status")["coverage"]["lost"]
            weir.stop()
            truth = server.requests()
            self.assertGreater(sum(truth.values()), 100)
            for end in (dict(src_ip=link.client_ip), dict(src_ip=link.server_ip)):
                points = weir.points("httpflow", **end)
                # what a client sends on a connection that its server has just closed is not answered, and asked
                # again on another one
                seen = counts(p for p in points if p["status_code"] or p["path"] == "/small")
                # wrk goes away in the middle of its last requests: a client's end may have no answer, a
                # server may have logged what nobody waited for
                missing, extra = truth - seen, seen - truth
                lately = {key[:2] for key in missing | extra}
                self.assertLessEqual(lately, {("GET", "/small")}, (end, missing, extra, lost))
                self.assertLessEqual(sum((missing | extra).values()), 40, (end, missing, extra, lost))
                self.assertTrue(all("secret" not in p["path"] for p in points))
            self.assertGreater(total(weir.points("httpflow", src_ip=link.server_ip), "bytes_written"), 20_000_000)

    def test_apache(self):
        self.check("apache")

    def test_node(self):
        self.check("node")

    def test_python(self):
        self.check("python")


if __name__ == "__main__":
    harness.require(MODULES.exists(), "needs Apache (apache2-bin)")
    harness.main()
