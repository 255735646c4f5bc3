#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The kernel of the micro-VM has what the CAN tests stand on: a virtual CAN interface on which one program sees another
# program's frame, and ISO-TP.
set -euo pipefail
ip link add vcan0 type vcan
ip link set vcan0 up

candump -n 1 -L vcan0 >"$TMPDIR/seen" &
listener=$!
# The listener may not have opened its socket yet, so the frame is repeated until it ends.
while kill -0 "$listener" 2>/dev/null; do
  cansend vcan0 351#3702E803E8032002
  sleep 0.1
done
wait "$listener"
grep -q 'vcan0 351#3702E803E8032002$' "$TMPDIR/seen" || { cat "$TMPDIR/seen"; exit 1; }

isotprecv -s 321 -d 123 vcan0 >"$TMPDIR/message" &
listener=$!
while kill -0 "$listener" 2>/dev/null; do
  echo 11 22 33 44 55 66 77 88 99 AA BB CC | isotpsend -s 123 -d 321 vcan0 2>/dev/null || true
  sleep 0.2
done
wait "$listener"
grep -q '^11 22 33 44 55 66 77 88 99 AA BB CC *$' "$TMPDIR/message" || { cat "$TMPDIR/message"; exit 1; }
echo "vcan and ISO-TP carry frames"
