#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds build/package/amphora_VERSION_ARCHITECTURE.deb from the dev preset's program (optimised; stripped here) and
# prints its path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -f web/dist/index.html ]] || { echo "package: web/dist is missing; run make web" >&2; exit 1; }
build() {
  cmake --build build/dev -j "${JOBS:-$(nproc)}" --target amphora amphora_package_files || return
  rm -rf build/package
  cpack -G DEB --config build/dev/CPackConfig.cmake
}
build >build/package.log 2>&1 || { cat build/package.log >&2; exit 1; }
rm -rf build/package/_CPack_Packages
ls build/package/*.deb
