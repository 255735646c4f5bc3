#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package and looks into it without installing it: contents, owners, control files, maintainer scripts,
# the service's security settings, and the program started from the unpacked tree. vm.deb then installs it for real.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() { echo "deb: $*" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

package=$(tools/build_package.sh)
[[ -f $package ]] || fail "no package was built"
dpkg-deb -x "$package" "$scratch/tree"
dpkg-deb -e "$package" "$scratch/control"
dpkg-deb -c "$package" >"$scratch/contents"

for path in usr/bin/amphora usr/lib/systemd/system/amphora.service usr/share/amphora/web/index.html \
  usr/share/doc/amphora/copyright usr/share/doc/amphora/changelog.gz usr/share/doc/amphora/examples/bms-gateway.toml \
  usr/share/doc/amphora/examples/transmitter.toml usr/share/doc/amphora/examples/receiver.toml \
  usr/share/doc/amphora/examples/pack.toml usr/share/doc/amphora/examples/pack.conf \
  usr/share/doc/amphora/examples/radio.conf etc/amphora/amphora.toml; do
  [[ -f $scratch/tree/$path ]] || fail "/$path is missing"
done
bad=$(awk '$2 != "root/root" || $1 ~ /^.....w|^........w|s|t/ {print}' "$scratch/contents")
[[ -z $bad ]] || fail "wrong owner or mode: $bad"
bad=$(grep -vE ' \./((usr|etc)(/.*)?)?$' "$scratch/contents" || true)
[[ -z $bad ]] || fail "outside /usr and /etc: $bad"
bad=$(grep -rlF "$PWD" "$scratch/tree/etc" "$scratch/tree/usr/lib" "$scratch/tree/usr/share" || true)
[[ -z $bad ]] || fail "names the folder it was built in: $bad"

field() { dpkg-deb -f "$package" "$1"; }
[[ $(field Package) == amphora ]] || fail "Package is '$(field Package)'"
version=$(sed -n 's/^project(amphora VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
[[ $(field Version) == "$version" ]] || fail "Version is '$(field Version)', CMakeLists.txt says '$version'"
[[ $(field Architecture) == "$(dpkg --print-architecture)" ]] || fail "Architecture is '$(field Architecture)'"
[[ $(field Depends) == *adduser* && $(field Depends) == *libc6* ]] || fail "Depends is '$(field Depends)'"
[[ $(cat "$scratch/control/conffiles") == /etc/amphora/amphora.toml ]] || fail "the configuration is no conffile"
for script in postinst prerm postrm; do
  [[ $(stat -c %a "$scratch/control/$script") == 755 ]] || fail "$script is not executable"
  sh -n "$scratch/control/$script" || fail "$script has a syntax error"
done
[[ -z $(nm "$scratch/tree/usr/bin/amphora" 2>/dev/null) ]] || fail "the program is not stripped"

"$scratch/tree/usr/bin/amphora" version >"$scratch/version" || fail "amphora version gave $?"
grep -qF "$version" "$scratch/version" || fail "amphora version says '$(cat "$scratch/version")'"
"$scratch/tree/usr/bin/amphora" check "$scratch/tree/etc/amphora/amphora.toml" || fail "the default configuration is wrong"

# 0 is most closed, 10 is open; above 2.5 somebody loosened the service.
exposure=$(systemd-analyze security --offline=yes --no-pager "$scratch/tree/usr/lib/systemd/system/amphora.service" |
  sed -n 's/.*exposure level for .*: \([0-9.]*\).*/\1/p')
awk -v level="${exposure:-10}" 'BEGIN {exit !(level <= 2.5)}' || fail "exposure of the service is '$exposure'"
echo "deb: $package is good, exposure $exposure"
