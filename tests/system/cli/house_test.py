# SPDX-License-Identifier: Apache-2.0
"""The AC side of packs over a real broker: every second a number on each topic, and nothing behind a relay that its pack opened."""

import getpass
import json
import queue
import shutil
import socket
import subprocess
import threading
import time

from program import PATIENCE, emulator, folder, run, wait_for


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def can_connect(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """mosquitto, a listener to everything the house says, and a voice for the packs."""

    def __init__(self, place):
        self.port = free_port()
        config = place / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser {getpass.getuser()}\n")
        self.children = [subprocess.Popen([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", config],
                                          stderr=subprocess.DEVNULL)]
        wait_for("the broker", lambda: can_connect(self.port))
        listener = subprocess.Popen(["mosquitto_sub", "-p", str(self.port), "-v", "-t", "emulated/#"],
                                    stdout=subprocess.PIPE, text=True)
        self.children.append(listener)
        self._lines = queue.Queue()
        threading.Thread(target=lambda: [self._lines.put(line.split()) for line in listener.stdout], daemon=True).start()

    def wait_for(self, topic, is_good):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                heard, text = self._lines.get(timeout=0.5)
            except queue.Empty:
                continue
            if heard == topic and is_good(int(text)):
                return int(text)
        raise AssertionError(f"nothing good on {topic}")

    def say(self, pack, state):
        subprocess.run(["mosquitto_pub", "-p", str(self.port), "-t", f"amphora/demo/pack_{pack}/pack", "-m", state], check=True)

    def stop(self):
        for child in self.children:
            child.terminate()
            child.wait(timeout=PATIENCE)


with folder() as place:
    broker = Broker(place)
    try:
        with emulator("house", "--mqtt", f"127.0.0.1:{broker.port}", "--packs", 2, "--day", 86400) as house:
            assert house.expect(event="ready")["packs"] == 2
            house.say("time 13:00")
            assert house.expect(event="status", pack=2)["time"] == "13:00"
            broker.wait_for("emulated/pack-1/pool_pump_w", lambda watts: watts > 1000)
            broker.wait_for("emulated/pack-2/inverter_output_w", lambda watts: watts > 1000)
            broker.wait_for("emulated/pack-1/grid_w", lambda watts: watts != 0)

            broker.say(1, json.dumps({"battery_w": 700, "relays": {"grid": "open", "pool_pump": "open"}}))
            assert house.expect(event="relays", pack=1)["pool_pump"] == "open"
            broker.wait_for("emulated/pack-1/pool_pump_w", lambda watts: watts == 0)
            broker.wait_for("emulated/pack-1/grid_w", lambda watts: watts == 0)
            broker.wait_for("emulated/pack-2/pool_pump_w", lambda watts: watts > 1000)

            broker.say(1, json.dumps({"battery_w": 5000, "relays": {"grid": "closed", "inverter_output": "open"}}))
            house.expect(event="relays", pack=1, inverter_output="open")
            house.say("status")
            status = house.expect(event="status", pack=1)
            assert status["battery_w"] == 5000 and status["inverter_output_w"] == 0, status
            assert status["grid_w"] == 5000 - status["solar_w"], status

            broker.say(2, "not even JSON")
            house.expect(event="bad_state", topic="amphora/demo/pack_2/pack")
            house.say("quit")
            assert house.child.wait(timeout=PATIENCE) == 0
    finally:
        broker.stop()

assert "HOST:PORT" in run("emulate", "house", "--mqtt", "nowhere", code=2).stderr
assert "cannot be a topic" in run("emulate", "house", "--mqtt", "127.0.0.1:1", "--base", "a/#", code=2).stderr
