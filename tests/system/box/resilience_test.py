# SPDX-License-Identifier: Apache-2.0
"""Broker stopped and started, browsers stalled, disk full: the CAN side keeps its rhythm, readings arrive in order.

The rhythm is measured where it counts, by the GX on the other side of the bus, and again by the box itself.
"""

import json
import signal
import socket
import subprocess
import time

from house import House, MqttListener, WebSocket, wait_for

GAP_MAX_MS = 1000  # what the protocol's users rely on: limits at least once a second; normal is 200


def fill(folder):
    """Fills the file system below `folder` to its last byte; returns the ballast."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
    return ballast


def readings(listener):
    return [json.loads(text) for text in listener.texts("amphora/test/battery/reading")]


def mounted_tmpfs(house):
    """A small file system of its own for the box's data; None where this user may not mount."""
    house.data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", str(house.data)],
                             stderr=subprocess.PIPE)
    if mounted.returncode != 0:
        return False
    house.on_exit(lambda: subprocess.run(["umount", "-l", str(house.data)], check=False))
    return True


with House() as house:
    has_small_disk = mounted_tmpfs(house)
    broker = house.start_broker()
    # The broker keeps this listener's session, so what it gets is all that the box ever delivered.
    listener = MqttListener(house, "amphora/#", session="reader")
    house.start_bms()
    gx = house.start_gx()
    house.start_box()
    house.wait_for_state("the house to be well", lambda s: s["inverter"]["phase"] == "online")
    wait_for("readings", lambda: len(readings(listener)) >= 3)

    # Browsers that ask for everything and never read.
    stalled = [WebSocket(house.web_port, "/ws/live") for _ in range(20)]
    for one in stalled:
        one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    # The broker goes away for a while.
    delivered_before = len(readings(listener))
    broker.stop()
    state = house.wait_for_state("readings to queue", lambda s: not s["mqtt"]["connected"] and s["mqtt"]["queued"] >= 8)
    assert state["inverter"]["phase"] == "online", state["inverter"]

    # The disk fills up.
    if has_small_disk:
        ballast = fill(house.data)
        house.wait_for_state("the full disk to be told", lambda s: not s["storage"]["ok"])
        state = house.wait_for_state("writes to queue", lambda s: s["storage"]["queued"] > 0)
        assert state["inverter"]["phase"] == "online", state["inverter"]
    time.sleep(3)

    # All comes back.
    del house.processes["mosquitto"]
    house.start_broker()
    wait_for("the queue to drain", lambda: house.state()["mqtt"]["queued"] == 0)
    wait_for("readings after the queue", lambda: len(readings(listener)) >= delivered_before + 12)
    if has_small_disk:
        ballast.unlink()
        house.wait_for_state("the storage to recover", lambda s: s["storage"]["ok"] and s["storage"]["queued"] < 5)

    # Nothing is missing and nothing is out of order; a reading may come twice when its acknowledgement was lost.
    numbers = list(dict.fromkeys(one["seq"] for one in readings(listener)))
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    state = house.state()
    assert state["mqtt"]["dropped"] == 0 and state["storage"]["dropped"] == 0, state

    # The other side of the bus saw no pause.
    gx.send_signal(signal.SIGTERM)
    gx.child.wait(timeout=30)
    lines = [json.loads(line) for line in gx.out.read_text().splitlines() if line.startswith("{")]
    gap = state["inverter"]["limit_gap_max_ms"]
    print(f"largest gap between two limit frames: {gap} ms (normal 200, bound {GAP_MAX_MS}); "
          f"largest lateness of the control loop: {state['control']['loop_delay_us_max'] / 1000:.1f} ms; "
          f"GX reports: {lines[-1] if lines else 'nothing'}")
    assert gap <= GAP_MAX_MS, gap
    for one in stalled:
        one.close()
    # Each of these is told a moment after the state shows it.
    for code in ["mqtt_lost"] + (["storage_failed", "storage_recovered"] if has_small_disk else []):
        house.wait_for_event(code)
    wait_for("the event of the broker's return",
             lambda: [one["code"] for one in house.events()].count("mqtt_connected") >= 2)
    if not has_small_disk:
        print("the full disk was left out: this user may not mount a file system")
