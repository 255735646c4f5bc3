# SPDX-License-Identifier: Apache-2.0
"""Two packs that ask for the same place on one bus: each gets one of its own and one leads. A mode switched at one is on at
both. A BMS that dies brings one pack, and only that one, to its safe positions with the reason told. Places and modes outlive
restarts. When the leader is killed the other leads."""

from packs import Packs, wait_for

# The lower seven bits are equal, so both ask for the same place.
FIRST, SECOND = 0xA1B2C3D40000 | 0x2A, 0xA1B2C3D50080 | 0x2A


def bms_is_read(pack):
    battery = pack.state()["battery"]
    assert len(battery["cells"]["mv"]) == 16, battery
    energy = pack.state()["energy"]
    assert energy["soc_source"] == "bms" and 0 < energy["soc_percent"] <= 100, energy
    assert "grid_w" not in energy, "what is not measured is absent"


def refusals(pack):
    """Every way to ask wrongly has its answer, and nothing changes."""
    version = pack.sections("own")["modes"]["version"]
    status, body = pack.put("own", "modes", {"soc_low_percent": 101})
    assert (status, body["error"]["code"]) == (422, "out_of_range"), body
    status, body = pack.put("own", "modes", {"soc_low_percent": 60, "soc_high_percent": 50})
    assert status == 422, body
    status, body = pack.put("own", "modes", {"nonsense": 1})
    assert (status, body["error"]["code"]) == (422, "unknown_field"), body
    status, body = pack.put("own", "battery", {"capacity_ah": 1})
    assert (status, body["error"]["code"]) == (404, "unknown_section"), body
    assert pack.sections("own")["modes"]["version"] == version
    status, body = pack.request("POST", "/api/v1/relay", {"relay": "water_heater", "order": "open", "minutes": 1})
    assert (status, body["error"]["code"]) == (404, "not_fitted"), body
    status, body = pack.request("POST", "/api/v1/relay", {"relay": "grid", "order": "open"})
    assert (status, body["error"]["field"]) == (400, "minutes"), body


def orders(pack):
    status, body = pack.request("POST", "/api/v1/relay", {"relay": "grid", "order": "open", "minutes": 30})
    assert (status, body["error"]["code"]) == (409, "held_by_mode"), body
    assert "switch backup off instead" in body["error"]["message"], body
    assert pack.request("POST", "/api/v1/relay", {"relay": "pool_pump", "order": "open", "minutes": 30}) == (200, {})
    wait_for("the pump is open", lambda: pack.relay("pool_pump").get("measured") == "open")
    pump = pack.relay("pool_pump")
    assert pump["holder"] == "manual" and pump["manual"]["position"] == "open", pump
    assert pack.request("POST", "/api/v1/relay", {"relay": "pool_pump", "order": "auto"}) == (200, {})
    wait_for("the pump is closed", lambda: pack.relay("pool_pump").get("measured") == "closed")
    assert pack.request("POST", "/api/v1/grid_energy/reset", {}) == (200, {})
    assert pack.request("POST", "/api/v1/identify", {"seconds": 5}) == (200, {})


with Packs(FIRST, SECOND) as house:
    first, second = house.packs
    house.start()
    nodes = house.wait_until_settled()
    assert nodes[0] == 0x2A, "the lower hardware number keeps the place"
    for pack in house.packs:
        wait_for("the battery", lambda: pack.state().get("battery", {}).get("online"))
        wait_for("relays", lambda: pack.relay("grid").get("measured") == "closed")
        bms_is_read(pack)

    # A mode switched at one is on at the other, durable at both.
    wait_for("settings synchronised", lambda: all(one.packs()["settings"]["synchronised"] for one in house.packs))
    saved = first.put_modes(backup=True, soc_high_percent=60)
    wait_for("backup at the other", lambda: "backup" in second.modes()["running"])
    wait_for("the same version", lambda: second.sections("own")["modes"]["version"] == saved["version"])
    assert second.field("own", "modes", "soc_high_percent") == 60
    assert second.relay("grid")["holder"] == "backup", second.relay("grid")
    wait_for("an event at the other", lambda: "section_adopted" in second.event_codes())
    refusals(first)
    orders(second)
    saved = second.put("own", "schedule", {"window_1": "22:00-06:00 1-5"})
    assert saved[0] == 200, saved
    wait_for("the window at the first", lambda: first.field("own", "schedule", "window_1") == "22:00-06:00 1-5")

    # Each shows what the other tells of itself.
    def seen():
        return next((one for one in first.packs()["nodes"] if one["node"] == nodes[1] and "voltage_v" in one), None)

    other = wait_for("telemetry of the other", seen)
    wait_for("its mode", lambda: seen()["modes"] == ["backup"])
    assert other["type"] == "energy-pack" and other["bms_state"] == "connected", other
    assert {relay["name"] for relay in seen()["relays"]} == {"grid", "inverter_output", "pool_pump"}, other
    aggregate = wait_for("both counted", lambda: (lambda one: one if one["online"] == 2 else None)(first.packs()["aggregate"]))
    assert aggregate["known"] == 2, aggregate
    assert 0 < first.packs()["bus"]["load_percent"] < 15, first.packs()["bus"]

    # A dead BMS: this pack goes to its safe positions and says why, the other stays as it is.
    first.kill_bms()
    wait_for("safety", lambda: [one["cause"] for one in first.modes()["safety"]] == ["bms_stale"])
    wait_for("the pump opens", lambda: first.relay("pool_pump").get("measured") == "open")
    assert first.relay("grid")["measured"] == "closed"
    assert first.relay("grid")["holder"] == "safety" and first.relay("grid")["reason_text"], first.relay("grid")
    wait_for("its events", lambda: {"bms_lost", "safety_entered"} <= set(first.event_codes()))
    assert first.request("GET", "/api/v1/health")[0] == 503
    status, body = first.request("POST", "/api/v1/relay", {"relay": "pool_pump", "order": "closed", "minutes": 1})
    assert (status, body["error"]["code"]) == (409, "held_by_mode") and "safety" in body["error"]["message"], body
    wait_for("the alarm at the other", lambda: next(
        one for one in second.packs()["nodes"] if one["node"] == nodes[0])["alarm"])
    assert second.modes()["safety"] == [], second.modes()
    first.start_bms()
    wait_for("safety is over", lambda: not first.modes()["safety"])
    wait_for("the pump closes", lambda: first.relay("pool_pump").get("measured") == "closed")

    # Figures and pages.
    text = first.get("/metrics")
    for name in ("amphora_relay_closed{relay=\"grid\"} 1", "amphora_packnet_claimed 1",
                 "amphora_energy_mode_running{mode=\"backup\"} 1", "amphora_packnet_nodes 1"):
        assert name in text, (name, text)

    # A restart in the other order keeps places, modes and windows.
    for pack in house.packs:
        pack.stop()
    second.start()
    wait_for("the second alone", lambda: second.is_claimed() and second.packs()["is_master"])
    assert second.packs()["node"] == nodes[1]
    first.start()
    assert house.wait_until_settled() == nodes
    for pack in house.packs:
        wait_for("backup is on again", lambda: pack.modes().get("running") == ["backup"])
        assert pack.field("own", "schedule", "window_1") == "22:00-06:00 1-5"

    # The leader dies: the other leads, and a change made meanwhile reaches the dead one when it is back.
    leader, other = (first, second) if first.packs()["is_master"] else (second, first)
    leader.kill()
    wait_for("the other leads", lambda: other.packs()["is_master"])
    other.put_modes(backup=False, eco=True)
    leader.start()
    wait_for("the change at the one that was dead", lambda: leader.modes().get("running") == ["eco"])
    assert sorted(house.wait_until_settled()) == sorted(nodes)
    for pack in house.packs:
        pack.stop()
