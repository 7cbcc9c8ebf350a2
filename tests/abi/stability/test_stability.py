"""What was released stays: headers, symbols, layout as the compiler makes it."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import header_prefix

ROOT = pathlib.Path(os.environ["WEIR_SOURCE"])
HEADER = ROOT / "abi/include/weir_abi.h"
RELEASED = ROOT / "abi/released"
PLUGIN = os.environ["WEIR_PLUGIN"]
LAYOUT = os.environ["WEIR_LAYOUT"]


def released():
    """The released headers, oldest first."""
    def version(path):
        return [int(part) for part in re.findall(r"\d+", path.name)]
    return sorted(RELEASED.glob("weir_abi-*.h"), key=version)


class Headers(unittest.TestCase):
    def test_each_holds_the_one_before_it(self):
        headers = [*released(), HEADER]
        self.assertGreater(len(headers), 1)
        self.assertEqual(header_prefix.main(headers), 0)

    def test_every_version_before_this_one_is_there(self):
        minor = int(re.search(r"#define WEIR_ABI_MINOR (\d+)u", HEADER.read_text())[1])
        names = {path.name for path in released()}
        self.assertLessEqual({f"weir_abi-1.{number}.h" for number in range(minor)}, names)


class PrefixRule(unittest.TestCase):
    """The rule itself: it sees what must not be, and allows what may be."""

    def breaks(self, old, new):
        text = HEADER.read_text()
        self.assertEqual(text.count(old), 1, old)
        with tempfile.NamedTemporaryFile("w", suffix=".h") as changed:
            changed.write(text.replace(old, new))
            changed.flush()
            return list(header_prefix.breaks(HEADER, changed.name))

    def test_additions(self):
        self.assertEqual(self.breaks("} weir_ext_metrics;", "void (*more)(void);\n} weir_ext_metrics;"), [])
        self.assertEqual(self.breaks("#define WEIR_LOG_ERROR 3", "#define WEIR_LOG_ERROR 3\n#define WEIR_LOG_FATAL 4"), [])
        self.assertEqual(self.breaks("#define WEIR_ABI_MINOR 0u", "#define WEIR_ABI_MINOR 1u"), [])

    def test_changes(self):
        for old, new in (("#define WEIR_LOG_ERROR 3", "#define WEIR_LOG_ERROR 4"),
                         ("#define WEIR_LOG_ERROR 3", ""),
                         ("WEIR_E_CANCELLED ((weir_code)-11)", "WEIR_E_CANCELLED ((weir_code)-12)"),
                         ("#define WEIR_ABI_MAJOR 1u", "#define WEIR_ABI_MAJOR 2u"),
                         ("typedef uint64_t weir_host_ctx;", "typedef void *weir_host_ctx;"),
                         ("uint32_t abi_major;", ""),
                         ("uint32_t abi_major;", "uint32_t abi_minor_first;\n    uint32_t abi_major;"),
                         ("uint32_t abi_major;", "uint64_t abi_major;"),
                         ("weir_code (*stop)(weir_instance *instance, uint64_t", "weir_code (*stop)(weir_instance *instance, uint32_t"),
                         ("int64_t (*now_ns)(weir_host_ctx ctx);", "int64_t (*now)(weir_host_ctx ctx);")):
            with self.subTest(new or "without " + old):
                self.assertNotEqual(self.breaks(old, new), [])


class Symbols(unittest.TestCase):
    def test_golden_list(self):
        listed = subprocess.run(["nm", "--dynamic", "--defined-only", PLUGIN], check=True, capture_output=True, text=True)
        symbols = [" ".join(line.split()[1:]) for line in listed.stdout.splitlines()]
        golden = (RELEASED / "symbols.txt").read_text().split("\n")
        self.assertEqual(symbols, [line for line in golden if line and not line.startswith("#")])


@unittest.skipUnless(shutil.which("abidiff"), "abidiff is not there (package abigail-tools)")
class Layout(unittest.TestCase):
    # In abidiff's report, all but members that a struct got behind the others.
    FORBIDDEN = re.compile(r"data member (change|deletion)|[1-9]\d* Removed|(offset|name|type|parameter \d+) .*changed")
    ALLOWED = re.compile(r"size changed from|summary:")

    def changes(self, description, library=LAYOUT):
        done = subprocess.run(["abidiff", "--harmless", "--leaf-changes-only", description, library], capture_output=True,
                              text=True)
        self.assertLess(done.returncode & 3, 1, done.stderr)  # an error of abidiff's own
        return [line.strip() for line in done.stdout.splitlines()
                if self.FORBIDDEN.search(line) and not self.ALLOWED.search(line)]

    def test_against_the_released_builds(self):
        descriptions = sorted(RELEASED.glob("weir_abi-*.abi"))
        self.assertEqual(len(descriptions), len(released()))
        for description in descriptions:
            self.assertEqual(self.changes(description), [])

    def with_header(self, old, new):
        """What abidiff finds when the header said something else."""
        text = HEADER.read_text()
        self.assertEqual(text.count(old), 1, old)
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "weir_abi.h").write_text(text.replace(old, new))
            library = os.path.join(directory, "changed.so")
            subprocess.run([os.environ.get("CC", "cc"), "-g", "-shared", "-fPIC", "-fvisibility=hidden", "-I", directory,
                            pathlib.Path(__file__).with_name("layout.c"), "-o", library], check=True)
            return self.changes(RELEASED / "weir_abi-1.0.abi", library)

    def test_that_it_sees_changes(self):
        self.assertNotEqual(self.with_header("uint32_t abi_major;", "uint64_t abi_major;"), [])
        self.assertNotEqual(self.with_header("uint32_t abi_major;", "uint32_t first;\n    uint32_t abi_major;"), [])
        self.assertNotEqual(self.with_header("uint32_t abi_major;\n", ""), [])

    def test_that_it_allows_additions(self):
        self.assertEqual(self.with_header("} weir_plugin_v1;", "    void (*more)(void);\n} weir_plugin_v1;"), [])


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    sys.exit(1 if not result.wasSuccessful() or result.testsRun == 0 else 77 if result.skipped else 0)
