#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/run_benches.sh JOBS [NAME...]
# Builds and runs the benches. A bench is a folder bench/QUESTION with an executable `run` (any language), which prints
# its figures with the named reference or limit of the same run and exits 1 when the limit is missed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${1:-$(nproc)}
shift || true
cmake --preset dev >/dev/null
tools/build_quietly.sh build/dev "$jobs" all
names=("$@")
if ((${#names[@]} == 0)); then
  for program in bench/*/run; do [[ -x $program ]] && names+=("$(basename "$(dirname "$program")")"); done
fi
((${#names[@]})) || { echo "bench: there is no bench/*/run"; exit 1; }
failed=0
for name in "${names[@]}"; do
  [[ -x bench/$name/run ]] || { echo "bench: no bench named '$name'; see bench/"; exit 2; }
  echo "== $name"
  "bench/$name/run" || { echo "bench: $name failed"; failed=$((failed + 1)); }
done
((failed == 0))
