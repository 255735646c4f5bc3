#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every tracked file: licence line, size, no open ends, nothing of one developer's machine.

    tools/check_tree.py [ROOT]

- A source file starts with its SPDX line (after `#!` where there is one).
- A C++ file has at most 800 lines.
- No marker of unfinished work, no path of a private workplace, no address of a package registry or mirror: set-up goes
  through the machine's own apt and npm configuration.
Prints `file:line: what is wrong` for each violation and exits 1 if there is one.
"""
import re
import subprocess
import sys
from pathlib import Path

SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_SUFFIXES = {".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".cmake", ".ts", ".tsx", ".js", ".mjs", ".css", ".service",
                 ".sql"}
SPDX_NAMES = {"CMakeLists.txt", "Makefile", "postinst", "prerm", "postrm", "run"}
MAX_CPP_LINES = 800
BINARY_SUFFIXES = {".png", ".ico", ".woff2", ".jpg", ".webp", ".gz", ".bin", ".pcap"}
# A fuzz corpus holds arbitrary bytes, and the licence text is not ours to judge.
EXEMPT = re.compile(r"^(LICENSE$|fuzz/corpus/)")
# Character classes keep this table from matching itself.
FORBIDDEN = [
    (re.compile(r"/wor[k]/"), "a path of a private workplace"),
    (re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b"), "a marker of unfinished work"),
    (re.compile(r"registry\.npmj[s]|registry\.yarnpk[g]|npmmirro[r]"), "the address of a package registry"),
    (re.compile(r"deb\.debia[n]\.org|snapshot\.debia[n]\.org|py[p]i\.org|pythonhoste[d]"), "the address of a package registry"),
]


def tracked_files(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (root / name).is_file()]


def check_file(root, name):
    path = root / name
    if EXEMPT.search(name) or path.suffix in BINARY_SUFFIXES:
        return
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        yield f"{name}:1: not UTF-8; a binary file belongs into the list of tools/check_tree.py"
        return
    if path.suffix in SPDX_SUFFIXES or path.name in SPDX_NAMES:
        first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
        if SPDX not in first:
            yield f"{name}:1: the SPDX line is missing; expected '{SPDX}'"
    if path.suffix in {".cpp", ".hpp"} and len(lines) - 1 > MAX_CPP_LINES:
        yield f"{name}:{len(lines) - 1}: {len(lines) - 1} lines; allowed are {MAX_CPP_LINES}: split it"
    for number, line in enumerate(lines, start=1):
        for pattern, meaning in FORBIDDEN:
            if pattern.search(line):
                yield f"{name}:{number}: {meaning}: {pattern.search(line).group(0)}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    problems = [problem for name in tracked_files(root) for problem in check_file(root, name)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
