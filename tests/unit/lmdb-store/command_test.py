#!/usr/bin/python3
"""weir-store on a store that is being written, on one that is not, on a damaged one and on none."""
import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile

STORE = os.environ["WEIR_STORE"]
LIVE = os.environ["WEIR_STORE_LIVE"]
PAGE = 4096
OVERFLOW = b"\x04\x00"  # flags of LMDB's page header


def run(*words, code=0):
    done = subprocess.run([STORE, *words], capture_output=True, timeout=50)
    if done.returncode != code:
        sys.exit(f"weir-store {' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}")
    return done.stdout.decode() if code == 0 else (done.stdout + done.stderr).decode()


def check(ok, what):
    if not ok:
        sys.exit(f"FAILED: {what}")


def on_a_live_store(path):
    writer = subprocess.Popen([LIVE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    check(writer.stdout.readline() == "ready\n", "the writer does not write")
    check("in use by a Weir" in run("info", path), "info on a live store")
    check("all can be read" in run("check", path), "check on a live store")
    check(len(run("dump", path, "--limit", "5").splitlines()) > 1000, "dump on a live store")
    # A reader that dies in the middle must not hold the writer up, or its pages for ever.
    for _ in range(5):
        reader = subprocess.Popen([STORE, "dump", path], stdout=subprocess.PIPE)
        reader.stdout.read(1000)
        reader.send_signal(signal.SIGKILL)
        reader.wait()
        reader.stdout.close()
    check(writer.poll() is None, "the writer ended")
    last, _ = writer.communicate(timeout=30)
    check(writer.returncode == 0, "the writer failed")
    return [int(word) for word in last.splitlines()[-1].split()]


def on_a_closed_store(path, rows, written):
    about = json.loads(run("info", path, "--format", "json"))
    check(not about["in_use"] and about["format"] == 3 and about["minutes"]["rows"] > 0, f"info: {about}")
    verdict = json.loads(run("check", path, "--format", "json"))
    check(verdict["damage"] == [] and verdict["rows"] > rows, f"check: {verdict}")

    everything = list(csv.DictReader(io.StringIO(run("dump", path), newline="")))
    check(sum(int(row["bytes_written"]) for row in everything) == written, "the sum of the dump")
    check(everything[0]["time"] >= everything[-1]["time"], "newest first")
    objects = [json.loads(line) for line in run("dump", path, "--format", "json").splitlines()]
    check(len(objects) == len(everything), "as many objects as lines")
    check(sum(row["bytes_written"] for row in objects) == written, "the sum of the objects")
    points = run("dump", path, "--format", "lineproto").splitlines()
    check(len(points) == len(everything) and all(p.startswith("netflow,") for p in points), "points")
    for layer, what in (("l7", "httpflow,"), ("dns", "dnsflow,")):
        check(run("dump", path, "--layer", layer, "--format", "lineproto").startswith(what), layer)
    slow = list(csv.DictReader(io.StringIO(run("dump", path, "--layer", "slow"), newline="")))
    check(slow and "network_stall" in slow[0], "slow requests")

    groups = [json.loads(line) for line in run("top", path, "--by", "transport", "--format", "json").splitlines()]
    check({g["transport"] for g in groups} == {"tcp", "udp"}, f"top: {groups}")
    check("more" in run("top", path, "--limit", "2"), "top says that there is more")
    some = run("top", path, "--by", "transport", "--q", "transport:udp", "--format", "csv")
    check("udp" in some and "tcp" not in some, "top of a filter")


def on_what_is_wrong(path):
    check("there is none" in run("info", path + "/nothing", code=1), "no store")
    check("usage" in run("--help"), "help")
    for words in (("info",), ("nonsense", path), ("top", path, "--by", "colour"), ("top", path, "--layer", "l9"),
                  ("dump", path, "--format", "xml"), ("dump", path, "--q", "("), ("top", path, "--limit", "x"),
                  ("dump", path, "--layer", "slow", "--format", "lineproto"), ("dump", path, "--from", "soon")):
        run(*words, code=2)
    file = path + "/data.mdb"
    with open(file, "r+b") as data:
        content = data.read()
        for page in range(2 * PAGE, len(content), PAGE):
            if content[page + 10:page + 12] == OVERFLOW:  # a large value, that is: a block
                data.seek(page + 700)
                data.write(b"damage")
    check("DAMAGED" in run("check", path, code=1), "a damaged store")
    run("dump", path, code=1)
    with open(file, "r+b") as data:
        data.truncate(len(content) // 2)
    run("info", path, code=1)


def main():
    with tempfile.TemporaryDirectory(prefix="weir-store-test-") as path:
        rows, written = on_a_live_store(path)
        on_a_closed_store(path, rows, written)
        on_what_is_wrong(path)
    print("ok")


if __name__ == "__main__":
    main()
