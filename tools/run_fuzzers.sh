#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/run_fuzzers.sh SECONDS [JOBS]
# Builds every fuzzer with libFuzzer, ASan and UBSan, and runs each for SECONDS. New inputs are collected under
# build/fuzz/found and never written into the corpus of the repository; a finding is kept under build/fuzz/crashes and
# belongs, made small, into fuzz/corpus together with its fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:?seconds per fuzzer} jobs=${2:-$(nproc)}
cmake --preset fuzz -DAMPHORA_FUZZ_SECONDS="$seconds" >/dev/null
cmake --build build/fuzz --target amphora_fuzzers -j "$jobs" >build/fuzz/build.log 2>&1 || {
  cat build/fuzz/build.log >&2
  exit 1
}
exec ctest --test-dir build/fuzz -L '^fuzz$' --output-on-failure --no-tests=error -j "$jobs"
