# SPDX-License-Identifier: Apache-2.0
"""The demo: it shows telemetry, ends by itself or when told, goes on without a device, and leaves no process behind."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import urllib.request

from program import AMPHORA, PATIENCE, folder, wait_for

MARK = "AMPHORA_DEMO_TEST"


class Demo:
    def __init__(self, place, *arguments):
        self.child = subprocess.Popen([AMPHORA, "demo", "--data", str(place), *arguments], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      env={**os.environ, MARK: str(place)})
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.append(line)

    def text(self):
        return "".join(self.lines)

    def find(self, pattern):
        return wait_for(pattern, lambda: re.search(pattern, self.text()) or (self.child.poll() is not None and self.fail()))

    def fail(self):
        raise AssertionError(f"ended with {self.child.returncode}: {self.text()}")

    def wait(self):
        code = self.child.wait(timeout=PATIENCE)
        self._reader.join(PATIENCE)
        return code


def processes_in(place):
    """Every process that inherited the mark of a demo in this folder: it, its children, and whatever they left behind."""
    mark = f"{MARK}={place}".encode()
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append((int(entry.name), command))
            except OSError:
                continue  # ended while we looked, or not ours
    return found


def program_of(command):
    """mosquitto, the device that is emulated, or the box that runs."""
    return re.search(r"emulate modbus-bms.*/(bms_\d)|emulate (\w+)|run .*/(\w+)\.toml|(mosquitto)", command).expand(
        r"\1\2\3\4")


def first_message(port, topic):
    done = subprocess.run(["mosquitto_sub", "-p", port, "-t", topic, "-C", "1", "-W", "30"], capture_output=True, text=True)
    return done.stdout


with folder() as place:
    demo = Demo(place, "--seconds", "15")
    mqtt_port = demo.find(r"mosquitto_sub -p (\d+)").group(1)
    demo.find(r"ready\n")
    state = json.loads(first_message(mqtt_port, "amphora/+/battery/state"))
    assert state["cell_count"] == 16 and 0 < state["soc_percent"] <= 100, state
    discovery = json.loads(first_message(mqtt_port, "homeassistant/#"))
    assert discovery, "no discovery"
    # The battery reaches the house by radio.
    receiver = demo.find(r"receiver\s+(http://\S+)").group(1)

    def received():
        with urllib.request.urlopen(f"{receiver}api/v1/state", timeout=PATIENCE) as answer:
            return json.load(answer).get("battery", {}).get("soc_percent")

    assert 0 < wait_for("the battery at the receiver", received) <= 100
    assert demo.wait() == 0, demo.text()
    assert not processes_in(place), processes_in(place)

    # Told to end.
    demo = Demo(place)
    demo.find(r"ready\n")
    demo.child.send_signal(signal.SIGINT)
    assert demo.wait() == 0, demo.text()
    assert not processes_in(place), processes_in(place)

    # A killed device is reported and may be missing; the end of the gateway is the end.
    demo = Demo(place)
    demo.find(r"ready\n")
    children = {program_of(command): pid for pid, command in processes_in(place) if pid != demo.child.pid}
    assert set(children) == {"mosquitto", "tinybms", "gx", "air", "gateway", "receiver", "bms_1", "bms_2", "bms_3", "house",
                             "pack_1", "pack_2", "pack_3"}, children
    os.kill(children["tinybms"], signal.SIGKILL)
    demo.find(r"bms has ended \(signal 9")
    assert demo.child.poll() is None
    os.kill(children["gateway"], signal.SIGKILL)
    assert demo.wait() == 1, demo.text()
    assert "gateway has ended (signal 9" in demo.text(), demo.text()
    assert not processes_in(place), processes_in(place)

    # The supervisor itself is killed: the kernel ends its children.
    demo = Demo(place)
    demo.find(r"ready\n")
    demo.child.kill()
    demo.child.wait()
    wait_for("the children to end", lambda: not processes_in(place))
