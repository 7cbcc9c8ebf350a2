"""A host in Python that takes points only when it is told to.

    spool_host.py PLUGIN CONFIG POINTS

Reads commands on its standard input, one a line, and answers "ok": take, busy, closed, hang; stop ends it. What it takes is
appended to POINTS before it says so to the plugin. Log and status go to its standard error.
"""

import ctypes as c
import sys
import threading
import time

EMIT = {"take": 0, "busy": 1, "closed": 2}
answer = "busy"
released = threading.Event()


class Str(c.Structure):
    _fields_ = [("data", c.c_char_p), ("size", c.c_uint64)]


LOG = c.CFUNCTYPE(None, c.c_uint64, c.c_int32, c.POINTER(c.c_char), c.c_uint64)
EMIT_POINTS = c.CFUNCTYPE(c.c_int32, c.c_uint64, c.c_int32, c.POINTER(c.c_char), c.c_uint64, c.c_uint64)
STATUS = c.CFUNCTYPE(None, c.c_uint64, c.c_int32, c.POINTER(c.c_char), c.c_uint64)
NOW = c.CFUNCTYPE(c.c_int64, c.c_uint64)


class HostTable(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved0", c.c_uint32), ("ctx", c.c_uint64), ("points_format", c.c_int32),
                ("reserved1", c.c_uint32), ("name", Str), ("version", Str), ("log", LOG), ("emit_points", EMIT_POINTS),
                ("emit_status", STATUS), ("now_ns", NOW), ("global_tags", c.c_void_p), ("should_stop", c.c_void_p),
                ("get_extension", c.c_void_p)]


CALL = c.CFUNCTYPE(c.c_int32, c.c_void_p)


class PluginTable(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved0", c.c_uint32), ("abi_major", c.c_uint32), ("abi_minor", c.c_uint32),
                ("build_id", Str), *[(name, c.c_void_p) for name in ("describe", "schema", "sample", "validate", "probe")],
                ("create", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, c.c_void_p, c.c_char_p, c.c_uint64, c.c_void_p)),
                ("start", CALL), ("reconfigure", c.c_void_p), ("pause", CALL), ("resume", CALL), ("request_stop", CALL),
                ("stop", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_uint64)), ("destroy", c.CFUNCTYPE(None, c.c_void_p))]


def say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main():
    global answer
    plugin_file, config_file, points_file = sys.argv[1:]
    points = open(points_file, "ab", buffering=0)

    def emit(_ctx, _format, data, size, _count):
        now = answer
        if now == "hang":
            released.wait()
            now = answer
        if now == "take":
            points.write(data[:size])
        return EMIT[now]

    table = HostTable(struct_size=c.sizeof(HostTable), points_format=1,
                      log=LOG(lambda _c, level, text, size: say(f"log {level}: {text[:size].decode()}")),
                      emit_points=EMIT_POINTS(emit),
                      emit_status=STATUS(lambda _c, code, text, size: say(f"status {code}: {text[:size].decode()}")),
                      now_ns=NOW(lambda _c: time.time_ns()))
    library = c.CDLL(plugin_file)
    library.weir_plugin_entry.restype = c.POINTER(PluginTable)
    plugin = library.weir_plugin_entry(1, 0).contents
    config = open(config_file, "rb").read()
    instance, error = c.c_void_p(), c.create_string_buffer(4096)
    if plugin.create(c.byref(table), c.byref(Str(config, len(config))), c.byref(instance), error, 4096, None) != 0:
        sys.exit(error.value.decode())
    code = plugin.start(instance)
    if code != 0:
        sys.exit(f"start answers {code}")
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "stop":
            break
        answer = line.strip()
        if answer == "hang":
            released.clear()
        else:
            released.set()
        print("ok", flush=True)
    print("stop answers", plugin.stop(instance, 5_000_000_000), flush=True)
    plugin.destroy(instance)


main()
