# SPDX-License-Identifier: Apache-2.0
"""amphora decode as a filter in a pipe: a line at a time, bad lines reported, the rest decoded."""

import json
import subprocess

from program import AMPHORA, PATIENCE, folder, run

LOG = """\
351 [8] 43 02 E8 03 9E 07 D0 01        57.9 V, 100.0 A, 195.0 A, 46.4 V
can0 356#6114D3FEEB00
can0 351 [8] 43 02
can0 351#GG
can0 123 [1] 00
can0 305#
"""
lines = [json.loads(line) for line in run("decode", "victron", text=LOG).stdout.splitlines()]
assert len(lines) == 6, lines
assert (lines[0]["cvl_v"], lines[0]["ccl_a"], lines[0]["dcl_a"], lines[0]["dvl_v"]) == (57.9, 100.0, 195.0, 46.4)
assert (lines[1]["voltage_v"], lines[1]["current_a"], lines[1]["temperature_c"]) == (52.17, -30.1, 23.5)
for number in (3, 4, 5):
    assert lines[number - 1]["line"] == number and lines[number - 1]["error"], lines[number - 1]
assert lines[5]["name"] == "keepalive"

# The pack network, beside frames of others.
LOG = """\
(1600000000.25) can0 105#0072141EFBFF851A
can0  20C   [8]  04 01 02 02 1E 00
can0 20C#040102021E00
can0 7FF#0D1503070B1A0401
can0 351#4302E8039E07D001
"""
lines = [json.loads(line) for line in run("decode", "packnet", text=LOG).stdout.splitlines()]
assert len(lines) == 5, lines
assert lines[0] == {"id": "0x105", "time": 1600000000.25, "interface": "can0", "name": "telemetry", "sender": 5, "page": 0,
                    "voltage_v": 52.34, "current_a": -12.5, "soc_percent": 67.89}, lines[0]
assert "cut short" in lines[1]["error"], lines[1]
assert (lines[2]["opcode"], lines[2]["relay"], lines[2]["order"], lines[2]["minutes"]) == ("set_relay", "pool_pump", "auto", 30)
assert lines[3]["wall_time"] == "2026-11-21T14:03:07+01:00", lines[3]
assert lines[4]["error"] == "not_ours", lines[4]

with folder() as place:
    (place / "log").write_text("tx AA 1B 3F 1B\nrx AA 1B 06 16 01 14 01 16 01 0E 4E\n")
    lines = [json.loads(line) for line in run("decode", "tinybms", place / "log").stdout.splitlines()]
    assert lines[1]["temperature_internal_c"] == 27.8 and lines[1]["crc_ok"] is True, lines

# A live source is followed line by line: the answer comes before the input ends.
with subprocess.Popen([AMPHORA, "decode", "victron"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
    child.stdin.write("can0 305#\n")
    child.stdin.flush()
    assert json.loads(child.stdout.readline())["name"] == "keepalive"
    child.stdin.close()
    assert child.wait(timeout=PATIENCE) == 0

# A binary capture, from a file and through a pipe, frame by frame.
SAMPLE = "tests/vectors/espnow_sample.pcap"
lines = [json.loads(line) for line in run("decode", "link", SAMPLE).stdout.splitlines()]
assert [line["size"] for line in lines] == [250, 20, 1470], lines
assert lines[1]["source"] == "24:0a:c4:01:02:03" and lines[1]["destination"] == "30:ae:a4:04:05:06", lines[1]
with open(SAMPLE, "rb") as file:
    capture = file.read()
with subprocess.Popen([AMPHORA, "decode", "link"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    child.stdin.write(capture[: 24 + 16 + 301])
    child.stdin.flush()
    assert json.loads(child.stdout.readline())["frame"] == 1
    child.stdin.close()
    assert child.wait(timeout=PATIENCE) == 0
lines = [json.loads(line) for line in run("decode", "link", text="01 2A 00 00 00\n01\n").stdout.splitlines()]
assert lines[0]["name"] == "probe" and lines[0]["sequence"] == 42 and lines[1]["error"], lines
