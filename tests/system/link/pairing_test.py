# SPDX-License-Identifier: Apache-2.0
"""Pairing by the program's own command: a wrong code is refused, the right one pairs, the key outlives a restart, a
forgotten node is a stranger again. Nobody who has not the key gets a session."""

import re
import subprocess

from two_boxes import AMPHORA, TRANSMITTER, TwoBoxes, wait_for


def start_pair(box, *arguments):
    return subprocess.Popen([AMPHORA, "pair", *arguments, "--url", f"http://127.0.0.1:{box.port}"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_pair(box, *arguments):
    child = start_pair(box, *arguments)
    out, err = child.communicate(timeout=300)
    return child.returncode, out, err


with TwoBoxes(is_paired=False) as two:
    transmitter, receiver = two.transmitter, two.receiver
    two.start()
    wait_for("the transmitter's radio", lambda: transmitter.state()["link"]["radio"]["state"] == "up")
    wait_for("the receiver's radio", lambda: receiver.state()["link"]["radio"]["state"] == "up")
    assert "peers" in receiver.state()["link"] and not receiver.state()["link"]["peers"]

    show = start_pair(transmitter, "show")
    code = show.stdout.readline().strip()
    assert re.fullmatch(r"\d{6}", code), code
    pairing = transmitter.state()["link"]["pairing"]
    assert pairing["state"] == "showing" and pairing["tries_left"] == 5 and "code" not in pairing, pairing

    wrong = f"{(int(code) + 1) % 1000000:06d}"
    status, out, err = run_pair(receiver, "enter", wrong)
    assert status == 1 and "not paired" in err, (status, out, err)
    wait_for("the try to be counted", lambda: transmitter.state()["link"]["pairing"].get("tries_left") == 4)
    assert not receiver.rows("SELECT name FROM sections WHERE name LIKE 'link.key.%'")

    status, out, err = run_pair(receiver, "enter", code)
    assert status == 0 and TRANSMITTER in out, (status, out, err)
    out, err = show.communicate(timeout=300)
    assert show.returncode == 0 and "paired" in out, (show.returncode, out, err)
    two.wait_until_linked()
    assert "paired" in transmitter.event_codes() and "paired" in receiver.event_codes()
    keys = [box.rows("SELECT content FROM sections WHERE name LIKE 'link.key.%'")[0][0].split()[0] for box in two.boxes]
    assert keys[0] == keys[1] and len(keys[0]) == 64
    for box in two.boxes:
        assert (box.data / "amphora.db").stat().st_mode & 0o077 == 0
        assert keys[0] not in box.process.log.read_text()

    # The key is kept.
    for box in two.boxes:
        box.stop()
        box.start()
    two.wait_until_linked()

    status, out, err = run_pair(receiver, "status")
    assert status == 0 and TRANSMITTER in out and "Shed" in out, (status, out, err)
    status, out, err = run_pair(receiver, "forget", "02:00:00:00:00:77")
    assert status == 1 and "paired" in err, (status, out, err)
    status, out, err = run_pair(receiver, "forget", TRANSMITTER)
    assert status == 0, (status, out, err)
    assert not receiver.state()["link"]["peers"]
    assert not receiver.rows("SELECT name FROM sections WHERE name LIKE 'link.key.%'")
    status, body = receiver.put(TRANSMITTER, "battery", {"capacity_ah": 1})
    assert status == 404, (status, body)
    status, out, err = run_pair(receiver, "enter", "12x456")
    assert status == 1 and "six digits" in err, (status, out, err)
    status, body = receiver.request("POST", "/api/v1/pairing", {"action": "show_code"})
    assert status == 409 and body["error"]["code"] == "wrong_role", (status, body)
