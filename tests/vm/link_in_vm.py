#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two boxes over real 802.11 frames, and a neighbour with a radio.

    tests/vm/link_in_vm.py AMPHORA        (in the micro-VM: takes the three simulated radios)

A transmitter with an emulated battery and a receiver are paired with the program's own commands, find each other on
changing channels, exchange readings, cells and settings. A third radio records everything and then sends it again, whole
and altered. Judged: what arrives, that nothing readable is on the air, that replays are counted and change nothing.
Order and content only: the guest is slow.
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

AMPHORA = sys.argv[1]
WORK = Path(tempfile.mkdtemp(prefix="link"))
PASSWORD = "correct-horse-battery"
PATIENCE_S = 60
TRANSMITTER_URL = "http://127.0.0.1:8091"
RECEIVER_URL = "http://127.0.0.1:8092"
ETH_P_ALL = 3
# Behind the 802.11 header, category, OUI, random bytes and the head of the vendor element.
PAYLOAD_AT = 24 + 1 + 3 + 4 + 7
children = []


def fail(message):
    print(f"link_in_vm: {message}", file=sys.stderr)
    for log in sorted(WORK.glob("*.log")):
        print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:]), file=sys.stderr)
    sys.exit(1)


def wait_for(what, condition, patience=PATIENCE_S):
    """The first true value of condition()."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            fail(f"waited in vain for {what}")
        time.sleep(0.2)


def start(name, *command):
    log = open(WORK / f"{name}.log", "a")
    child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.PIPE)
    children.append(child)
    return child


def stop(child):
    child.terminate()
    if child.wait(timeout=30) not in (0, -15):
        fail(f"{child.args[:2]} ended with {child.returncode}")
    children.remove(child)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def request(url, path, method="GET", body=None):
    """(status, decoded body); status 0 while nobody answers."""
    headers = {"Content-Type": "application/json"}
    if method != "GET":
        headers["X-Amphora-CSRF"] = request(url, "/api/v1/session")[1].get("csrf", "")
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, data, headers, method=method), timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (urllib.error.URLError, OSError):
        return 0, {}


def state(url):
    return request(url, "/api/v1/state")[1]


def peer(url):
    peers = state(url).get("link", {}).get("peers", [])
    return peers[0] if peers else {}


def is_linked(url):
    return peer(url).get("state") == "connected" and peer(url).get("has_session")


def section(url, scope, name):
    for one in request(url, "/api/v1/sections")[1].get("scopes", []):
        if one["scope"] == scope:
            return {field["name"]: field for entry in one["sections"] if entry["name"] == name for field in entry["fields"]}
    return {}


def put_section(url, scope, name, values):
    status, answer = request(url, "/api/v1/sections", "PUT", {"scope": scope, "section": name, "values": values})
    if status != 200:
        fail(f"changing {name} of {scope}: {status} {answer}")


def write_configurations(mode):
    common = f"""
[mqtt]
enabled = false
[log]
level = "info"
"""
    (WORK / "transmitter.toml").write_text(f"""
role = "transmitter"
name = "House battery"
[bms]
driver = "tinybms"
port = "{WORK}/bms"
[battery]
chemistry = "nmc"
series_cells = 14
capacity_ah = 66
charge_current_max_a = 50
discharge_current_max_a = 60
cell_full_v = 4.10
cell_max_v = 4.20
cell_empty_v = 3.20
cell_min_v = 3.00
[radio]
interface = "wlan0"
mode = "{mode}"
[web]
listen = "127.0.0.1:8091"
login = "none"
[storage]
path = "{WORK}/transmitter-{mode}"
{common}""")
    write_receiver(mode, 6)


def write_receiver(mode, channel):
    (WORK / "receiver.toml").write_text(f"""
role = "receiver"
name = "Living room"
[radio]
interface = "wlan1"
mode = "{mode}"
channel = {channel}
[web]
listen = "127.0.0.1:8092"
login = "none"
[storage]
path = "{WORK}/receiver-{mode}"
[log]
level = "info"
""")


def start_listener(channel, file):
    for command in (("ip", "link", "set", "wlan2", "down"), ("iw", "dev", "wlan2", "set", "type", "monitor"),
                    ("ip", "link", "set", "wlan2", "up"), ("iw", "dev", "wlan2", "set", "channel", str(channel))):
        done = run(*command)
        if done.returncode != 0:
            fail(f"{' '.join(command)}: {done.stderr}")
    child = start("listener", "tshark", "-q", "-i", "wlan2", "-F", "pcap", "-w", str(file))
    wait_for("the listener", lambda: file.exists() and file.stat().st_size >= 24)
    return child


def frames_of(file):
    """The bytes of every captured frame, radiotap header included."""
    data = file.read_bytes()
    frames, at = [], 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return frames


def is_espnow(frame):
    body = frame[struct.unpack_from("<H", frame, 2)[0]:]
    return len(body) > 31 and body[0] == 0xD0 and body[24:28] == b"\x7f\x18\xfe\x34"


def is_sealed(frame):
    body = frame[struct.unpack_from("<H", frame, 2)[0]:]
    return len(body) > PAYLOAD_AT + 24 and body[PAYLOAD_AT] == 0x40


def start_boxes():
    return (start("transmitter", AMPHORA, "run", str(WORK / "transmitter.toml")),
            start("receiver", AMPHORA, "run", str(WORK / "receiver.toml")))


def pair():
    for url in (TRANSMITTER_URL, RECEIVER_URL):
        wait_for(f"the page of {url}", lambda: request(url, "/api/v1/state")[0] == 200)
    wait_for("both radios", lambda: all(state(url).get("link", {}).get("radio", {}).get("state") == "up"
                                        for url in (TRANSMITTER_URL, RECEIVER_URL)))
    show = start("show", AMPHORA, "pair", "show", "--url", TRANSMITTER_URL)
    code = wait_for("the code", lambda: re.search(r"\b\d{6}\b", (WORK / "show.log").read_text()))
    entered = run(AMPHORA, "pair", "enter", code.group(), "--url", RECEIVER_URL)
    if show.wait(timeout=PATIENCE_S) != 0:
        fail("pair show did not see the pairing")
    children.remove(show)
    if entered.returncode != 0:
        fail(f"pair enter: {entered.stdout}{entered.stderr}")
    print("paired by a code of six digits")


def battery_arrives():
    battery = state(RECEIVER_URL).get("battery", {})
    return abs(battery.get("voltage_v", 0) - 55.78) < 0.01 and battery.get("cells", {}).get("count") == 14


def check_settings(transmitter_id):
    put_section(RECEIVER_URL, transmitter_id, "battery", {"charge_current_max_a": 41})
    wait_for("a change made at the receiver", lambda: section(TRANSMITTER_URL, "own", "battery")
             .get("charge_current_max_a", {}).get("value") == 41)
    put_section(TRANSMITTER_URL, "own", "battery", {"charge_current_max_a": 42})
    wait_for("a change made at the transmitter", lambda: section(RECEIVER_URL, transmitter_id, "battery")
             .get("charge_current_max_a", {}).get("value") == 42)


def send_again(frames, is_altered):
    """From the third radio, as they were recorded, or with a counter that was not used yet."""
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    out.bind(("wlan2", 0))
    for frame in frames:
        copy = bytearray(frame[struct.unpack_from("<H", frame, 2)[0]:])
        if is_altered:
            copy[PAYLOAD_AT + 4] ^= 0x20
        out.send(b"\x00\x00\x08\x00\x00\x00\x00\x00" + bytes(copy))
        time.sleep(0.005)
    out.close()


def check_replays(transmitter_id, frames):
    before = section(RECEIVER_URL, transmitter_id, "battery")
    rejected_before = [peer(url)["rejected"] for url in (TRANSMITTER_URL, RECEIVER_URL)]

    def rejected(name):
        after = [peer(url)["rejected"] for url in (TRANSMITTER_URL, RECEIVER_URL)]
        return sum(a[name] - b[name] for a, b in zip(after, rejected_before))
    sealed = [frame for frame in frames if is_sealed(frame)]
    send_again(sealed, is_altered=False)
    wait_for("replayed frames to be counted", lambda: rejected("replayed") > 0)
    send_again(sealed, is_altered=True)
    wait_for("altered frames to be counted", lambda: rejected("altered") > 0)
    # Everything, probes and handshakes included, in the order in which it was heard.
    send_again(frames, is_altered=False)
    if section(RECEIVER_URL, transmitter_id, "battery") != before:
        fail("a replayed frame changed a setting")
    wait_for("the link to go on", lambda: is_linked(RECEIVER_URL) and battery_arrives())
    print(f"sent again: {rejected('replayed')} replayed and {rejected('altered')} altered frames counted, nothing changed")


def cell_voltages():
    """Two neighbouring cells as they stand in a plain frame, little-endian millivolts."""
    mv = state(TRANSMITTER_URL)["battery"]["cells"]["mv"]
    return struct.pack("<HHH", *mv[:3])


def main():
    registers = "\n".join(f"r{2 + i}={value}" for i, value in enumerate(
        [39800, 39810, 39820, 39830, 39830, 39840, 39890, 39900, 39830, 39830, 39830, 39840, 39880, 39880]))
    (WORK / "registers").write_text(registers + "\nr36=0x1eb8\nr37=0x425f\nr46=0xf208\nr47=0x04fa\nr50=0x0097\nr53=14\n"
                                    "r40=3980\nr41=3990\nr42=0x8000\nr43=0x8000\nr48=97\nr307=14\nr315=4200\nr316=2900\n"
                                    "r317=60\nr318=20\nr319=60\nr500=0x0102\nr501=0x0301\n")
    start("bms", AMPHORA, "emulate", "tinybms", "--pty", str(WORK / "bms"), "--registers", str(WORK / "registers"))
    wait_for("the emulated BMS", lambda: os.path.lexists(WORK / "bms"))

    write_configurations("sealed")
    capture = WORK / "sealed.pcap"
    listener = start_listener(6, capture)
    transmitter, receiver = start_boxes()
    pair()
    wait_for("the link", lambda: is_linked(TRANSMITTER_URL) and is_linked(RECEIVER_URL))
    transmitter_id = peer(RECEIVER_URL)["node"]
    wait_for("readings and cells", battery_arrives)
    put_section(TRANSMITTER_URL, "own", "mqtt", {"password": PASSWORD})
    check_settings(transmitter_id)
    wait_for("the password's section to be in step", lambda: all(
        entry["sync"] != "waiting_for_peer" for scope in request(TRANSMITTER_URL, "/api/v1/sections")[1]["scopes"]
        for entry in scope["sections"] if entry["name"] == "mqtt"))
    time.sleep(1)
    stop(listener)
    frames = [frame for frame in frames_of(capture) if is_espnow(frame)]
    if len(frames) < 50:
        fail(f"the listener heard only {len(frames)} frames")
    heard = b"".join(frames)
    for secret, what in ((PASSWORD.encode(), "the password"), (cell_voltages(), "cell voltages"),
                         (struct.pack("<I", 55780), "the pack voltage")):
        if secret in heard:
            fail(f"{what} can be read on the air")
    print(f"{len(frames)} frames on the air, no password and no voltage among them")
    decoded = run(AMPHORA, "decode", "link", str(capture))
    names = {json.loads(line).get("name") for line in decoded.stdout.splitlines()}
    if decoded.returncode != 0 or "probe" not in names:
        fail(f"decode link: {decoded.returncode} {names}")
    check_replays(transmitter_id, frames)

    stop(receiver)
    for channel in (11, 3):
        write_receiver("sealed", channel)
        receiver = start("receiver", AMPHORA, "run", str(WORK / "receiver.toml"))
        wait_for(f"the transmitter to follow to channel {channel}",
                 lambda: is_linked(RECEIVER_URL) and is_linked(TRANSMITTER_URL) and
                 state(TRANSMITTER_URL)["link"]["radio"].get("channel") == channel)
        wait_for(f"readings on channel {channel}", battery_arrives)
        print(f"found again on channel {channel}")
        stop(receiver)
    stop(transmitter)

    # The test of the test: what is searched for above is there when the link is plain. The password still is not.
    write_configurations("plain")
    capture = WORK / "plain.pcap"
    listener = start_listener(6, capture)
    transmitter, receiver = start_boxes()
    wait_for("the plain link", lambda: is_linked(TRANSMITTER_URL) and is_linked(RECEIVER_URL))
    wait_for("readings and cells in plain", battery_arrives)
    voltages = cell_voltages()
    time.sleep(1)
    stop(listener)
    heard = b"".join(frame for frame in frames_of(capture) if is_espnow(frame))
    if voltages not in heard:
        fail("the search for cell voltages does not find them where they are")
    print("in plain mode the same search finds the cell voltages")
    stop(transmitter)
    stop(receiver)


try:
    main()
finally:
    for child in list(children):
        child.terminate()
