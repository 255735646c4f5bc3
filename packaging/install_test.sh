#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the package that system.deb built, on a whole Debian in the micro-VM.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
package=$(ls build/package/amphora_*.deb) || { echo "install: no package; run the test system.deb first" >&2; exit 1; }
exec tests/vm/run_in_vm.sh --seconds 500 --systemd packaging/install_check.sh "$package"
