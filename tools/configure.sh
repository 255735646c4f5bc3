#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/configure.sh PRESET
# Configures a preset into build/PRESET, quietly. The first time, several sources are compiled together (AMPHORA_UNITY), because
# then everything has to be built anyway; a folder that somebody configured by hand keeps its choice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=$1
first=()
[[ -f build/$preset/CMakeCache.txt ]] || first=(-DAMPHORA_UNITY=ON)
mkdir -p build
if ! output=$(cmake --preset "$preset" "${first[@]}" 2>&1); then
  printf '%s\n' "$output" >&2
  exit 1
fi
