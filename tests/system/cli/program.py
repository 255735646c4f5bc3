# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command line share: running the program, emulators behind real lines, waiting with a bound."""

import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
import time

AMPHORA = os.environ.get("AMPHORA", "build/bin/amphora")
PATIENCE = 60.0  # seconds; a bound for hangs, never a measure

# A real TinyBMS with 14 NMC cells, as its owner wrote the registers down (clarkni5/tinybms, output.txt, 812beb1).
REAL_DUMP = """\
# values of MODBUS registers, decimal unless 0x; not listed = 0
r0=0 r1=0 r2..r15 = 39800 39810 39820 39830 39830 39840 39890 39900 39830 39830 39830 39840 39880 39880
r32=0x93cd r33=0x00fe (16683981 s)   r34=0x7904 r35=0x027d   r36=0x1eb8 r37=0x425f (55.78 V)   r38=0 r39=0 (0 A)
r40=3980 r41=3990   r42=0x8000 r43=0x8000 (no external sensors)   r46=0xf208 r47=0x04fa (83.554824 %)   r48=97 (9.7 C)
r50=0x0097 (idle)   r51=0 r52=0 r53=14
r102=510 r103=0 r104=100 r105..r109=0 r111=0 r112=0 r113=0x1908 (min 8, max 25 C) r114=0x0300 r116=0x8a3d r117=0x00be
r200..r207 = 0x1226 0x6500 0x4e2b 0x64b9 0x4e2c 0x62b9 0x4e42 0x65b9
   (pairs: event ids 0x65, 0x64, 0x62, 0x65 in the top byte)
r300=4150 r301=3000 r303=3200 r304=1000 r306=6600 r307=14 r308=15 r315=4200 r316=2900 r317=60 r318=20 r319=60 r320=1 r328=0xffff
r500=0x0102 r501=0x0301 r502=0x00f2 r503=0x0418
"""


def run(*arguments, text=None, code=0):
    """Standard output of one command, whose exit code must be the expected one."""
    done = subprocess.run([AMPHORA, *map(str, arguments)], input=text, stdin=None if text else subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE:g} s for: {what}")


class Emulator:
    """One `amphora emulate …`: its JSON lines as they come, commands to its standard input."""

    def __init__(self, *arguments):
        self.child = subprocess.Popen([AMPHORA, "emulate", *map(str, arguments)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, bufsize=1)
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self._lines.put(json.loads(line))

    def expect(self, **fields):
        """The next line that has these fields; others are passed over."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                assert self.child.poll() is None, f"ended with {self.child.returncode} while {fields} was expected"
                continue
            if all(line.get(key) == value for key, value in fields.items()):
                return line
        raise AssertionError(f"no line with {fields}")

    def say(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def stop(self, number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(number)
        assert self.child.wait(timeout=PATIENCE) == 0, self.child.returncode


@contextlib.contextmanager
def emulator(*arguments):
    one = Emulator(*arguments)
    try:
        yield one
        one.stop()
    finally:
        if one.child.poll() is None:
            one.child.kill()
            one.child.wait()


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="amphora-cli-") as name:
        yield pathlib.Path(name)
