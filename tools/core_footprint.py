#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the core costs: code and constants of each module, and the largest stack frames.

    tools/core_footprint.py SIZE OBJECT_FOLDER [--frame-max BYTES]

SIZE is binutils' `size`; OBJECT_FOLDER holds the core's object files with the compiler's .su files beside them
(-fstack-usage). Frames are of this compiler and processor; they say which functions are large, not what a
microcontroller needs. Exits 1 when a frame is larger than allowed or of unbounded size.
"""
import argparse
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

SHOWN_FRAMES = 8


def module_of(path, folder):
    parts = path.relative_to(folder).parts
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def sections(size, objects, folder):
    """{module: [text, data, bss]}"""
    listing = subprocess.run([size, *map(str, objects)], capture_output=True, text=True, check=True).stdout
    totals = defaultdict(lambda: [0, 0, 0])
    for line in listing.splitlines()[1:]:
        text, data, bss, _, _, name = line.split(maxsplit=5)
        for index, value in enumerate((text, data, bss)):
            totals[module_of(Path(name), folder)][index] += int(value)
    return totals


def frames(folder):
    """[(bytes, kind, function)] of every function, largest first."""
    found = []
    for path in folder.rglob("*.su"):
        if re.search(r"_(test|fuzz)\.cpp", path.name):
            continue
        for line in path.read_text().splitlines():
            where, size, kind = line.rsplit("\t", 2)
            found.append((int(size), kind, where.split(":", 3)[-1]))
    return sorted(found, reverse=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("size")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frame-max", type=int, default=4096)
    arguments = parser.parse_args()
    objects = sorted(arguments.folder.rglob("*.cpp.o"))
    if not objects:
        print(f"core_footprint: no object files in {arguments.folder}", file=sys.stderr)
        return 2
    totals = sections(arguments.size, objects, arguments.folder)
    print(f"{'module':24}{'code and constants':>20}{'data':>8}{'zeroed':>8}   bytes")
    for module, (text, data, bss) in sorted(totals.items()):
        print(f"{module:24}{text:20}{data:8}{bss:8}")
    print(f"{'all':24}{sum(t[0] for t in totals.values()):20}{sum(t[1] for t in totals.values()):8}"
          f"{sum(t[2] for t in totals.values()):8}")
    largest = frames(arguments.folder)
    if not largest:
        print("core_footprint: no .su files; compile with -fstack-usage", file=sys.stderr)
        return 2
    print("\nlargest stack frames, bytes")
    for size, kind, function in largest[:SHOWN_FRAMES]:
        print(f"{size:8}  {function[:110]}{'' if kind == 'static' else ' (' + kind + ')'}")
    bad = [entry for entry in largest if entry[0] > arguments.frame_max or entry[1] == "dynamic"]
    for size, kind, function in bad:
        print(f"core_footprint: {function}: {size} bytes ({kind}) on the stack; allowed are "
              f"{arguments.frame_max} (static)", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
