#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule of check_tree.py catches its violation in a small repository made for the purpose."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("check_tree.py")
SPDX = "// SPDX-License-Identifier: Apache-2.0\n"


def run(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(["git", "init", "-q", root], check=True)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        done = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


class CheckTree(unittest.TestCase):
    def expect(self, files, message):
        code, output = run(files)
        self.assertEqual(code, 1, output)
        self.assertIn(message, output)

    def test_missing_licence_line(self):
        self.expect({"a.cpp": "int x;\n"}, "a.cpp:1: the SPDX line is missing")
        self.expect({"a.sh": "#!/bin/sh\nexit 0\n"}, "a.sh:1: the SPDX line is missing")

    def test_too_long(self):
        self.expect({"a.hpp": SPDX + "//\n" * 800}, "a.hpp:801: 801 lines")

    def test_forbidden_words(self):
        self.expect({"a.md": "one\nsee /wor" + "k/notes\n"}, "a.md:2: a path of a private workplace")
        self.expect({"a.cpp": SPDX + "// TO" + "DO: later\n"}, "a.cpp:2: a marker of unfinished work")
        self.expect({"lock.json": '"https://registry.' + 'npmjs.org/x"\n'}, "lock.json:1: the address of a package")

    def test_binary_file_with_a_text_name(self):
        self.expect({"a.md": b"\xff\xfe\x00"}, "a.md:1: not UTF-8")

    def test_a_good_tree_passes(self):
        self.assertEqual(run({"a.cpp": SPDX, "b.sh": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
                              "fuzz/corpus/x/1": b"\xff", "c.md": f"mktemp /tmp/a.{'X' * 6}\n"}), (0, ""))


if __name__ == "__main__":
    unittest.main()
