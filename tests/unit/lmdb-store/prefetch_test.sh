#!/bin/sh
# The store's hot loops ask for memory ahead (lmdb-store/prefetch.h): prefetch_test.sh LIBRARY
# A compiler may leave that out without a word, and everything still works, a quarter slower.
set -eu
objdump -d "$1" | awk '
  /file format/ { object = $1 }
  /\tprefetch/ { sub(/:$/, "", object); found[object]++ }
  END {
    failed = 0
    split("endpoint_rollup group_sums row_run segment_writer", wanted)
    for (i in wanted) {
      count = found[wanted[i] ".cc.o"] + 0
      print wanted[i] ": " count
      if (count == 0) failed = 1
    }
    exit failed
  }'
