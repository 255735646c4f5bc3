#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the web application into web/dist when one of its sources is newer than the last build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -f web/package.json ]] || exit 0
PATH=$PWD/build/node/bin:$PATH
if [[ -f web/dist/index.html && -f build/web.stamp ]]; then
  changed=$(find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/tests -prune \
    -o -type f -newer build/web.stamp -print -quit)
  [[ -n $changed ]] || exit 0
fi
mkdir -p build
started=$SECONDS
touch build/web.stamp.next
if ! npm --prefix web run build >build/web.log 2>&1; then
  cat build/web.log >&2
  echo "build: the web application failed to build" >&2
  exit 1
fi
mv build/web.stamp.next build/web.stamp
echo "build: web/dist took $((SECONDS - started)) s"
