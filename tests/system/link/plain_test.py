# SPDX-License-Identifier: Apache-2.0
"""A plain link needs no pairing, says that it is open, and carries no password: the section that holds one is not part
of it, and nothing of it is on the air."""

import socket
import threading

from two_boxes import TRANSMITTER, TwoBoxes, wait_for

SECRET = "hunter2-not-on-air"


class Tap:
    """Forwards between the boxes and the air process, and keeps every byte."""

    def __init__(self, air_port):
        self.air = ("127.0.0.1", air_port)
        self.bytes = bytearray()
        self.sockets = {}
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        threading.Thread(target=self._from_boxes, daemon=True).start()

    def _from_boxes(self):
        while True:
            data, sender = self.front.recvfrom(65536)
            self.bytes += data
            if sender not in self.sockets:
                back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.connect(self.air)
                self.sockets[sender] = back
                threading.Thread(target=self._to_box, args=(back, sender), daemon=True).start()
            self.sockets[sender].send(data)

    def _to_box(self, back, sender):
        while True:
            try:
                self.front.sendto(back.recv(65536), sender)
            except ConnectionRefusedError:
                continue


def tap_into(two):
    tap = Tap(two.air_port)
    for box in two.boxes:
        box.file.write_text(box.file.read_text().replace(f":{two.air_port}?", f":{tap.port}?"))
    return tap


with TwoBoxes(mode="plain") as two:
    tap = tap_into(two)
    password = two.folder / "password"
    password.write_text(SECRET)
    password.chmod(0o600)
    two.transmitter.file.write_text(two.transmitter.file.read_text().replace(
        "[mqtt]\nenabled = false", f'[mqtt]\nport = 1\nusername = "u"\npassword_file = "{password}"'))
    two.start()
    two.wait_until_linked()
    for box in two.boxes:
        assert box.state()["link"]["mode"] == "plain"
        assert "plain_link" in box.event_codes()
    wait_for("settings", lambda: "battery" in two.receiver.sections(TRANSMITTER))
    wait_for("readings", lambda: two.receiver.peer()["readings"]["delivered"] > 5)
    assert "mqtt" not in two.receiver.sections(TRANSMITTER) and "mqtt" not in two.transmitter.sections("own")
    status, body = two.receiver.put(TRANSMITTER, "mqtt", {"password": SECRET})
    assert status == 404, (status, body)
    # Where sections cannot go, the box's own settings page still can.
    status, body = two.transmitter.request("PUT", "/api/v1/box/settings", {"section": "mqtt", "values": {"port": 2}})
    assert status == 200, (status, body)
    status, body = two.receiver.put(TRANSMITTER, "system", {"name": "Seen on air"})
    assert status == 200, (status, body)
    wait_for("the name on the air", lambda: b"Seen on air" in tap.bytes)
    assert SECRET.encode() not in tap.bytes

with TwoBoxes(mode="sealed") as two:
    tap = tap_into(two)
    two.start()
    two.wait_until_linked()
    status, body = two.receiver.put(TRANSMITTER, "mqtt", {"username": "u", "password": SECRET})
    assert status == 200, (status, body)
    status, body = two.receiver.put(TRANSMITTER, "system", {"name": "Not seen on air"})
    assert status == 200, (status, body)
    wait_for("the name at the transmitter", lambda: two.transmitter.field("own", "system", "name") == "Not seen on air")
    wait_for("readings", lambda: two.receiver.peer()["readings"]["delivered"] > 5)
    assert two.receiver.state()["link"]["mode"] == "sealed"
    assert b"Not seen on air" not in tap.bytes and SECRET.encode() not in tap.bytes
