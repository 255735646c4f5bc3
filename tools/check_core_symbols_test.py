#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_core_symbols.py catches each impurity in an archive compiled here for the purpose.

    tools/check_core_symbols_test.py [COMPILER]   (default: c++)
"""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("check_core_symbols.py")
COMPILER = "c++"
IMPURE = {
    "heap": ("int* f() { return new int; }", "_Znwm"),
    "exception": ("void f() { throw 1; }", "__cxa_throw"),
    "container": ("#include <vector>\nint f(std::vector<int>& v) { v.push_back(1); return v.at(0); }", "__throw"),
    "clock": ("#include <chrono>\nlong f() { return std::chrono::steady_clock::now().time_since_epoch().count(); }",
              "steady_clock3now"),
    "output": ("#include <cstdio>\nvoid f(int i) { std::printf(\"%d\", i); }", "printf"),
    "floating function": ("#include <cmath>\ndouble f(double x) { return std::sin(x); }", "sin"),
    "zeroed global": ("int counter; int f() { return ++counter; }", "variable counter (.bss)"),
    "set global": ("int counter = 3; int f() { return ++counter; }", "variable counter (.data)"),
    "static local": ("int f() { static int n = 0; return ++n; }", "the core may not hold the variable"),
    "thread local": ("thread_local int n = 4; int f() { return ++n; }", "variable n (.tdata)"),
}
PURE = """
#include <array>
#include <cstdint>
#include <string_view>
namespace amphora { [[noreturn]] void assert_failed(const char*, const char*, int); }
struct Row { std::string_view name; int value; };
constexpr std::array<Row, 2> kTable{{{"one", 1}, {"two", 2}}};
extern const char* name_of(std::size_t i);
const char* name_of(std::size_t i) {
  if (i >= kTable.size()) amphora::assert_failed("i", "f", 1);
  return kTable[i].name.data();
}
void copy(std::array<std::uint8_t, 512>& to, const std::array<std::uint8_t, 512>& from) { to = from; }
"""


def run(text):
    with tempfile.TemporaryDirectory() as folder:
        source, object_file, archive = (Path(folder) / name for name in ("a.cpp", "a.o", "liba.a"))
        source.write_text(text)
        subprocess.run([COMPILER, "-std=c++20", "-O2", "-c", source, "-o", object_file], check=True)
        subprocess.run(["ar", "rcs", archive, object_file], check=True)
        done = subprocess.run([sys.executable, SCRIPT, "nm", archive], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


class CheckCoreSymbols(unittest.TestCase):
    def test_each_impurity_is_named(self):
        for what, (text, expected) in IMPURE.items():
            with self.subTest(what):
                code, output = run(text)
                self.assertEqual(code, 1, output)
                self.assertIn(expected, output)
                self.assertIn("a.o: ", output)

    def test_a_pure_archive_with_constant_tables_passes(self):
        self.assertEqual(run(PURE), (0, ""))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        COMPILER = sys.argv.pop(1)
    unittest.main()
