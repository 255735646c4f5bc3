#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the include lines of the C++ sources to the layers of docs/ARCHITECTURE.md.

    tools/check_layers.py [ROOT]

Each include of a project file is written from the root, so the line names the layer it reaches into. The tables below
are the whole rule; a new module is added there and nowhere else. Prints `file:line: what is wrong; what is allowed`
for each violation and exits 1 if there is one.
"""
import re
import sys
from pathlib import Path

# Modules of the core, lowest tier first. Each may include itself and every tier below its own.
ENGINES = {"liveness", "battery", "can", "telemetry", "state", "election", "transfer", "crypto", "sections"}
FAMILIES = {"bms", "inverter", "packnet", "link", "lights", "energy", "indicator"}
CORE_TIER = {"base": 0, **{name: 1 for name in ENGINES}, **{name: 2 for name in FAMILIES}, "node": 3}

# The exceptions among engines: FROM may include TO. Keep it short; each line is a dependency somebody has to port.
ENGINE_MAY_INCLUDE = {
    "sections": {"state"},  # the payload of a section is the record's payload
    "can": {"battery"},  # the reader and the sender of battery frames fill and read the battery snapshot
}

# Folders of the root outside the core, and the folders they may include.
HOST_MAY_INCLUDE = {
    "host": {"core"},
    "sim": {"core"},
    "runtime": {"core"},
    "ports": {"core"},
    "fuzz": {"core"},
    "apps": {"core", "sim", "runtime", "host"},
    "bench": {"core", "sim", "runtime", "host", "apps"},
    "tests": {"core", "sim", "runtime", "host", "apps"},
}

# What a test or fuzzer beside its source may use in addition: shared contracts, recorded vectors, and what the host lends.
TEST_MAY_INCLUDE = ("tests/contract/", "tests/vectors/", "host/")

# Written by the build, so not in the tree.
GENERATED = {"generated/build_info_values.hpp"}

# The core compiles for a microcontroller, so it uses only headers that need neither heap nor operating system. Of
# <chrono> that is durations and time points; a call of a clock is caught by check_core_symbols.py.
CORE_SYSTEM_HEADERS = set(
    "algorithm array bit charconv chrono climits compare concepts cstddef cstdint cstring initializer_list iterator limits "
    "numeric optional memory ranges ratio span string_view tuple type_traits utility variant version".split())

SOURCE_FOLDERS = ["core", *HOST_MAY_INCLUDE]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
TEST_SUFFIXES = ("_test.cpp", "_fuzz.cpp", "_test.hpp", "test_support.hpp", "test_support.cpp")


def core_place(path):
    """('bms', 'tinybms') for core/bms/tinybms/codec.hpp; the second is '' for a file directly in the module."""
    parts = path.split("/")
    return parts[1], parts[2] if len(parts) > 3 else ""


def core_violation(source, target):
    """Why core file `source` may not include core file `target`, or None."""
    module, family = core_place(source)
    other, other_family = core_place(target)
    for path, name in ((source, module), (target, other)):
        if name not in CORE_TIER:
            return f"'{path}' is in no known module of the core; add it to the tables of tools/check_layers.py"
    if module == other:
        # Families and roles are alternatives to each other: they share only what lies directly in their module.
        if CORE_TIER[module] >= 2 and other_family and family != other_family:
            return f"{module}/{family or '(shared)'} may not include its sibling {other}/{other_family}"
        return None
    if CORE_TIER[other] < CORE_TIER[module]:
        return None
    if other in ENGINE_MAY_INCLUDE.get(module, set()):
        return None
    if CORE_TIER[other] == CORE_TIER[module]:
        return f"core/{module} may not include its sibling core/{other}"
    return f"core/{module} may not include core/{other}, which is a layer above it"


def host_violation(source, target):
    """Why a file outside the core may not include `target`, or None."""
    layer, other = source.split("/")[0], target.split("/")[0]
    if layer == other:
        return None
    allowed = HOST_MAY_INCLUDE[layer]
    if other in allowed:
        return None
    return f"{layer} may include {', '.join(sorted(allowed))}, not {other}"


def include_violation(root, source, bracket, target):
    is_test = source.endswith(TEST_SUFFIXES)
    in_core = source.startswith("core/")
    if bracket == "<":
        if (root / target).is_file() and target.split("/")[0] in SOURCE_FOLDERS:
            return f'project file <{target}> must be included as "{target}"'
        if in_core and not is_test and target not in CORE_SYSTEM_HEADERS:
            return f"<{target}> is not a header the core may use; allowed: {' '.join(sorted(CORE_SYSTEM_HEADERS))}"
        return None
    if target in GENERATED:
        return "the core may not depend on generated files" if in_core else None
    if ".." in target.split("/") or not (root / target).is_file():
        return f'"{target}" is not a path from the root of the project'
    if is_test and target.startswith(TEST_MAY_INCLUDE):
        return None
    if in_core:
        if not target.startswith("core/"):
            return f"the core may include only the core, not {target.split('/')[0]}"
        return core_violation(source, target)
    return host_violation(source, target)


def check(root):
    """Yields `file:line: message` for every include that crosses a layer."""
    for folder in SOURCE_FOLDERS:
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            source = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                problem = include_violation(root, source, match.group(1), match.group(2))
                if problem:
                    yield f"{source}:{number}: {problem}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    if not (root / "core").is_dir():
        print(f"check_layers: {root} has no folder core", file=sys.stderr)
        return 2
    problems = list(check(root))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
