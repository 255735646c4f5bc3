#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The radio port on the kernel's simulated Wi-Fi radios: two and three ports in one program.
set -euo pipefail
bin=${AMPHORA_BIN:-build/dev/bin}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
"$bin/radio_port_probe"
