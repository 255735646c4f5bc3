#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The box on a real SocketCAN interface, seen with can-utils from the other side of the bus: sane limits at least once a
# second; an inverter's keep-alive gone and back; a BMS that falls silent: zero currents, then no frames at all.
# Order and content are judged; times only as bounds that a slow guest cannot pass by being slow.
set -euo pipefail
amphora=${AMPHORA:-build/bin/amphora}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=${TMPDIR:-/tmp}/box
mkdir -p "$work"
children=()
# shellcheck disable=SC2317  # called by the trap
cleanup() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap cleanup EXIT
fail() {
  echo "box_test: $*" >&2
  tail -n 40 "$work"/*.log >&2 || true
  tail -n 20 "$work/dump" >&2 || true
  exit 1
}
# wait_until SECONDS WHAT COMMAND...: until COMMAND succeeds
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "waited in vain for: $what"
    sleep 0.2
  done
}
logged() { grep -q "$1" "$work/box.log"; }
# The newest limit frame as candump -L prints its data, and the time of the newest frame of any kind from us.
last_limits() { grep -o ' 351#[0-9A-F]*' "$work/dump" | tail -n 1 | cut -d'#' -f2; }
# u16 at byte $2 of data $1, little-endian
u16() { local d=${1:$(($2 * 2)):4}; echo $((16#${d:2:2}${d:0:2})); }
ccl() { u16 "$(last_limits)" 2; }
dcl() { u16 "$(last_limits)" 4; }
are_currents_zero() { [[ $(ccl) == 0 && $(dcl) == 0 ]]; }
are_currents_above_zero() { [[ -n $(last_limits) ]] && (($(ccl) > 0 && $(dcl) > 0)); }
frame_count() { grep -c ' 351#' "$work/dump" || true; }

ip link add vcan0 type vcan
ip link set vcan0 up
candump -L -t a vcan0 >"$work/dump" 2>"$work/candump.log" &
children+=($!)

mkfifo "$work/say"
"$amphora" emulate tinybms --pty "$work/bms" <"$work/say" >"$work/bms.out" 2>"$work/bms.log" &
children+=($!)
exec 3>"$work/say"
cat >"$work/box.toml" <<TOML
role = "bms-gateway"
name = "Micro-VM"
site = "vm"
[bms]
driver = "tinybms"
port = "$work/bms"
[battery]
chemistry = "lfp"
series_cells = 16
capacity_ah = 100
charge_current_max_a = 50
discharge_current_max_a = 100
[inverter]
protocol = "victron"
interface = "vcan0"
lost_hold_s = 5
battery_lost_hold_s = 5
[mqtt]
enabled = false
[web]
listen = "127.0.0.1:18080"
root = "$work"
login = "none"
[storage]
path = "$work/data"
TOML
wait_until 60 "the pseudo-terminal" test -e "$work/bms"
"$amphora" run "$work/box.toml" >"$work/box.out" 2>"$work/box.log" &
children+=($!)
# A GX: its keep-alive each second, from can-utils.
keep_alive() { while sleep 0.5; do cansend vcan0 305#0000000000000000; done; }
keep_alive &
gx=$!
children+=("$gx")

wait_until 90 "limits above zero on the bus" are_currents_above_zero
limits=$(last_limits)
cvl=$(u16 "$limits" 0)
((cvl >= 480 && cvl <= 576)) || fail "CVL $cvl is not sane for 16 LFP cells"
(($(ccl) <= 500 && $(dcl) <= 1000)) || fail "limits above the owner's: $limits"
echo "limits on vcan0: CVL $cvl, CCL $(ccl), DCL $(dcl) (tenths)"

# At least one limit frame in each second of the guest's clock, by the kernel's own time stamps.
sleep 10
grep ' 351#' "$work/dump" | sed 's/^(\([0-9.]*\)).*/\1/' |
  awk 'NR > 1 && $1 - last > worst { worst = $1 - last } { last = $1 } END { printf "largest gap between limit frames: %.3f s over %d frames\n", worst, NR; exit !(NR > 20 && worst <= 1.0) }' ||
  fail "limit frames are too far apart"
for id in 355 356 35A 35E 35F 370 371 372 373 379 382; do
  grep -q " $id#" "$work/dump" || fail "no frame 0x$id was seen"
done
logged "inverter answers" || fail "the keep-alive was not noticed"

kill "$gx" || true
wait "$gx" 2>/dev/null || true
wait_until 60 "the event of the lost inverter" logged "No keep-alive from the inverter"
wait_until 30 "zero currents" are_currents_zero
found_before=$(grep -c "inverter answers" "$work/box.log")
keep_alive &
gx=$!
children+=("$gx")
came_back() { (($(grep -c "inverter answers" "$work/box.log") > found_before)); }
wait_until 60 "the event of the inverter's return" came_back
wait_until 60 "limits above zero again" are_currents_above_zero
echo "keep-alive lost and found again: an event each, zero currents between"

silent_at=$(awk '{print $1}' /proc/uptime)
echo silent >&3
wait_until 60 "zero currents after the BMS fell silent" are_currents_zero
zero_at=$(awk '{print $1}' /proc/uptime)
awk -v a="$silent_at" -v b="$zero_at" 'BEGIN { printf "currents fell to zero %.1f s after the BMS fell silent\n", b - a; exit !(b - a <= 7) }' ||
  fail "zero came too late (bound 5 s, and 2 s for looking)"
wait_until 60 "the end of frames" logged "Nothing is sent to the inverter"
sleep 1
before=$(frame_count)
sleep 5
[[ $(frame_count) == "$before" ]] || fail "frames go on without a battery"
echo "frames stopped after the hold"
echo normal >&3
wait_until 60 "limits above zero after the BMS came back" are_currents_above_zero
echo "the BMS came back and so did the limits"
