#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/run_tests.sh [JOBS] [CTEST ARGUMENT...]
# Builds all that the tests need, then runs every test once. The last lines are those of ctest.
# The second compiler's build and the sanitizer build happen first, where their time can be seen; the tests that use
# them (sim.digest, sanitizers.*) find them up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=${1:-$(nproc)}
shift || true
export PATH=$PWD/build/node/bin:$PATH
tools/configure.sh dev
tools/build_quietly.sh build/dev "$jobs" all
if [[ -x build/dev/bin/amphora ]]; then
  mkdir -p build/bin && ln -sfn ../dev/bin/amphora build/bin/amphora
fi
tools/check_digest.sh --build-only
tools/check_sanitizers.sh --build-only
# Twice as many as there are processors: browsers and boxes of the tests mostly wait.
exec ctest --test-dir build/dev --output-on-failure --no-tests=error -j "$((2 * jobs))" "$@"
