#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule of check_layers.py is shown to catch its violation, and the permitted neighbour to pass."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("check_layers.py")
FILES = [
    "core/base/time.hpp", "core/liveness/monitor.hpp", "core/can/frame.hpp", "core/battery/snapshot.hpp",
    "core/bms/reader.hpp", "core/bms/tinybms/codec.hpp", "core/bms/other/codec.hpp", "core/inverter/victron/codec.hpp",
    "core/node/gateway/node.hpp", "core/node/pack/node.hpp", "sim/world/world.hpp", "runtime/loop/loop.hpp",
    "apps/amphora/main.hpp", "tests/contract/machine.hpp", "host/assert.hpp",
]


def run(source, include):
    """Exit code and output of the checker on a tree in which `source` holds the one line `include`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in FILES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("#pragma once\n")
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        (root / source).write_text(f"#pragma once\n#include {include}\n")
        done = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


FORBIDDEN = [
    ("core/base/x.hpp", '"core/battery/snapshot.hpp"', "layer above"),
    ("core/liveness/x.hpp", '"core/battery/snapshot.hpp"', "sibling"),
    ("core/battery/x.hpp", '"core/can/frame.hpp"', "sibling"),
    ("core/battery/x.hpp", '"core/bms/tinybms/codec.hpp"', "layer above"),
    ("core/bms/tinybms/x.hpp", '"core/inverter/victron/codec.hpp"', "sibling"),
    ("core/bms/tinybms/x.hpp", '"core/bms/other/codec.hpp"', "sibling"),
    ("core/bms/x.hpp", '"core/bms/tinybms/codec.hpp"', "sibling"),
    ("core/inverter/victron/x.cpp", '"core/node/gateway/node.hpp"', "layer above"),
    ("core/node/gateway/x.cpp", '"core/node/pack/node.hpp"', "sibling"),
    ("core/node/gateway/x.cpp", '"runtime/loop/loop.hpp"', "only the core"),
    ("core/bms/tinybms/x_test.cpp", '"sim/world/world.hpp"', "only the core"),
    ("core/base/x.hpp", "<string>", "not a header the core may use"),
    ("core/base/x.hpp", "<unistd.h>", "not a header the core may use"),
    ("core/base/x.hpp", '"time.hpp"', "not a path from the root"),
    ("core/base/x.hpp", '"../battery/snapshot.hpp"', "not a path from the root"),
    ("core/base/x.hpp", "<core/base/time.hpp>", "must be included as"),
    ("core/unheard_of/x.hpp", '"core/base/time.hpp"', "no known module"),
    ("core/base/x.hpp", '"generated/build_info_values.hpp"', "generated"),
    ("sim/models/x.cpp", '"runtime/loop/loop.hpp"', "sim may include core"),
    ("runtime/serial/x.cpp", '"sim/world/world.hpp"', "runtime may include core"),
    ("runtime/serial/x.cpp", '"apps/amphora/main.hpp"', "runtime may include core"),
    ("ports/esp_idf/x.cpp", '"runtime/loop/loop.hpp"', "ports may include core"),
]
PERMITTED = [
    ("core/can/x.hpp", '"core/battery/snapshot.hpp"'),
    ("core/bms/tinybms/x.hpp", '"core/bms/reader.hpp"'),
    ("core/bms/tinybms/x.hpp", '"core/liveness/monitor.hpp"'),
    ("core/bms/tinybms/x_test.cpp", '"tests/contract/machine.hpp"'),
    ("core/bms/tinybms/x_test.cpp", "<vector>"),
    ("core/node/gateway/x.hpp", '"core/bms/tinybms/codec.hpp"'),
    ("core/base/x.hpp", "<span>"),
    ("sim/world/x.cpp", '"core/node/gateway/node.hpp"'),
    ("runtime/loop/x.cpp", "<boost/asio.hpp>"),
    ("apps/amphora/x.cpp", '"generated/build_info_values.hpp"'),
    ("apps/amphora/x.cpp", '"sim/world/world.hpp"'),
    ("tests/system/x_test.cpp", '"apps/amphora/main.hpp"'),
]


class CheckLayers(unittest.TestCase):
    def test_violations_are_named_with_file_and_line(self):
        for source, include, reason in FORBIDDEN:
            with self.subTest(source=source, include=include):
                code, output = run(source, include)
                self.assertEqual(code, 1, output)
                self.assertIn(f"{source}:2: ", output)
                self.assertIn(reason, output)

    def test_permitted_includes_pass(self):
        for source, include in PERMITTED:
            with self.subTest(source=source, include=include):
                code, output = run(source, include)
                self.assertEqual((code, output), (0, ""))

    def test_a_folder_that_is_no_project_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
