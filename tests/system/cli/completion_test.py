# SPDX-License-Identifier: Apache-2.0
"""The completion script in a real bash: commands, choices of arguments and of options."""

import subprocess

from program import PATIENCE, run

SCRIPT = run("completion", "bash").stdout


def complete(*words):
    """What bash offers for the last word."""
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _amphora; echo \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "--norc", "-c", SCRIPT + ask], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


assert complete("amphora", "de") == ["decode", "demo"], complete("amphora", "de")
assert complete("amphora", "decode", "v") == ["victron"]
assert complete("amphora", "emulate", "") and "tinybms" in complete("amphora", "emulate", "t")
assert complete("amphora", "emulate", "tinybms", "--sl") == ["--sleep-after", "--sleepy"]
assert complete("amphora", "emulate", "tinybms", "--fault", "s") == ["silent", "stuck"]
assert sorted(complete("amphora", "demo", "--only", "g")) == ["gateway", "gx"]
assert complete("amphora", "bms", "write", "--p") == ["--port"]
assert complete("amphora", "pair", "s") == ["show", "status"]
assert complete("amphora", "pair", "enter", "--p") == ["--password-file"]
