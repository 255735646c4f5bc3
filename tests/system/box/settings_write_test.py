# SPDX-License-Identifier: Apache-2.0
"""Settings of the BMS: a good write is verified; a bad one is refused with register, value and range and changes nothing;
a BMS unplugged half way is reported, and afterwards what is really on it is read again and shown."""

import threading
import time

from house import House, wait_for


def settings_of(house):
    answer = house.get("/api/v1/bms/settings")
    return {one["register"]: one for one in answer["settings"]} if answer["state"] == "ready" else None


def put(house, *changes):
    return house.request("PUT", "/api/v1/bms/settings",
                         {"changes": [{"register": register, "value": value} for register, value in changes]})


with House() as house:
    house.start_broker()
    bms = house.start_bms()
    house.start_box()
    before = wait_for("the settings", lambda: settings_of(house))

    good = before[308]
    target = good["max"] if good["value"] != good["max"] else good["min"]
    status, body = put(house, (308, target))
    assert status == 200 and body["result"] == "verified", (status, body)
    assert wait_for("the new value", lambda: (settings_of(house) or {}).get(308, {}).get("value") == target)

    status, body = put(house, (315, 5.0) if before[315]["unit"] == "V" else (315, 5000))
    error = body["error"]
    assert status == 422 and error["code"] == "out_of_range" and error["register"] == 315, (status, body)
    assert "min" in error and "max" in error and error["field"] == "changes[0].value", error

    status, body = put(house, (50, 151))
    assert status == 422 and body["error"]["code"] == "read_only" and body["error"]["register"] == 50, (status, body)
    status, body = put(house, (302, 1))
    assert status == 422 and body["error"]["code"] == "unknown_register", (status, body)
    status, body = put(house, (308, 0.0155 if good["unit"] == "V" else 15.5))
    assert status == 422 and body["error"]["code"] == "bad_step", (status, body)
    # A set that breaks a rule between two registers: under-voltage cut-off above the discharged voltage.
    over = before[301]["value"] + 0.1 if before[301]["unit"] == "V" else before[301]["value"] + 100
    status, body = put(house, (316, over))
    assert status == 422 and body["error"]["code"] == "constraint" and body["error"]["register"] == 316, (status, body)
    # A request with one bad change is refused whole.
    status, body = put(house, (308, good["value"]), (315, 99))
    assert status == 422, (status, body)
    assert settings_of(house)[308]["value"] == target, "nothing of a refused write may be written"
    # Nonsense in the body names the field.
    status, body = house.request("PUT", "/api/v1/bms/settings", {"changes": [{"register": "x", "value": 1}]})
    assert status == 400 and "changes[0].register" in body["error"]["field"], (status, body)

    # The line is cut while ten registers are being written (each takes half a second to be saved, so there are about
    # five seconds to hit).
    changes = [(308, good["value"]), (310, 10), (311, 10), (332, 10), (319, 55), (320, 5), (304, before[304]["value"]),
               (303, before[303]["value"]), (321, 80), (306, before[306]["value"])]
    answer = {}
    thread = threading.Thread(target=lambda: answer.update(put=put(house, *changes)))
    thread.start()
    time.sleep(1.5)
    bms.say("silent")
    thread.join(timeout=120)
    status, body = answer["put"]
    assert status == 502, (status, body)
    results = {one["register"]: one["result"] for one in body["settings"]}
    assert len(results) == len(changes), body
    assert "unreachable" in results.values() and "verified" not in results.values(), body
    assert any(one["code"] == "bms_setting_written" and one["level"] == "error" for one in house.events())

    bms.say("normal")
    house.wait_for_state("the BMS to be back", lambda s: s["battery"]["online"])
    wait_for("the settings to be read again", lambda: settings_of(house))
    after = settings_of(house)
    for register, result in results.items():
        assert "value" in after[register], after[register]
print("writes are verified, refused or reported; what is on the BMS is shown")
