#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The harness itself, on the host: it passes the exit code and the output on, cannot write to the host's files, has the
# simulated radios, and gives up on a command that hangs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
fail() { echo "harness: $*" >&2; exit 1; }

tests/vm/prepare.sh
code=0
# shellcheck disable=SC2016  # the guest expands the variables
output=$(tests/vm/run_in_vm.sh bash -c '
  echo "in $PWD"
  : >"$TMPDIR/mine" || exit 1
  : >./written_by_guest || exit 1
  ls /sys/class/ieee80211 | wc -l
  exit 42') || code=$?
[[ $code == 42 ]] || fail "exit code $code instead of 42; output: $output"
[[ $output == "in $PWD"$'\n'3 ]] || fail "unexpected output: $output"
[[ ! -e written_by_guest ]] || fail "the guest wrote into the host's tree"

code=0
tests/vm/run_in_vm.sh --seconds 15 sleep 1000 2>/dev/null || code=$?
[[ $code == 124 ]] || fail "a hanging command gave $code instead of 124"
echo "harness: good"
