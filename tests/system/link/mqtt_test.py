# SPDX-License-Identifier: Apache-2.0
"""The receiver sets the transmitter's broker: it connects there at once, with the password that was sent, and says so in
its beacon. A broker that it may not use is refused in place, and told. What waits for a broker is not lost by moving."""

import getpass
import json
import shutil
import subprocess
import threading

from two_boxes import TRANSMITTER, Process, TwoBoxes, can_connect, free_port, wait_for


def start_broker(two, name):
    port = free_port()
    passwords = two.folder / f"{name}.passwd"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "anna", "hunter2"], check=True)
    config = two.folder / f"{name}.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
                      f"user {getpass.getuser()}\n")
    mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    two.processes.append(Process(two.folder, name, [mosquitto, "-c", str(config)]))
    wait_for(name, lambda: can_connect(port))
    return port


def listen(two, port):
    """Sequences of the readings that arrive at a broker."""
    child = subprocess.Popen(["mosquitto_sub", "-p", str(port), "-u", "anna", "-P", "hunter2", "-q", "1", "-t",
                              "amphora/+/battery/reading"], stdout=subprocess.PIPE, text=True)
    sequences = []
    threading.Thread(target=lambda: [sequences.append(json.loads(line)["seq"]) for line in child.stdout],
                     daemon=True).start()
    two.listeners.append(child)
    return sequences


with TwoBoxes() as two:
    transmitter, receiver = two.transmitter, two.receiver
    transmitter.file.write_text(transmitter.file.read_text().replace(
        "[mqtt]\nenabled = false", "[mqtt]\nenabled = false\nreading_interval_s = 1"))
    two.start()
    two.wait_until_linked()
    wait_for("the section", lambda: "mqtt" in receiver.sections(TRANSMITTER))
    wait_for("the flags", lambda: "status" in receiver.peer())
    assert not receiver.peer()["status"]["mqtt_connected"]

    first = start_broker(two, "first")
    heard_first = listen(two, first)
    status, body = receiver.put(TRANSMITTER, "mqtt", {"enabled": True, "port": first, "username": "anna",
                                                      "password": "hunter2", "client_id": "shed"})
    assert status == 200, body
    wait_for("the transmitter's broker", lambda: transmitter.state()["mqtt"].get("connected"))
    wait_for("the flag at the receiver", lambda: receiver.peer()["status"]["mqtt_connected"])
    wait_for("readings", lambda: len(heard_first) >= 2)

    # On another machine without TLS: only the transmitter knows that it may not.
    status, body = transmitter.put("own", "mqtt", {"host": "192.0.2.1"})
    assert status == 422 and body["error"]["code"] == "conflict", (status, body)
    status, body = receiver.put(TRANSMITTER, "mqtt", {"host": "192.0.2.1"})
    assert status == 200, body
    wait_for("the refusal", lambda: "section_not_applied" in transmitter.event_codes())
    assert transmitter.state()["mqtt"].get("connected")

    second = start_broker(two, "second")
    heard_second = listen(two, second)
    status, body = receiver.put(TRANSMITTER, "mqtt", {"host": "127.0.0.1", "port": second})
    assert status == 200, body
    wait_for("readings at the second broker", lambda: len(heard_second) >= 2)
    both = heard_first + [one for one in heard_second if one not in heard_first]
    assert both == list(range(both[0], both[-1] + 1)), (heard_first, heard_second)

    # It is still so after a restart, from the first moment.
    transmitter.stop()
    transmitter.start()
    wait_for("the broker again", lambda: transmitter.state()["mqtt"].get("connected"))
    assert transmitter.state()["mqtt"]["port"] == second
