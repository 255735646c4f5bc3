# SPDX-License-Identifier: Apache-2.0
"""What the benches share: their programs, CPU time of a process, and the lines of the closing table.

A bench checks its result with `check`, which ends it with exit code 1. A missed target is printed and is no failure:
timings depend on the machine and on who else uses it.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("AMPHORA_BIN", ROOT / "build/dev/bin"))
os.environ.setdefault("AMPHORA", str(BIN / "amphora"))
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/system/box"))  # house.py: a box with its neighbours


def program(name):
    return str(BIN / name)


def check(is_good, what):
    if not is_good:
        print(f"WRONG RESULT: {what}", file=sys.stderr)
        sys.exit(1)


def row(what, figure, peer, ratio, target="", is_met=None):
    """One line of the closing table; `is_met` only where there is a target."""
    verdict = "" if is_met is None else "met" if is_met else "MISSED"
    cells = [what, figure, peer, ratio, target, verdict]
    print(f"  {what}: {figure}; {peer}: {ratio}" + (f"; target {target}: {verdict}" if target else ""), flush=True)
    file = os.environ.get("AMPHORA_BENCH_TABLE")
    if file:
        with open(file, "a", encoding="utf-8") as table:
            table.write("\t".join(cells) + "\n")


def cpu_seconds(pid):
    """CPU time, user and system, that the living threads of a process have had, in seconds; from the scheduler, in ns."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def print_table(file):
    rows = [line.rstrip("\n").split("\t") for line in open(file, encoding="utf-8")]
    widths = [max(len(one[i]) for one in rows) for i in range(len(rows[0]))]
    for one in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(one, widths)).rstrip())


if __name__ == "__main__":
    print_table(sys.argv[1])
