#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The radio port on the kernel's simulated Wi-Fi radios: two and three ports in one program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
probe=${RADIO_PORT_PROBE:-build/dev/bin/radio_port_probe}
setpriv --reuid=65534 --regid=65534 --clear-groups "$probe" --gtest_filter='RadioWithoutRights.*'
"$probe" --gtest_filter='RadioInVm.*'
