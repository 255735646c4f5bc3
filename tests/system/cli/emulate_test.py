# SPDX-License-Identifier: Apache-2.0
"""The emulators behind real lines: a sleepy BMS, faults by command and signal, one client after another, a GX that vanishes."""

import json
import os
import signal
import socket

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

    with emulator("gx", "--can", f"udp://239.74.163.2:{free_udp_port()}") as gx:
        gx.expect(event="bus", state="active")
        gx.child.send_signal(signal.SIGUSR1)
        gx.expect(event="vanished")
        gx.say("return")
        gx.expect(event="returned")
    assert "239" in run("emulate", "gx", "--can", "udp://10.0.0.1:5", code=2).stderr
