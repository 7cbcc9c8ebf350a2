"""How fast points are encoded: encode_bench's figures in time, and in instructions, which are the same on a busy machine.

    encode.py            prints both
    encode.py --check    fails when an encoder takes more than a fifth of the plain implementation's instructions
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(os.environ["WEIR_BUILD"]) / "tests/bench/encode_bench"
SKIPPED = 77
LEAST_RATIO = 5
FEW, MANY = 500, 2500  # points; what lies between the two runs is encoding and nothing else


def instructions(contender, points):
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", "--toggle-collect=" + "encode_" + contender,
                               BENCH, str(points), contender], capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def per_point(contender):
    return (instructions(contender, MANY) - instructions(contender, FEW)) / (MANY - FEW)


def main():
    check = "--check" in sys.argv
    if shutil.which("valgrind") is None:
        print("SKIPPED: valgrind is not installed")
        return SKIPPED
    if not check:
        subprocess.run([BENCH], check=True)
    failed = False
    for ours, plain in (("line", "ostream"), ("protobuf", "runtime")):
        one, other = per_point(ours), per_point(plain)
        print(f"{ours}: {one:.0f} instructions a point, {plain} {other:.0f}: {other / one:.1f} times as many")
        failed = failed or other / one < LEAST_RATIO
    return 1 if check and failed else 0


if __name__ == "__main__":
    sys.exit(main())
