#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/build_quietly.sh BUILD_DIR JOBS TARGET...
# Builds targets and keeps the compiler's chatter out of the way: one line when there is work, the whole log only when
# it fails. On a terminal ninja shows its own progress.
set -euo pipefail
build_dir=$1 jobs=$2
shift 2
command=(cmake --build "$build_dir" -j "$jobs" --target "$@")
if [[ -t 1 ]]; then exec "${command[@]}"; fi
log=$build_dir/build.log
started=$SECONDS
if ! "${command[@]}" >"$log" 2>&1; then
  cat "$log" >&2
  echo "build: failed: ${command[*]}" >&2
  exit 1
fi
if ! grep -q 'ninja: no work to do' "$log"; then echo "build: $* in $build_dir took $((SECONDS - started)) s"; fi
