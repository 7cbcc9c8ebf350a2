#!/bin/sh
# Looks for inputs that break what reads hostile bytes: fuzz.sh TARGET [libFuzzer options]
#   TARGET: http1, http2, dns, route, store. Options: -max_total_time=600, for example.
# Needs clang with its runtime libraries (Debian: libclang-rt-14-dev). New inputs that reach new code go to
# build/fuzz/TARGET/found; those worth keeping are merged into tests/fuzz/corpus/TARGET with -merge=1.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
target=$1
shift
build=$root/build/fuzz/$target
mkdir -p "$build/found"
cd "$root"

case $target in
  http1) sources="plugin/source/record.cc plugin/protocol/http_request.cc" ;;
  http2) sources="plugin/protocol/http2*.cc plugin/protocol/hpack.cc" ;;
  dns) sources=plugin/protocol/dns.cc ;;
  route) sources=plugin/protocol/route.cc ;;
  store)
    sources="plugin/flow/address.cc plugin/flow/batch.cc plugin/flow/histogram.cc"
    for part in block_reader block_rows environment format histogram_column segment sequence; do
      sources="$sources lmdb-store/$part.cc"
    done ;;
  *) echo "fuzz.sh: no such target: $target" >&2; exit 2 ;;
esac
flags="-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-sanitize=alignment -I."
objects=
if [ "$target" = http1 ]; then
  clang -std=gnu11 -w -D__TARGET_ARCH_x86 $flags -Ibpf -c tests/unit/bpf/http_native.c -o "$build/http_native.o"
  objects=$build/http_native.o
fi
# shellcheck disable=SC2086 # lists of words
clang++ -std=c++20 $flags "tests/fuzz/fuzz_$target.cc" $sources $objects -lnghttp2 -llmdb -lxxhash -o "$build/fuzz"
exec "$build/fuzz" "$@" "$build/found" "tests/fuzz/corpus/$target"
