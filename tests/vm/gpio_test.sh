#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Relays, lights and buzzer on real GPIO lines of the kernel: see gpio_in_vm.py and sensor_probe.cpp.
#
# The card: qemu has none with GPIO, and Debian's kernel has neither gpio-sim nor gpio-mockup. So the kernel's driver of an
# isolated I/O card (pci-idio-16: 16 outputs, registers in a memory region) is bound to a PCI device of the machine that
# has plain memory in that region. Driver, gpiochip and libgpiod are the real ones, and the card's registers can be read
# from outside, whoever holds the lines.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
device=$(grep -lx 0x0010 /sys/bus/pci/devices/*/device | head -n 1)
device=${device%/device}
[[ -n $device ]] || { echo "gpio_test: the machine has no card"; exit 1; }
echo "$(<"$device/vendor")" "$(<"$device/device")" | sed 's/0x//g' >/sys/bus/pci/drivers/pci-idio-16/new_id
gpiodetect
CARD_REGISTERS=$device/resource2 "${SENSOR_PROBE:-build/dev/bin/sensor_probe}" --gtest_filter='LightsOnGpio.*'
exec python3 tests/vm/gpio_in_vm.py "${RELAY_PROBE:-build/dev/bin/relay_probe}" "$device/resource2"
