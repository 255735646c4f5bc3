#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/run_benches.sh JOBS [NAME...]
# Builds and runs the benches and ends with a table of all figures. A bench is a folder bench/QUESTION with an executable
# `run`. It prints its figures with the named reference or limit of the same run, and exits 1 when its result is wrong, for
# example a message that did not arrive. A missed target is in the table and is no failure: timings depend on the machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${1:-$(nproc)}
shift || true
tools/configure.sh dev
tools/build_quietly.sh build/dev "$jobs" amphora_bench
names=("$@")
if ((${#names[@]} == 0)); then
  for program in bench/*/run; do names+=("$(basename "$(dirname "$program")")"); done
fi
table=$PWD/build/bench.tsv
printf 'question\tfigure\tpeer or limit\tratio\ttarget\tverdict\n' >"$table"
failed=0
for name in "${names[@]}"; do
  [[ -x bench/$name/run ]] || { echo "bench: no bench named '$name'; see bench/"; exit 2; }
  echo "== $name"
  AMPHORA_BENCH_TABLE=$table "bench/$name/run" || { echo "bench: $name failed"; failed=$((failed + 1)); }
done
echo
echo "$(nproc) cores, $(uname -m), Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%F)"
python3 bench/report.py "$table"
((failed == 0)) || { echo "bench: $failed of ${#names[@]} gave a wrong result"; exit 1; }
