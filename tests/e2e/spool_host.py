"""A host in Python that takes points only when it is told to.

    spool_host.py PLUGIN CONFIG POINTS

Reads commands on its standard input, one a line, and answers each with a line:
  take, busy, closed, hang   how it answers points from now on
  drain MS                   the code of weir.drain/1, then batches and points that wait
  change TOML                the code of weir.reload/1, and last_error where it failed
  keys                       the keys that can change
  stop                       the code of stop; then it ends
What it takes is appended to POINTS before it says so to the plugin. Log and status go to its standard error.
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
                ("stop", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_uint64)), ("destroy", c.CFUNCTYPE(None, c.c_void_p)),
                ("last_error", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_char_p, c.c_uint64, c.POINTER(c.c_uint64))),
                ("get_extension", c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_char_p, c.c_uint64))]


class Pending(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved0", c.c_uint32), *[(n, c.c_uint64) for n in ("batches", "points", "bytes", "lost_points")]]


class Drain(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved0", c.c_uint32), ("drain", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_uint64)),
                ("pending", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(Pending)))]


class Reload(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reserved0", c.c_uint32), ("keys", c.CFUNCTYPE(c.c_int32, c.POINTER(Str))),
                ("change", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(Str)))]


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
    def extension(name, kind):
        return c.cast(plugin.get_extension(instance, name, len(name)), c.POINTER(kind)).contents

    def drain(argument):
        pending = Pending(struct_size=c.sizeof(Pending))
        code = extension(b"weir.drain/1", Drain).drain(instance, int(argument) * 1_000_000)
        extension(b"weir.drain/1", Drain).pending(instance, c.byref(pending))
        return f"{code} {pending.batches} {pending.points}"

    def change(argument):
        text = argument.replace("\\n", "\n").encode()
        code = extension(b"weir.reload/1", Reload).change(instance, c.byref(Str(text, len(text))))
        length = c.c_uint64()
        plugin.last_error(instance, error, 4096, c.byref(length))
        return f"{code} {error.raw[:length.value].decode() if code else ''}".strip()

    def keys(_argument):
        text = Str()
        extension(b"weir.reload/1", Reload).keys(c.byref(text))
        return text.data[:text.size].decode()

    commands = {"drain": drain, "change": change, "keys": keys}
    print("ready", flush=True)
    for line in sys.stdin:
        word, _, argument = line.strip().partition(" ")
        if word == "stop":
            break
        if word in commands:
            print(commands[word](argument), flush=True)
            continue
        answer = word
        if answer == "hang":
            released.clear()
        else:
            released.set()
        print("ok", flush=True)
    print("stop answers", plugin.stop(instance, 5_000_000_000), flush=True)
    plugin.destroy(instance)


main()
