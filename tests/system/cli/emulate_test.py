# SPDX-License-Identifier: Apache-2.0
"""The emulators behind real lines: a sleepy BMS, faults by command and signal, one client after another, a GX that vanishes."""

import json
import os
import signal
import socket
import tty

from program import emulator, folder, run, wait_for


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", 0))
        return s.getsockname()[1]


with folder() as place:
    link = place / "bms"

    with emulator("tinybms", "--pty", link, "--sleepy", "--sleep-after", 1) as bms:
        bms.expect(event="ready")
        assert os.path.islink(link)
        # The first request only wakes it; whoever asks again is answered.
        assert json.loads(run("bms", "read", "--port", link).stdout)["cells"]["count"] == 16
        bms.expect(event="woke_up")
        bms.expect(event="fell_asleep")
        assert json.loads(run("bms", "read", "--port", link).stdout)["cells"]["count"] == 16
        bms.expect(event="woke_up")
    assert not os.path.lexists(link), "the link outlived the emulator"

    with emulator("tinybms", "--pty", link) as bms:
        bms.expect(event="ready")
        bms.say("corrupt 1")
        bms.expect(event="fault", fault="corrupt")
        bms.expect(event="fault", fault="none")
        bms.child.send_signal(signal.SIGUSR1)
        bms.expect(event="fault", fault="silent")
        bms.child.send_signal(signal.SIGUSR2)
        bms.expect(event="fault", fault="none")
        bms.say("current -20")
        wait_for("the current", lambda: json.loads(run("bms", "read", "--port", link).stdout)["current_a"] == -20)
        bms.say("set r48=300")
        bms.say("quit")
        assert bms.child.wait(timeout=60) == 0

    bad = place / "bad.txt"
    bad.write_text("r1=5\nr2=70000\nr999=1\n")
    errors = run("emulate", "tinybms", "--registers", bad, code=2).stderr
    assert f"{bad}:2: r2" in errors and f"{bad}:3: " in errors, errors
    (place / "file").write_text("mine")
    errors = run("emulate", "tinybms", "--pty", place / "file", code=1).stderr
    assert "is not a symbolic link" in errors and (place / "file").read_text() == "mine", errors

    # A BMS on Modbus RTU; tests/system/modbus judges its answers.
    with emulator("modbus-bms", "--pty", link, "--cells", 8, "--soc", 67) as bms:
        bms.expect(event="ready", device="modbus-bms", link=str(link))
        request = bytes.fromhex("010300000002c40b")
        with open(link, "r+b", buffering=0) as line:
            tty.setraw(line)
            line.write(request)
            answer = b""
            while len(answer) < 9:
                answer += line.read(9 - len(answer))
            assert answer[:3] == bytes([1, 3, 4]) and 200 < int.from_bytes(answer[3:5], "big") < 290, answer
            line.write(bytes.fromhex("010600000002080b"))
            bms.expect(event="refused", function=6, register=0, exception=1)
        bms.say("over-voltage 1")
        bms.expect(event="fault", fault="over-voltage")
        bms.expect(event="fault", fault="none")
        bms.say("unplug 1")
        bms.expect(event="unplugged")
        bms.expect(event="ready")
        bms.child.send_signal(signal.SIGUSR1)
        bms.expect(event="fault", fault="silent")
        bms.say("quit")
        assert bms.child.wait(timeout=60) == 0
    assert not os.path.lexists(link), "the link outlived the emulator"
    assert "--fault" in run("emulate", "modbus-bms", "--fault", "lazy", code=2).stderr

    with emulator("gx", "--can", f"udp://239.74.163.2:{free_udp_port()}") as gx:
        gx.expect(event="bus", state="active")
        gx.child.send_signal(signal.SIGUSR1)
        gx.expect(event="vanished")
        gx.say("return")
        gx.expect(event="returned")
    assert "239" in run("emulate", "gx", "--can", "udp://10.0.0.1:5", code=2).stderr

# The air between radios, spoken to as docs/protocols/air.md says.
MARK = b"AAR1"


def mac(number):
    return bytes([2, 0, 0, 0, 0, number])


class AirClient:
    def __init__(self, address, number, channel):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        self.socket.connect(address)
        self.socket.send(MARK + b"\x01" + bytes(7) + bytes([number]) + mac(number) + bytes([channel, 1]))
        assert self.receive(0x81)[8] == 0, "not welcome"

    def send(self, token, to, data):
        self.socket.send(MARK + b"\x02" + token.to_bytes(4, "little") + to + len(data).to_bytes(2, "little") + data)
        answer = self.receive(0x82)
        assert int.from_bytes(answer[:4], "little") == token
        return answer[4]

    def receive(self, kind):
        datagram = self.socket.recv(1000)
        assert datagram[:5] == MARK + bytes([kind]), datagram
        return datagram[5:]


with emulator("air", "--listen", "127.0.0.1:0", "--channels", "1,6,11") as air:
    host, port = air.expect(event="ready")["listen"].split(":")
    a = AirClient((host, int(port)), 1, 6)
    air.expect(event="joined", mac="02:00:00:00:00:01", channel=6)
    b = AirClient((host, int(port)), 2, 6)
    assert a.send(7, mac(2), b"hello") == 0
    assert b.receive(0x84)[-5:] == b"hello"
    assert a.send(8, mac(3), b"hello") == 1  # nobody: no ack
    b.socket.send(MARK + b"\x03" + bytes(4) + bytes([11]))
    assert b.receive(0x83)[4:] == bytes([11, 0])
    air.expect(event="channel", mac="02:00:00:00:00:02", channel=11)
    assert a.send(9, mac(2), b"hello") == 1
    air.say("loss 1")
    air.expect(event="loss")
    assert a.send(10, mac(2), b"hello") == 1
    air.say("status")
    status = air.expect(event="status")
    assert (status["radios"], status["frames"], status["delivered"], status["no_ack"]) == (2, 4, 1, 3), status
    b.socket.send(MARK + b"\x04")
    air.expect(event="left", mac="02:00:00:00:00:02")
    air.say("quit")
    assert air.child.wait(timeout=60) == 0

assert "--allow-remote" in run("emulate", "air", "--listen", "0.0.0.0:0", code=2).stderr
assert "channels from 1 to 14" in run("emulate", "air", "--channels", "0-3", code=2).stderr
assert "127.0.0.1:47000" in run("emulate", "air", "--listen", "nowhere", code=2).stderr
