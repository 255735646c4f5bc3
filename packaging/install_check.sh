#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside the micro-VM under systemd (test vm.deb): the package is installed, started, killed, upgraded, given a
# wrong configuration, removed and purged on a real Debian with a real service manager. What it changes is the guest's.
#   packaging/install_check.sh PACKAGE.deb
set -euo pipefail
package=$1
fail() {
  echo "install: $*" >&2
  systemctl status --no-pager --full amphora >&2 || true
  journalctl --no-pager -u amphora -n 30 >&2 || true
  exit 1
}
property() { systemctl show amphora --property "$1" --value; }
# wait_until WHAT COMMAND...: the bound only detects a hang, the guest is slow.
wait_until() {
  local what=$1 deadline=$((SECONDS + 90))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || fail "never happened: $what"
    sleep 0.5
  done
}
is_active() { [[ $(systemctl is-active amphora) == active ]]; }
has_other_pid() { is_active && [[ $(property MainPID) != "$1" && $(property MainPID) != 0 ]]; }
has_failed() { [[ $(systemctl is-active amphora) == failed ]]; }

[[ ${AMPHORA_VM:-} == 1 ]] || { echo "install: only inside the micro-VM" >&2; exit 2; }
# dpkg would read the file lists of every package of a developer's machine, slowly; here it knows only what this package
# depends on.
mapfile -t needed < <(dpkg-deb -f "$package" Depends | sed 's:[,|]:\n:g' | sed 's:^ *\([^ ]*\).*:\1:')
# A dependency may be a name that another package provides.
# shellcheck disable=SC2016  # dpkg-query expands the fields
dpkg-query -W -f '${Package}\t, ${Provides},\n' | sed 's: ([^)]*)::g' >"$TMPDIR/provided"
for i in "${!needed[@]}"; do
  if ! grep -q "^${needed[i]}"$'\t' "$TMPDIR/provided"; then
    needed[i]=$(grep -F ", ${needed[i]}," "$TMPDIR/provided" | head -n 1 | cut -f1)
  fi
done
dpkg-query -s "${needed[@]}" init-system-helpers >"$TMPDIR/status"
mv "$TMPDIR/status" /var/lib/dpkg/status
ip link add can0 type vcan
ip link set can0 up

dpkg -i "$package"
wait_until "the service is active after the installation" is_active
[[ $(systemctl is-enabled amphora) == enabled ]] || fail "the service is not enabled"
pid=$(property MainPID)
[[ $(stat -c %U "/proc/$pid") == amphora ]] || fail "the program runs as $(stat -c %U "/proc/$pid")"
grep -q '^NoNewPrivs:[[:space:]]*1$' "/proc/$pid/status" || fail "the program may gain privileges"
grep -q '^CapEff:[[:space:]]*0*$' "/proc/$pid/status" || fail "the program has capabilities"
[[ $(stat -c '%U %a' /etc/amphora/amphora.toml) == "amphora 600" ]] || fail "the configuration is readable to others"
[[ $(stat -c '%U %a' /var/lib/amphora) == "amphora 700" ]] || fail "the data folder is open to others"

kill -KILL "$pid"
wait_until "the service starts again after a crash" has_other_pid "$pid"

echo "# kept by the upgrade" >>/etc/amphora/amphora.toml
pid=$(property MainPID)
dpkg -i "$package"
wait_until "the service is active after the upgrade" has_other_pid "$pid"
grep -q "kept by the upgrade" /etc/amphora/amphora.toml || fail "the upgrade overwrote the configuration"

cp /etc/amphora/amphora.toml "$TMPDIR/good.toml"
echo "wrong = [" >>/etc/amphora/amphora.toml
systemctl restart amphora 2>/dev/null || true
wait_until "a wrong configuration ends the service" has_failed
[[ $(property ExecMainStatus) == 2 ]] || fail "a wrong configuration gave $(property ExecMainStatus) instead of 2"
cat "$TMPDIR/good.toml" >/etc/amphora/amphora.toml
systemctl start amphora
wait_until "the service is active with the configuration repaired" is_active

pid=$(property MainPID)
dpkg -r amphora
[[ ! -e /proc/$pid ]] || fail "the program runs on after the removal"
[[ -e /etc/amphora/amphora.toml && -d /var/lib/amphora ]] || fail "the removal took configuration or data away"
dpkg -P amphora
for path in /etc/amphora /var/lib/amphora /usr/bin/amphora /usr/share/amphora /lib/systemd/system/amphora.service \
  /etc/systemd/system/amphora.service /etc/systemd/system/multi-user.target.wants/amphora.service; do
  [[ ! -e $path && ! -L $path ]] || fail "the purge left $path"
done
if getent passwd amphora >/dev/null; then fail "the purge left the user"; fi
echo "install: good"
