#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Converters on an I2C bus of the kernel and behind a driver of Linux IIO: see sensor_probe.cpp. The chips are the
# kernel's stubs at 0x48 and 0x49; the second one gets its driver, the first is read over the bus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
echo ads1115 0x49 >/sys/bus/i2c/devices/i2c-0/new_device
exec "${SENSOR_PROBE:-build/dev/bin/sensor_probe}" --gtest_filter='Converter*'
