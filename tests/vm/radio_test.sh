#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The radio port on the kernel's simulated Wi-Fi radios: two and three ports in one program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
probe=${RADIO_PORT_PROBE:-build/dev/bin/radio_port_probe}
setpriv --reuid=65534 --regid=65534 --clear-groups "$probe" --gtest_filter='RadioWithoutRights.*'
"$probe" --gtest_filter='RadioInVm.*-*country*'
# The rights that packaging/radio.conf gives to the service are enough.
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_raw,+net_admin --ambient-caps=+net_raw,+net_admin \
  --bounding-set=-all,+net_raw,+net_admin \
  "$probe" --gtest_filter='RadioInVm.unicast_is_acked_and_delivered:RadioInVm.the_country_is_set_and_read_back'
