#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves with the linker's own view that the core is pure.

    tools/check_core_symbols.py NM ARCHIVE

Two rules on the archive of the core:
- It needs nothing from outside but the short list below: no heap, no exception, no RTTI, no clock, no thread, no
  stream, no lock around a static.
- It holds no variable that lives outside an object its host owns: nothing in .data, .bss or thread storage. Constant
  tables are fine.
Prints each offending symbol with the object file and exits 1 if there is one.
"""
import re
import subprocess
import sys

ALLOWED = re.compile(
    r"mem(cpy|move|set|cmp|chr)|strlen"  # what compilers emit by themselves for copies, fills and comparisons
    r"|_ZN7amphora13assert_failedEPKcS1_i"  # amphora::assert_failed: the host's part of a broken invariant
    r"|_ZN7amphora6crypto\w+"  # amphora::crypto::…: the host's cryptographic library, see core/crypto/crypto.hpp
    r"|_GLOBAL_OFFSET_TABLE_"  # position independent code
    r"|__(u?div|u?mod|u?divmod|mul|ashl|ashr|lshr|clz|ctz|popcount|u?cmp|bswap)[sdt]i[234]"  # wide integers in libgcc
    r"|__aeabi_(u?idiv(mod)?|u?ldivmod|lmul|llsl|llsr|lasr|u?lcmp|mem(cpy|move|set|clr)[48]?)"  # the same on Arm
    r"|__gnu_thumb1_case_[us](qi|hi|si)|__riscv_(save|restore)_[0-9]+")  # code size helpers of small processors
WRITABLE = re.compile(r"^\.(bss|data|tbss|tdata)(?!\.rel\.ro)")


def symbols(program, archive):
    """(object, symbol, class, section) for each symbol of each object in the archive."""
    listing = subprocess.run([program, "--format=sysv", archive], capture_output=True, text=True, check=True).stdout
    current = ""
    for line in listing.splitlines():
        heading = re.match(r"Symbols from .*\[(.*)\]:$", line)
        if heading:
            current = heading.group(1)
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7:
            yield current, fields[0], fields[2], fields[6]


def main():
    if len(sys.argv) != 3:
        print("usage: check_core_symbols.py NM ARCHIVE", file=sys.stderr)
        return 2
    program, archive = sys.argv[1:]
    found = list(symbols(program, archive))
    if not found:
        print(f"check_core_symbols: {archive} holds no symbol", file=sys.stderr)
        return 2
    undefined = {"U", "w", "v"}
    defined = {name for _, name, kind, _ in found if kind not in undefined}
    bad = 0
    for source, name, kind, section in found:
        if kind in undefined and name not in defined and not ALLOWED.fullmatch(name):
            print(f"{source}: the core may not need {name}")
            bad += 1
        if WRITABLE.match(section):
            print(f"{source}: the core may not hold the variable {name} ({section})")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
