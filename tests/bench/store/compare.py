#!/usr/bin/python3
"""Weir's store, ClickHouse and SQLite side by side, in one run: compare.py [--rows N] [--check]

Makes the same traffic for all three (store_bench --export), loads it, asks the same four questions, and prints
load, size and medians. Weir's answers are checked by brute force in store_bench; the number of groups and the
sum of all bytes of the others are checked against Weir's. With --check it fails when a target is missed:
1 million rows/s on one core, 20 bytes a row, each query as fast as ClickHouse and ten times as fast as SQLite,
no flush over 100 ms beside eight readers.

What the others get that Weir does not: ClickHouse uses both cores and its quantile() is a sample of the values.
SQLite has no quantiles, so its 95th percentile is made of window functions over the samples, which are JSON.
Skips ClickHouse, visibly, when clickhouse-server and clickhouse-client are not installed.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

COLUMNS = ["time", "host", "namespace", "pod", "service", "dst_ip", "dst_port", "bytes_written", "bytes_read",
           "retransmits", "established", "closed", "rtt"]
HOST = "10.0.0.124"  # chosen_host() of questions.cc
TABLES = ["intervals", "minutes"]

CLICKHOUSE_TABLE = """
CREATE TABLE {table} (time DateTime, host String, namespace String, pod String, service String, dst_ip String,
  dst_port UInt16, bytes_written UInt64, bytes_read UInt64, retransmits UInt32, established UInt32,
  closed UInt32, rtt Array(UInt32)) ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY (time, host)
"""
TOP = """SELECT host, dst_ip, dst_port, sum(bytes_written) AS w, sum(bytes_read) FROM {table}
  GROUP BY host, dst_ip, dst_port ORDER BY w DESC LIMIT 100"""
CLICKHOUSE = {
    "Q1": TOP.format(table="intervals"),
    "Q2": """SELECT namespace, pod, service, sum(bytes_written), quantileArray(0.95)(rtt) FROM minutes
  GROUP BY namespace, pod, service""",
    "Q3": f"""SELECT toStartOfMinute(time) AS m, sum(bytes_written), quantileArray(0.95)(rtt) FROM minutes
  WHERE host = '{HOST}' GROUP BY m ORDER BY m""",
    "Q4": TOP.format(table="minutes"),
}
SQLITE_TABLE = """
CREATE TABLE {table} (time INTEGER, host TEXT, namespace TEXT, pod TEXT, service TEXT, dst_ip TEXT,
  dst_port INTEGER, bytes_written INTEGER, bytes_read INTEGER, retransmits INTEGER, established INTEGER,
  closed INTEGER, rtt TEXT)
"""
SQLITE_INDEXES = ["CREATE INDEX {table}_time ON {table} (time)",
                  "CREATE INDEX {table}_host ON {table} (host, time)"]
SQLITE_P95 = """WITH mine AS (SELECT {columns}, bytes_written, rtt FROM minutes {where}),
  ranked AS (SELECT {names}, value AS v, row_number() OVER (PARTITION BY {names} ORDER BY value) AS n,
    count(*) OVER (PARTITION BY {names}) AS c FROM mine, json_each(rtt)),
  quantiles AS (SELECT {names}, min(v) AS p95 FROM ranked WHERE n >= 0.95 * c GROUP BY {names})
  SELECT * FROM (SELECT {names}, sum(bytes_written) FROM mine GROUP BY {names}) JOIN quantiles USING ({names})"""
EDGE = "namespace, pod, service"
SQLITE = {
    "Q1": TOP.format(table="intervals"),
    "Q2": SQLITE_P95.format(columns=EDGE, names=EDGE, where=""),
    "Q3": SQLITE_P95.format(columns="time / 60 AS m", names="m", where=f"WHERE host = '{HOST}'"),
    "Q4": TOP.format(table="minutes"),
}


class ClickHouse:
    """A server of its own, on ports of its own, in a directory of its own."""

    PORT, HTTP_PORT, INTERSERVER_PORT = 19431, 19432, 19433
    CONFIG = """<yandex><logger><level>warning</level><log>{d}/log</log><errorlog>{d}/errors</errorlog></logger>
<http_port>{http}</http_port><tcp_port>{port}</tcp_port><interserver_http_port>{inter}</interserver_http_port>
<listen_host>127.0.0.1</listen_host><path>{d}/data/</path><tmp_path>{d}/tmp/</tmp_path>
<mark_cache_size>5368709120</mark_cache_size><users_config>{d}/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
</yandex>"""
    USERS = """<yandex><profiles><default><max_memory_usage>10000000000</max_memory_usage></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile>
<quota>default</quota></default></users><quotas><default/></quotas></yandex>"""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        config = self.directory / "config.xml"
        config.write_text(self.CONFIG.format(d=self.directory, port=self.PORT, http=self.HTTP_PORT,
                                             inter=self.INTERSERVER_PORT))
        (self.directory / "users.xml").write_text(self.USERS)
        with open(self.directory / "output", "w") as output:
            self.server = subprocess.Popen(["clickhouse-server", f"--config-file={config}"],
                                           stdout=output, stderr=output)
        for _ in range(100):
            if self.server.poll() is not None:
                sys.exit("clickhouse-server ended: " + (self.directory / "output").read_text()[-2000:])
            if self.client("SELECT 1", check=False).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit("clickhouse-server does not answer")

    def client(self, query, stdin=None, check=True, options=()):
        return subprocess.run(["clickhouse-client", "--host=127.0.0.1", f"--port={self.PORT}", *options,
                               f"--query={query}"], stdin=stdin, capture_output=True, text=True, check=check)

    def load(self, table, path):
        self.client(CLICKHOUSE_TABLE.format(table=table))
        begin = time.monotonic()
        with open(path) as rows:
            self.client(f"INSERT INTO {table} FORMAT TabSeparated", stdin=rows)
        took = time.monotonic() - begin
        self.client(f"OPTIMIZE TABLE {table} FINAL")
        return took

    def size(self, table):
        return int(self.client(f"SELECT sum(bytes) FROM system.parts WHERE table = '{table}' AND active").stdout)

    def ask(self, query):
        """Median of the time that the server says it took, in ms, and the answer's rows."""
        times = []
        for _ in range(5):
            done = self.client(query, options=["--time"])
            times.append(float(done.stderr.strip().splitlines()[-1]) * 1e3)
        return statistics.median(times), [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()


def load_sqlite(database, table, path):
    database.execute(SQLITE_TABLE.format(table=table))

    def rows():
        with open(path) as lines:
            for line in lines:
                yield line.rstrip("\n").split("\t")

    places = ",".join("?" * len(COLUMNS))
    begin = time.monotonic()
    database.executemany(f"INSERT INTO {table} VALUES ({places})", rows())
    for index in SQLITE_INDEXES:
        database.execute(index.format(table=table))
    database.commit()
    return time.monotonic() - begin


def ask_sqlite(database, query):
    """Milliseconds, best of two, and the answer's rows."""
    times = []
    for _ in range(2):
        begin = time.monotonic()
        rows = database.execute(query).fetchall()
        times.append((time.monotonic() - begin) * 1e3)
    return min(times), rows


def compare_with_clickhouse(directory, rows, report):
    if not (shutil.which("clickhouse-server") and shutil.which("clickhouse-client")):
        print("SKIPPED: ClickHouse is not installed (packages clickhouse-server and clickhouse-client)")
        return
    server = ClickHouse(f"{directory}/clickhouse")
    try:
        for table in TABLES:
            took = server.load(table, f"{directory}/{table}.tsv")
            report["load"].append(("ClickHouse", table, rows / took, server.size(table) / rows))
        for name, query in CLICKHOUSE.items():
            report["clickhouse"][name] = server.ask(query)
    finally:
        server.stop()


def compare_with_sqlite(directory, rows, report):
    path = f"{directory}/sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    before = 0
    for table in TABLES:
        took = load_sqlite(database, table, f"{directory}/{table}.tsv")
        size = os.path.getsize(path)
        report["load"].append(("SQLite", table, rows / took, (size - before) / rows))
        before = size
    database.execute("ANALYZE")
    for name, query in SQLITE.items():
        report["sqlite"][name] = ask_sqlite(database, query)
    database.close()


def differences(weir, report):
    """Where the answers of the others are not Weir's."""
    out = []
    for query in weir["queries"]:
        name = query["name"]
        if query["wrong"]:
            out.append(f"Weir {name}: {query['wrong']}")
        groups = min(query["groups"], 100) if name in ("Q1", "Q4") else query["groups"]
        if name == "Q3":
            groups = None  # a group there is a key; the others count its minutes
        for other in ("clickhouse", "sqlite"):
            if name in report[other] and groups is not None and len(report[other][name][1]) != groups:
                out.append(f"{other} {name}: {len(report[other][name][1])} groups, Weir has {groups}")
    return out


def missed(weir, report):
    out = []
    for table in TABLES:
        if weir[table]["bytes_per_row"] > 20:
            out.append(f"{table}: {weir[table]['bytes_per_row']:.1f} bytes a row")
    if weir["intervals"]["rows_per_cpu_s"] < 1e6:
        out.append(f"load: {weir['intervals']['rows_per_cpu_s']:.0f} rows/s")
    for query in weir["queries"]:
        name = query["name"]
        for other, factor in (("clickhouse", 1), ("sqlite", 10)):
            if name in report[other] and query["ms"] * factor > report[other][name][0]:
                out.append(f"{name}: {query['ms']:.1f} ms, {other} {report[other][name][0]:.1f} ms")
    if weir["flush"]["slowest_ms"] > 100:
        out.append(f"flush beside readers: {weir['flush']['slowest_ms']:.0f} ms")
    return out


def show(weir, report):
    print(f"{'load':12} {'rows':10} {'rows/s':>12} {'bytes/row':>10}")
    for table in TABLES:
        one = weir[table]
        print(f"{'Weir':12} {table:10} {one['rows_per_s']:12.0f} {one['bytes_per_row']:10.1f}"
              f"   ({one['rows_per_cpu_s']:.0f} rows a second of one core; slowest append"
              f" {one['slowest_append_ms']:.0f} ms)")
    for who, table, speed, size in report["load"]:
        print(f"{who:12} {table:10} {speed:12.0f} {size:10.1f}")
    print(f"\n{'':54} {'Weir':>10} {'ClickHouse':>10} {'SQLite':>10}  ms      Weir's processor time")
    for query in weir["queries"]:
        cells = [f"{query['ms']:10.1f}"]
        for other in ("clickhouse", "sqlite"):
            cells.append(f"{report[other][query['name']][0]:10.1f}" if query["name"] in report[other] else " " * 10)
        print(f"{query['name']} {query['about']:51} {' '.join(cells)} {query['cpu_ms']:12.1f}")
    flush = weir["flush"]
    print(f"\nflush of {flush['rows_an_interval']} rows beside 8 readers: median {flush['median_ms']:.0f} ms,"
          f" slowest {flush['slowest_ms']:.0f} ms, of these {flush['slowest_cpu_ms']:.0f} ms of work"
          f" ({flush['answers_meanwhile']} answers meanwhile)")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--only-weir", action="store_true")
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    build = os.environ.get("WEIR_BUILD", pathlib.Path(__file__).parents[3] / "build/release")
    with tempfile.TemporaryDirectory(prefix="weir-store-bench-") as directory:
        command = [f"{build}/tests/bench/store/store_bench", str(options.rows), directory]
        done = subprocess.run(command + ([] if options.only_weir else ["--export"]), capture_output=True, text=True)
        if not done.stdout:
            sys.exit(done.stderr)
        weir = json.loads(done.stdout)
        report = {"load": [], "clickhouse": {}, "sqlite": {}}
        if not options.only_weir:
            compare_with_clickhouse(directory, options.rows, report)
            compare_with_sqlite(directory, options.rows, report)
    show(weir, report)
    wrong = differences(weir, report)
    targets = missed(weir, report)
    for line in wrong:
        print("WRONG:", line)
    for line in targets:
        print("MISSED:", line)
    return 1 if wrong or (options.check and targets) else 0


if __name__ == "__main__":
    sys.exit(main())
