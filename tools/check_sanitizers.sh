#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/check_sanitizers.sh [--build-only | --all]
# Without an argument: the core's and the simulator's tests and the replay of the core's fuzz corpora, built by clang with
# AddressSanitizer and UndefinedBehaviorSanitizer. This is the part that fits into `make test`: what parses the wires.
# --build-only builds that part and runs nothing. --all builds and runs every unit, sim and fuzz test this way, then the
# unit tests with ThreadSanitizer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${JOBS:-$(nproc)}
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# build PRESET TARGET...
build() {
  local preset=$1
  shift
  [[ -f build/$preset/build.ninja ]] || tools/configure.sh "$preset"
  tools/build_quietly.sh "build/$preset" "$jobs" "$@"
}
# run PRESET JOBS CTEST_ARGUMENT...
run() { ctest --test-dir "build/$1" --output-on-failure --no-tests=error -j "$2" "${@:3}"; }

case ${1:-} in
  --all)
    build asan amphora_unit_tests amphora_fuzzers
    run asan "$jobs" -L '^(unit|sim|fuzz)$' -LE '^tool$'
    build tsan amphora_unit_tests
    run tsan "$jobs" -L '^(unit|sim)$' -LE '^tool$'
    ;;
  '' | --build-only)
    fuzzers=(tinybms_stream can_bms canbms_driver victron_output)
    targets=(amphora_core_test "${fuzzers[@]/%/_fuzz}")
    [[ -f sim/CMakeLists.txt ]] && targets+=(amphora_sim_test)
    build asan "${targets[@]}"
    # One after the other: as a test it runs beside others.
    if [[ -z ${1:-} ]]; then run asan 1 -R "^(unit\.amphora_(core|sim)|fuzz\.($(IFS='|'; echo "${fuzzers[*]}")))$"; fi
    ;;
  *)
    echo "check_sanitizers: unknown argument '$1'; allowed: --build-only, --all" >&2
    exit 2
    ;;
esac
