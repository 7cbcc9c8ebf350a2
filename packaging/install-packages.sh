#!/bin/sh
# Installs the Debian packages that Weir is built with, and with "test" those that its tests use.
# Asks nothing, does nothing when all are there, and starts no service.
set -eu

build="bpftool ca-certificates clang cmake g++ libbpf-dev libbrotli-dev libcpp-httplib-dev libelf-dev
  libexpected-dev liblmdb-dev libmnl-dev libnetfilter-conntrack-dev libnghttp2-dev libprotozero-dev
  libssl-dev libtomlplusplus-dev libxxhash-dev linux-libc-dev ninja-build nlohmann-json3-dev pkg-config
  robin-map-dev zlib1g-dev"
test="abigail-tools apache2-bin chromium curl dnsmasq-base golang-go haproxy influxdb iproute2 libcriterion-dev libprotobuf-dev
  nftables nghttp2-client nghttp2-proxy nghttp2-server nginx-light openssl procps protobuf-compiler python3
  python3-grpcio python3-jsonschema python3-protobuf python3-yaml valgrind victoria-metrics wrk"

case "${1:-build}" in
  build) wanted=$build ;;
  test) wanted="$build $test" ;;
  *) echo "usage: $0 [build|test]" >&2; exit 2 ;;
esac
# Node.js may come from elsewhere, in a version whose packages shut Debian's out
command -v npm >/dev/null || wanted="$wanted nodejs npm"

missing=
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "weir: these packages are missing; install them as root:$missing" >&2
  exit 1
fi

# a web server that is installed for tests must not be started by its package
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' INT TERM
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
echo "weir: installing$missing" >&2
apt-get update -q >&2
# shellcheck disable=SC2086 # a list of words
apt-get install -q -y --no-install-recommends $missing >&2
