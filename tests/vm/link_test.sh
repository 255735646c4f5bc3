#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two boxes on two simulated Wi-Fi radios, a third radio listening: see link_in_vm.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec python3 tests/vm/link_in_vm.py "${AMPHORA:-build/bin/amphora}"
