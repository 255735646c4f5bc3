#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/vm/run_in_vm.sh [--seconds N] [--systemd] COMMAND...
# Boots Debian's kernel under qemu and runs COMMAND in it as root, in the folder of the caller, with this machine's
# files; prints its output while it runs and exits with its code. 124: not finished within N seconds (default 240, a
# bound for hangs). 125: the guest did not start.
#
# What it is for: SocketCAN, ISO-TP and simulated radios on a machine whose kernel has none. No KVM, no root needed.
# In the guest: the modules of prepare.sh are loaded, loopback is up, there is no other network. Whatever is written goes
# to the guest's memory and is gone afterwards; databases and sockets belong into $TMPDIR. With --systemd the machine
# is started by systemd and COMMAND may use systemctl. The clock runs slower under load, so judge order and content.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vm=$(cd "$here/../.." && pwd)/build/vm
seconds=240
with_systemd=no
while [[ ${1:-} == --* ]]; do
  case $1 in
    --seconds) seconds=$2 && shift ;;
    --systemd) with_systemd=yes ;;
    *) echo "run_in_vm.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
(($#)) || { echo "usage: run_in_vm.sh [--seconds N] [--systemd] COMMAND..." >&2; exit 2; }
"$here/prepare.sh"

job=$(mktemp -d "$vm/job.XXXXXX")
qemu=
# shellcheck disable=SC2317  # called by the trap
cleanup() {
  if [[ -n $qemu ]]; then kill "$qemu" 2>/dev/null || true; fi
  rm -rf "$job"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
printf 'cd %q && exec %s\n' "$PWD" "$(printf '%q ' "$@")" >"$job/command"
: >"$job/output"
if [[ $with_systemd == yes ]]; then : >"$job/systemd"; fi

# One processor and no guard against speculation: emulated, both only cost time (measured: half of it). No check of the timer:
# on a busy machine it comes too late for it, and the kernel would give up.
# The nvme device is no disk here but the card of gpio_test.sh: its region 2 is memory, which the guest may look into.
qemu-system-x86_64 -accel tcg -cpu max -smp 1 -m 768 -display none -monitor none -no-reboot \
  -serial "file:$job/console" -kernel "$vm/vmlinux" -initrd "$vm/initramfs" -append "console=ttyS0 quiet panic=1 mitigations=off no_timer_check iomem=relaxed" \
  -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
  -device virtio-9p-pci,fsdev=root,mount_tag=root \
  -device nvme,serial=card,cmb_size_mb=1,legacy-cmb=on \
  -fsdev "local,id=job,path=$job,security_model=none" -device virtio-9p-pci,fsdev=job,mount_tag=job \
  </dev/null >"$job/qemu" 2>&1 &
qemu=$!
tail -n +1 -f --pid="$qemu" "$job/output" &
show=$!

deadline=$((SECONDS + seconds))
while kill -0 "$qemu" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
if kill -0 "$qemu" 2>/dev/null; then
  kill "$qemu"
  wait "$show" 2>/dev/null || true
  echo "vm: not finished after $seconds s; the end of its console:" >&2
  tail -n 40 "$job/console" >&2
  exit 124
fi
qemu=
wait "$show" 2>/dev/null || true
if [[ ! -s $job/exit_code ]]; then
  echo "vm: the guest did not run the command" >&2
  cat "$job/qemu" "$job/console" >&2
  exit 125
fi
exit "$(<"$job/exit_code")"
