"""Real receivers of line protocol, as their packages have them: InfluxDB 1.6 and VictoriaMetrics with its agent.

Each runs in a directory and on ports of its own, can be stopped and started again, and says what it holds.
"""

import collections
import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import harness

INFLUXD, VICTORIA_METRICS, VMAGENT = "influxd", "victoria-metrics", "vmagent"


def require_all():
    for program in (INFLUXD, VICTORIA_METRICS, VMAGENT):
        harness.require(shutil.which(program), f"{program} is not installed")


def post(url, **form):
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=30) as answer:
        return answer.read().decode()


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status < 300
    except OSError:
        return False


class Receiver:
    """A process that is up when its health URL answers."""

    def __init__(self, directory):
        self.directory = directory
        self.directory.mkdir()
        self.port = harness.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        harness.wait_for(lambda: answers(self.url + self.health), 30, f"{self.process.args[0]} is up")

    def stop(self):
        harness.stop(self.process, 30)

    def log(self):
        return (self.directory / "log").read_text(errors="replace")


class Influx(Receiver):
    health = "/ping"

    def __init__(self, directory):
        super().__init__(directory)
        self.socket = directory / "influxd.sock"
        (directory / "influxdb.conf").write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{harness.free_port()}"\n'
            f'[meta]\ndir = "{directory}/meta"\n'
            f'[data]\ndir = "{directory}/data"\nwal-dir = "{directory}/wal"\n'
            f'[monitor]\nstore-enabled = false\n'
            f'[http]\nbind-address = "127.0.0.1:{self.port}"\nunix-socket-enabled = true\nbind-socket = "{self.socket}"\n')

    def command(self):
        return [INFLUXD, "-config", self.directory / "influxdb.conf"]

    def make_database(self, name):
        post(self.url + "/query", q=f"CREATE DATABASE {name}")

    def target(self, database):
        return f"influx:{self.url}/write?db={database}&precision=ns"

    def unix_target(self, database):
        return f"influx:unix:{self.socket}:/write?db={database}&precision=ns"

    def points(self, database):
        """{(measurement, tags, time): fields}"""
        out = {}
        for measurement in ("netflow", "httpflow", "dnsflow"):
            answer = json.loads(post(self.url + f"/query?db={database}&epoch=ns", q=f'SELECT * FROM "{measurement}" GROUP BY *'))
            for series in answer["results"][0].get("series", ()):
                tags = frozenset((k, v) for k, v in series["tags"].items() if v)
                for row in series["values"]:
                    fields = {k: v for k, v in zip(series["columns"], row) if k != "time" and v is not None}
                    out[measurement, tags, row[0]] = fields
        return out


class VictoriaMetrics(Receiver):
    health = "/health"

    def command(self):
        return [VICTORIA_METRICS, f"-httpListenAddr=127.0.0.1:{self.port}", f"-storageDataPath={self.directory}/data",
                "-retentionPeriod=100y", "-search.maxUniqueTimeseries=1000000", "-search.latencyOffset=0s"]

    def target(self):
        return f"influx:{self.url}/write"

    def samples(self):
        """{(name, tags): Counter of (time in ms, value)}: a sample that came twice is there twice."""
        urllib.request.urlopen(self.url + "/internal/force_flush", timeout=10).read()
        text = post(self.url + "/api/v1/export", **{"match[]": '{__name__=~"(netflow|httpflow|dnsflow)_.*"}'})
        out = {}
        for line in text.splitlines():
            series = json.loads(line)
            labels = series["metric"]
            name = labels.pop("__name__")
            labels.pop("db", None)
            out.setdefault((name, frozenset(labels.items())), collections.Counter()).update(zip(series["timestamps"], series["values"]))
        return out


class VmAgent(Receiver):
    """Takes what is written and hands it on."""

    health = "/health"

    def __init__(self, directory, to):
        self.to = to
        super().__init__(directory)

    def command(self):
        return [VMAGENT, f"-httpListenAddr=127.0.0.1:{self.port}", f"-remoteWrite.url={self.to.url}/api/v1/write",
                f"-remoteWrite.tmpDataPath={self.directory}/queue", "-remoteWrite.flushInterval=200ms"]

    def target(self):
        return f"influx:{self.url}/write"


def influx_points(points):
    """What InfluxDB should hold of these points, in the form of Influx.points. It knows a point by its tags and time, so of
    httpflow's, whose path is a field, the last one written stays."""
    out = {}
    for p in points:
        out.setdefault((p.name, frozenset(p.tags.items()), p.time), {}).update(p.fields)
    return out


def victoria_samples(points):
    """What VictoriaMetrics should hold of them, in the form of VictoriaMetrics.samples: numbers and booleans, times in ms."""
    out = {}
    for p in points:
        for key, value in p.fields.items():
            if not isinstance(value, str):
                series = out.setdefault((f"{p.name}_{key}", frozenset(p.tags.items())), collections.Counter())
                series[p.time // 1_000_000, float(value)] += 1
    return out


def text_series(points):
    """Names of the series that VictoriaMetrics makes of text fields, which are no numbers."""
    return {f"{p.name}_{key}" for p in points for key, value in p.fields.items() if isinstance(value, str)}
