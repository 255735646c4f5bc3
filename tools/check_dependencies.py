#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/DEPENDENCIES.md names each Debian package of tools/setup.sh with its reason, and no other.

In the page a package stands in backquotes in the first column of a table.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    listed = subprocess.run([ROOT / "tools/setup.sh", "--list"], capture_output=True, text=True, check=True)
    installed = set(listed.stdout.split()) | {"nodejs", "npm"}
    documented = set()
    for line in (ROOT / "docs/DEPENDENCIES.md").read_text(encoding="utf-8").splitlines():
        row = re.match(r"\|([^|]*)\|([^|]*)\|", line)
        if row:
            names = re.findall(r"`([a-z0-9][a-z0-9+.-]*)`", row.group(1))
            documented.update(names)
            if names and len(row.group(2).strip()) < 10:
                print(f"docs/DEPENDENCIES.md: {', '.join(names)}: the reason is missing")
                return 1
    for name in sorted(installed - documented):
        print(f"tools/setup.sh installs {name}; docs/DEPENDENCIES.md does not say why")
    for name in sorted(documented - installed):
        print(f"docs/DEPENDENCIES.md lists {name}; tools/setup.sh does not install it")
    return 1 if installed != documented else 0


if __name__ == "__main__":
    sys.exit(main())
