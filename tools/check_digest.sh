#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/check_digest.sh [--build-only]
# The same seed must give the same run, whoever compiled it. Runs every scenario of the simulator, in turn with one of a few
# seeds, and a swarm, as built by gcc with -O2 (preset dev) and by clang with -O0 (preset clang); compares the
# digests. What depends on an address or on memory that nobody wrote differs between the two programs as it does between
# two runs of one, so only a difference is followed by a second run, to tell the two causes apart.
# Needs the dev preset's amphora_sim_cli; builds that of the clang preset.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seeds=(1 2 20260101)
hours=0.5
link_hours=0.1 # radio links come in milliseconds, not in seconds
packs_hours=0.01
swarm_seeds=20

[[ -f sim/CMakeLists.txt ]] || { echo "digest: this tree has no simulator"; exit 1; }
[[ -f build/clang/build.ninja ]] || tools/configure.sh clang
tools/build_quietly.sh build/clang "${JOBS:-2}" amphora_sim_cli
[[ ${1:-} == --build-only ]] && exit 0

gcc_cli=build/dev/bin/amphora_sim_cli
clang_cli=build/clang/bin/amphora_sim_cli
[[ -x $gcc_cli ]] || { echo "digest: $gcc_cli is missing; build the dev preset first"; exit 1; }

# Prints the digest that one run reports; an absent or empty one is an error, so nothing is ever compared with nothing.
digest_of() {
  local output
  output=$("$@" --json) || { echo "digest: '$* --json' failed with $?" >&2; return 1; }
  python3 -c 'import json, sys
digest = json.loads(sys.argv[1])["digest"]
sys.exit("digest: empty digest") if not digest else print(digest)' "$output"
}

compared=0
failed=0
# compare ARGUMENT...: the run by both builds.
compare() {
  local by_gcc by_clang again
  if ! by_gcc=$(digest_of "$gcc_cli" "$@") || ! by_clang=$(digest_of "$clang_cli" "$@"); then
    failed=$((failed + 1))
    return
  fi
  compared=$((compared + 1))
  [[ $by_gcc == "$by_clang" ]] && return
  failed=$((failed + 1))
  again=$(digest_of "$gcc_cli" "$@") || return 0
  if [[ $by_gcc != "$again" ]]; then
    echo "digest: '$*' differs between two runs of one program: $by_gcc and $again"
  else
    echo "digest: '$*' differs between compilers: gcc $by_gcc, clang $by_clang"
  fi
}

mapfile -t scenarios < <("$gcc_cli" list | awk '/^[a-z]/ && $1 != "swarm" {print $1}')
((${#scenarios[@]})) || { echo "digest: '$gcc_cli list' names no scenario"; exit 1; }
for i in "${!scenarios[@]}"; do
  scenario=${scenarios[i]}
  length=$hours
  [[ $scenario == link-* ]] && length=$link_hours
  [[ $scenario == packs* ]] && length=$packs_hours
  compare "$scenario" --seed "${seeds[i % ${#seeds[@]}]}" --hours "$length"
done
compare swarm --seeds "$swarm_seeds"

# Different seeds must differ, or the digest would prove nothing.
first=$(digest_of "$gcc_cli" "${scenarios[0]}" --seed 1 --hours "$hours")
second=$(digest_of "$gcc_cli" "${scenarios[0]}" --seed 2 --hours "$hours")
if [[ $first == "$second" ]]; then
  echo "digest: seeds 1 and 2 of ${scenarios[0]} give the same digest"
  failed=$((failed + 1))
fi
echo "digest: $compared runs compared, $failed failed"
((failed == 0))
