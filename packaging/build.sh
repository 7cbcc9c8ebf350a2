#!/bin/sh
# Configures when needed and builds: build.sh PRESET [target...]
# Quiet when all goes well; what the tools said is shown when it does not.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
preset=$1
shift
mkdir -p "$root/build"
log=$root/build/$preset.log

# named targets are what is shipped: they need none of the packages that tests need
tests=ON
[ $# -eq 0 ] || tests=OFF
is_configured() {
  [ -e "build/$preset/build.ninja" ] &&
    { [ $tests = OFF ] || grep -q '^BUILD_TESTING:BOOL=ON$' "build/$preset/CMakeCache.txt"; }
}

cd "$root"
if ! {
  { is_configured || cmake --preset "$preset" -D BUILD_TESTING=$tests; } &&
    cmake --build --preset "$preset" ${1:+--target "$@"}
} >"$log" 2>&1; then
  tail -n 60 "$log" >&2
  echo "weir: the build failed; all of it is in $log" >&2
  exit 1
fi
