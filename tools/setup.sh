#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what Amphora needs on Debian 12, with apt and npm only.
#
#   tools/setup.sh          everything: build, tests, lint, the kernel for the micro-VM tests
#   tools/setup.sh --demo   only what `make build` and `make demo` need
#   tools/setup.sh --list   prints the Debian packages of the chosen set and installs nothing
#
# A second call is silent and instant: a stamp under build/ holds the hash of this script, the lock file of the web
# application and the kernel recipe. Runs as root or through sudo. docs/DEPENDENCIES.md says why each package is
# there; a test compares the two lists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin:/sbin

# The test libraries are small and belong to the first set so that one configuration serves every target.
demo_packages=(
  build-essential g++ cmake ninja-build ccache pkg-config git ca-certificates
  libboost-dev libssl-dev libmosquitto-dev libsqlite3-dev libsodium-dev libnl-3-dev libnl-genl-3-dev libgpiod-dev
  nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev
  mosquitto mosquitto-clients
  libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev python3
)
test_packages=(
  clang libclang-rt-14-dev clang-format clang-tidy shellcheck curl sqlite3 iproute2
  python3-can python3-msgpack python3-paho-mqtt libmodbus-dev
  qemu-system-x86 busybox-static cpio kmod systemd can-utils gpiod iw wireless-regdb tshark valgrind chromium
)

set_name=all
list_only=no
for argument in "$@"; do
  case $argument in
    --demo) set_name=demo ;;
    --list) list_only=yes ;;
    *) echo "setup: unknown argument '$argument'; allowed: --demo, --list" >&2; exit 2 ;;
  esac
done
packages=("${demo_packages[@]}")
[[ $set_name == demo ]] || packages+=("${test_packages[@]}")

# The web application's build needs a newer Node.js than Debian 12 has. A node in PATH that is new enough is used as it is;
# otherwise Debian's is installed, and with its npm a current one into build/node, which the Makefile puts first in PATH.
PATH=$PWD/build/node/bin:$PATH
node_major=20
node_is_recent() {
  command -v npm >/dev/null && [[ $(node --version 2>/dev/null) =~ ^v([0-9]+)\. ]] && ((BASH_REMATCH[1] >= node_major))
}
needs_node=no
if [[ -f web/package.json ]] && ! node_is_recent; then
  needs_node=yes
  packages+=(nodejs npm)
fi

if [[ $list_only == yes ]]; then printf '%s\n' "${packages[@]}"; exit 0; fi

mkdir -p build
log=build/setup.log
# The full set contains the small one, so its stamp counts for both.
inputs=(tools/setup.sh)
for file in web/package-lock.json tests/vm/prepare.sh; do [[ -f $file ]] && inputs+=("$file"); done
key=$(sha256sum "${inputs[@]}" | sha256sum | cut -d' ' -f1)
web_is_ready() { [[ ! -f web/package-lock.json || -f web/node_modules/.package-lock.json ]] && [[ $needs_node == no ]]; }
for done_name in "$set_name" all; do
  if [[ -f build/setup-$done_name.stamp && $(<"build/setup-$done_name.stamp") == "$key" ]] && web_is_ready; then
    exit 0
  fi
done

as_root() {
  if ((EUID == 0)); then "$@"
  elif command -v sudo >/dev/null; then sudo --preserve-env=DEBIAN_FRONTEND "$@"
  else echo "setup: packages are missing and this is neither root nor is sudo installed; run it as root once" >&2; exit 1
  fi
}
# Runs one step with its output in the log; on failure shows the end of it.
logged() {
  local what=$1; shift
  echo "setup: $what (details in $log)"
  if ! "$@" >>"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "setup: failed: $what" >&2
    exit 1
  fi
}

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=absent
  [[ $status == installed ]] || missing+=("$package")
done
: >"$log"
if ((${#missing[@]})); then
  export DEBIAN_FRONTEND=noninteractive
  apt_options=(-o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  logged "reading Debian's package lists" as_root apt-get update -q "${apt_options[@]}"
  logged "installing ${#missing[@]} Debian packages: ${missing[*]}" \
    as_root apt-get install -q -y --no-install-recommends "${apt_options[@]}" "${missing[@]}"
fi

if [[ $needs_node == yes ]] && ! node_is_recent; then
  # The package holds the program itself; it is linked to bin/ so that PATH has nothing else of that folder.
  logged "installing a current Node.js" npm install --prefix build/node --no-save --no-audit --no-fund node@22
  mkdir -p build/node/bin && ln -sfn ../node_modules/node/bin/node build/node/bin/node
  hash -r
  node_is_recent || { echo "setup: Node.js is $(node --version), needed is $node_major or newer" >&2; exit 1; }
fi

if [[ -f web/package-lock.json ]]; then
  web_key=$(sha256sum web/package-lock.json | cut -d' ' -f1)
  if [[ ! -f web/node_modules/.package-lock.json || ! -f build/setup-web.stamp || $(<build/setup-web.stamp) != "$web_key" ]]; then
    # The tests drive Debian's Chromium, so no package may fetch a browser of its own.
    logged "installing the web application's packages" \
      env PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix web ci --no-audit --no-fund
    echo "$web_key" >build/setup-web.stamp
  fi
fi

if [[ $set_name != demo && -x tests/vm/prepare.sh && $(uname -m) == x86_64 ]]; then
  logged "preparing the kernel of the micro-VM tests" tests/vm/prepare.sh
fi
echo "$key" >"build/setup-$set_name.stamp"
