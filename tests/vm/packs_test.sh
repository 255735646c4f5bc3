#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Four packs on one SocketCAN bus, listened to with candump: see packs_in_vm.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ip link add vcan0 type vcan
ip link set vcan0 up
exec /usr/bin/python3 tests/vm/packs_in_vm.py "${AMPHORA:-build/bin/amphora}"
