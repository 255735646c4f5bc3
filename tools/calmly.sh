#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/calmly.sh COMMAND...
# Runs a test that only computes, or a browser, so that it gives way to tests that watch a clock: machines and boxes.
set -euo pipefail
# As root, a browser would give its own threads precedence over everything else.
if ((EUID == 0)) && setpriv --bounding-set -sys_nice true 2>/dev/null; then
  exec setpriv --bounding-set -sys_nice nice -n 10 "$@"
fi
exec nice -n 10 "$@"
