# SPDX-License-Identifier: Apache-2.0
"""Settings changed at either box show at the other, and are in force at the transmitter. Readings and live cells flow.
How long a change takes is measured and printed."""

from two_boxes import RECEIVER, TRANSMITTER, TwoBoxes, median, time, wait_for

COUNT = 20


def change(at, scope, other, other_scope, section, field, values):
    """Milliseconds from the request to the moment the other box's interface shows the value."""
    took = []
    for value in values:
        began = time.monotonic()
        status, body = at.put(scope, section, {field: value})
        assert status == 200 and body["result"] == "saved", (status, body)
        while other.field(other_scope, section, field) != value:
            assert time.monotonic() - began < 60, f"{section}.{field} never became {value} at {other.name}"
        took.append((time.monotonic() - began) * 1000)
    return took


with TwoBoxes() as two:
    transmitter, receiver = two.transmitter, two.receiver
    two.start()
    two.wait_until_linked()
    wait_for("equal settings", lambda: all(
        one["sync"] == "synchronised" for one in receiver.sections(TRANSMITTER).values()) and
        len(receiver.sections(TRANSMITTER)) == 7)

    # What the file says is shown at both, and nobody has changed it.
    for box, scope in ((transmitter, "own"), (receiver, TRANSMITTER)):
        battery = box.sections(scope)["battery"]
        assert battery["from_file"] and box.field(scope, "battery", "charge_current_max_a") == 50, battery
        assert box.field(scope, "system", "name") == "Shed"
        metadata = box.sections(scope)["metadata"]
        assert metadata["read_only"] and box.field(scope, "metadata", "mac") == TRANSMITTER
    assert set(receiver.sections("own")) == {"metadata", "network", "system", "display"}

    down = change(receiver, TRANSMITTER, transmitter, "own", "battery", "charge_current_max_a",
                  [20 + i for i in range(COUNT)])
    up = change(transmitter, "own", receiver, TRANSMITTER, "battery", "cell_full_v",
                [round(3.40 + i / 1000, 3) for i in range(COUNT)])
    for name, took in (("receiver to transmitter", down), ("transmitter to receiver", up)):
        print(f"settings {name}: median {median(took):.1f} ms, largest {max(took):.1f} ms of {len(took)}, "
              "request and disk included")

    # In force at the transmitter: the limits follow, and the file's values are no longer asked.
    last = 20 + COUNT - 1
    wait_for("the charge limit to follow", lambda: transmitter.state()["limits"].get("ccl_a", 0) <= last)
    status, body = receiver.put(TRANSMITTER, "power_profile", {"charge_limited": True, "charge_current_limit_a": 7})
    assert status == 200, body
    wait_for("the power profile to be in force", lambda: transmitter.state()["limits"].get("ccl_a", 99) <= 7)

    # There is one place to change a thing.
    status, body = transmitter.request("PUT", "/api/v1/box/settings",
                                       {"section": "battery", "values": {"charge_current_max_a": 60}})
    assert status == 422 and body["error"]["code"] == "not_changeable", (status, body)
    status, body = transmitter.request("PUT", "/api/v1/box/settings",
                                       {"section": "battery", "values": {"charge_temperature_max_c": 45}})
    assert status == 200, (status, body)

    # What is wrong is refused with the reason and changes nothing.
    version = receiver.sections(TRANSMITTER)["battery"]["version"]
    for values, code in (({"charge_current_max_a": 5000}, "out_of_range"), ({"charge_current_max_a": "x"}, "bad_value"),
                         ({"nonsense": 1}, "unknown_field"), ({"cell_min_v": 3.3}, "bad_value")):
        status, body = receiver.put(TRANSMITTER, "battery", values)
        assert status == 422 and body["error"]["code"] == code, (values, status, body)
    status, body = transmitter.put("own", "battery", {"cell_max_v": 4.1})  # impossible for LFP
    assert status == 422 and body["error"]["code"] == "conflict", (status, body)
    status, body = receiver.put(TRANSMITTER, "metadata", {"device_name": "mine"})
    assert status == 422 and body["error"]["code"] == "not_changeable", (status, body)
    status, body = receiver.put("02:00:00:00:00:99", "battery", {"capacity_ah": 1})
    assert status == 404, (status, body)
    assert receiver.sections(TRANSMITTER)["battery"]["version"] == version

    # Secrets travel, and are never shown.
    status, body = receiver.put(TRANSMITTER, "mqtt", {"username": "u", "password": "hunter22"})
    assert status == 200, body
    wait_for("the password at the transmitter", lambda: next(
        one for one in transmitter.sections("own")["mqtt"]["fields"] if one["name"] == "password")["is_set"])
    for box in two.boxes:
        for path in ("/api/v1/sections", "/api/v1/state", "/api/v1/events", "/api/get_mqtt_config"):
            assert "hunter22" not in str(box.request("GET", path)), (box.name, path)

    # Readings and cells, as the transmitter has them.
    wait_for("readings", lambda: receiver.peer()["readings"]["delivered"] > 20)
    wait_for("live cells", lambda: receiver.peer()["cells"]["complete"] > 20)
    battery = receiver.state()["battery"]
    assert battery["online"] and battery["cells"]["count"] == 16, battery
    assert abs(battery["voltage_v"] - transmitter.state()["battery"]["voltage_v"]) < 1, battery
    assert receiver.state()["box"]["role"] == "receiver" and transmitter.state()["box"]["role"] == "transmitter"
    assert "limits" not in receiver.state() and "mqtt" not in receiver.state()
    queue = transmitter.peer()["queue"]
    assert queue["dropped"] == 0 and queue["expired"] == 0, queue
    assert receiver.get("/api/transmitter_status")["connected"]
    assert receiver.get("/api/get_transmitter_info")["mac"] == TRANSMITTER
    assert receiver.get("/api/get_receiver_info")["mac"] == RECEIVER
    assert "amphora_link_readings_delivered_total" in receiver.get("/metrics")

    # The transmitter goes: the receiver says so and keeps showing what it knew.
    transmitter.kill()
    assert receiver.sections(TRANSMITTER)["battery"]["version"] == version
