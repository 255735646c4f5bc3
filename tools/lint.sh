#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/lint.sh [--all]
# Every check that needs no run: formatting, include arrows, tree rules, shell scripts, the web application's own
# linter, and clang-tidy. clang-tidy looks at the core and at what differs from the main branch, to be affordable;
# with --all at every source. Runs all checks and reports all findings before it fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
failed=()
# check NAME COMMAND...
check() {
  local name=$1
  shift
  if "$@"; then echo "lint: $name: good"; else
    echo "lint: $name: FAILED"
    failed+=("$name")
  fi
}

mapfile -t cpp_files < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp')
mapfile -t shell_files < <(
  git ls-files --cached --others --exclude-standard | while read -r file; do
    [[ -f $file ]] && head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh\b' && echo "$file"
  done
)

check format clang-format --dry-run -Werror "${cpp_files[@]}"
check layers python3 tools/check_layers.py
check tree python3 tools/check_tree.py
check shell shellcheck "${shell_files[@]}"

lint_web() {
  [[ -f web/package.json ]] && grep -q '"lint"' web/package.json || return 0
  npm --prefix web run --silent lint
}
check web lint_web

# The sources to analyse: each file must be in compile_commands.json, headers are seen through them.
tidy_files() {
  if [[ ${1:-} == --all ]]; then
    git ls-files '*.cpp'
  else
    local base
    base=$(git merge-base HEAD main 2>/dev/null || git rev-list --max-parents=0 HEAD | tail -n 1)
    { git ls-files 'core/*.cpp'; git diff --name-only --diff-filter=d "$base" -- '*.cpp'; } | sort -u
  fi | grep -v -E '_test\.cpp$'
}
tidy() {
  # A folder of its own, in which each file is one compilation.
  cmake --preset dev -B build/tidy -DAMPHORA_UNITY=OFF >/dev/null || return 1
  cmake --build build/tidy --target amphora_build_info >/dev/null || return 1
  tidy_files "$@" | python3 -c '
import json, sys
from pathlib import Path
known = {entry["file"] for entry in json.loads(Path("build/tidy/compile_commands.json").read_text())}
print("\n".join(name for name in sys.stdin.read().split() if str(Path(name).resolve()) in known))' |
    xargs --no-run-if-empty -P "$(nproc)" -n 4 clang-tidy -p build/tidy --quiet
}
check clang-tidy tidy "$@"

if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]}"
  exit 1
fi
