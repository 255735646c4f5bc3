#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Relays on the GPIO card of the micro-VM, with a program that is killed, stopped and restarted.

    tests/vm/gpio_in_vm.py RELAY_PROBE REGISTERS

Judged by the card's own output registers, read from its memory past kernel and library. The four relays: grid on OUT0
(safe: closed), inverter output on OUT1 (keep), pool pump on OUT2 (open), water heater on OUT3, active low (open).
"""
import mmap
import os
import queue
import signal
import subprocess
import sys
import threading
import time

PROBE, REGISTERS = sys.argv[1:3]
CHIP = "gpiochip0"
SPECS = [f"grid=gpio:{CHIP}/0", f"inverter_output=gpio:/dev/{CHIP}/1", f"pool_pump=gpio:{CHIP}/2",
         f"water_heater=gpio:{CHIP}/3?active=low"]
# Grid open, all others closed; the heater's line is low then. The opposite of what is safe.
ORDERS = ["grid open", "inverter_output closed", "pool_pump closed", "water_heater closed"]
WORKING = 0b0110
SAFE = 0b1011  # grid closed, inverter output kept, pump open, heater open (its line high)
HEARTBEAT_S = 1
SILENCE_MAX_S = 10
PATIENCE_S = 60
# A guard that missed the end of its program would still act on its silence; this tells the two apart.
AT_ONCE_S = SILENCE_MAX_S / 2

with open(REGISTERS, "r+b") as file:
    card = mmap.mmap(file.fileno(), mmap.PAGESIZE)


def outputs():
    return card[0] & 0x0F


class Program:
    def __init__(self):
        self.lines = queue.Queue()
        self.seen = []
        self.process = subprocess.Popen([PROBE, *SPECS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        self.guard = int(self.wait_for("guard ").split()[1])

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def order(self, *orders):
        self.process.stdin.write("".join(f"{order}\n" for order in orders))
        self.process.stdin.flush()

    def wait_for(self, beginning):
        end = time.monotonic() + PATIENCE_S
        while (left := end - time.monotonic()) > 0:
            try:
                line = self.lines.get(timeout=left)
            except queue.Empty:
                break
            self.seen.append(line)
            if line.startswith(beginning):
                return line
        sys.exit(f"gpio_in_vm: no line '{beginning}'; the program said: {self.seen}")

    def kill(self, number):
        os.kill(self.process.pid, number)


def wait_until(condition, what, limit_s=PATIENCE_S):
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > limit_s:
            sys.exit(f"gpio_in_vm: after {limit_s} s still not: {what}; outputs {outputs():04b}")
        time.sleep(0.005)
    return time.monotonic() - begin


def expect(value, wanted, what):
    if value != wanted:
        sys.exit(f"gpio_in_vm: {what}: found {value!r}, expected {wanted!r}")


def holders():
    text = subprocess.run(["gpioinfo", CHIP], capture_output=True, text=True, check=True).stdout
    return text.count('"amphora"')


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or before it was read
        return False


READ_WORKING = "read grid=open inverter_output=closed pool_pump=closed water_heater=closed"

# Nothing is taken before something is wanted.
card[0] = 0
program = Program()
time.sleep(2 * HEARTBEAT_S)
expect(holders(), 0, "lines held before an order")
expect(outputs(), 0, "outputs before an order")

# Positions follow, and what is read back is what the card has.
program.order(*ORDERS)
wait_until(lambda: outputs() == WORKING, "positions follow")
program.wait_for(READ_WORKING)
expect(holders(), 4, "lines held")
# A contact that does not do what it was told: rewritten with the next heartbeat.
card[0] = card[0] ^ 0b0100
wait_until(lambda: outputs() == WORKING, "an output that somebody changed is rewritten")

# Killed: safe at once, and the guard is gone so that the lines are free.
guard = program.guard
begin = time.monotonic()
program.kill(signal.SIGKILL)
took = wait_until(lambda: outputs() == SAFE, "safe after kill -9", AT_ONCE_S)
print(f"killed: safe after {took * 1000:.0f} ms")
wait_until(lambda: not is_running(guard), "the guard ends")
expect(holders(), 0, "lines held after the end")
expect(outputs(), SAFE, "outputs after the guard's end")
program.process.wait()

# Restarted: takes the lines again, without moving any before an order.
program = Program()
expect(outputs(), SAFE, "outputs after the restart")
program.order(*ORDERS)
wait_until(lambda: outputs() == WORKING, "positions follow after the restart")

# Signals that a service manager sends to the whole group do not end the guard before its program.
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    os.kill(program.guard, number)
program.order("pool_pump open")
wait_until(lambda: outputs() == WORKING & ~0b0100, "the guard obeys after SIGTERM")
program.order("pool_pump closed")
wait_until(lambda: outputs() == WORKING, "the guard obeys")

# Stopped: safe when nothing was heard for 10 s; when it goes on, its orders count again.
program.kill(signal.SIGSTOP)
took = wait_until(lambda: outputs() == SAFE, "safe after SIGSTOP", 2 * SILENCE_MAX_S)
print(f"stopped: safe after {took:.1f} s")
# The silence counts from the last heartbeat, which on a busy machine may lie longer back than its period.
if took < SILENCE_MAX_S / 2:
    sys.exit(f"gpio_in_vm: safe after {took:.1f} s already")
program.kill(signal.SIGCONT)
wait_until(lambda: outputs() == WORKING, "positions follow when the program goes on")

# The guard is killed: a new one takes over.
os.kill(program.guard, signal.SIGKILL)
program.wait_for("error grid the guard of the relays has ended")
program.guard = int(program.wait_for("guard ").split()[1])
program.wait_for("works water_heater")
program.order("grid closed")
wait_until(lambda: outputs() == WORKING | 1, "the new guard obeys")

# An orderly end is a safe one, and the program waits for it.
program.order("grid open")
wait_until(lambda: outputs() == WORKING, "grid open")
program.process.stdin.close()
program.process.wait(PATIENCE_S)
expect(outputs(), SAFE, "outputs after an orderly end")

# A line that somebody else holds is named, and taken as soon as it is free.
other = subprocess.Popen(["gpioset", "--mode=signal", CHIP, "2=0"])
wait_until(lambda: "gpioset" in subprocess.run(["gpioinfo", CHIP], capture_output=True, text=True).stdout, "held")
program = Program()
program.order(*ORDERS)
error = program.wait_for("error pool_pump")
expect("busy" in error and f"{CHIP}/2" in error, True, f"error text '{error}'")
other.terminate()
other.wait()
program.wait_for("works pool_pump")
wait_until(lambda: outputs() == WORKING, "all lines taken")

# A program that dies before it wanted anything leaves the house safe too.
program.kill(signal.SIGKILL)
program.process.wait()
wait_until(lambda: outputs() == SAFE, "safe", AT_ONCE_S)
wait_until(lambda: not is_running(program.guard), "the guard ends")
card[0] = 0
program = Program()
program.kill(signal.SIGKILL)
wait_until(lambda: outputs() == SAFE & ~0b0010, "safe without an order", AT_ONCE_S)
print("relays on GPIO lines are safe whatever happens to their program")
