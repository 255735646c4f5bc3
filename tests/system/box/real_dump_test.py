# SPDX-License-Identifier: Apache-2.0
"""The register dump of a real 14-cell device is the same on MQTT, REST and WebSocket, to the last digit."""

from house import House, MqttListener, WebSocket, wait_for

# A 14S NMC pack as its owner read it out: registers not listed are 0. The cells lie in registers 2 to 15.
DUMP = """
# live
r0=0 r1=0
r2..r15 = 39800 39810 39820 39830 39830 39840 39890 39900 39830 39830 39830 39840 39880 39880
r32=0x93cd r33=0x00fe   r34=0x7904 r35=0x027d   r36=0x1eb8 r37=0x425f   r38=0 r39=0
r40=3980 r41=3990   r42=0x8000 r43=0x8000   r46=0xf208 r47=0x04fa   r48=97
r50=0x0097   r51=0 r52=0 r53=14
# statistics
r102=510 r103=0 r104=100 r105=0 r106=0 r107=0 r108=0 r109=0 r111=0 r112=0 r113=0x1908 r114=0x0300 r116=0x8a3d r117=0x00be
# events
r200..r207 = 0x1226 0x6500 0x4e2b 0x64b9 0x4e2c 0x62b9 0x4e42 0x65b9
# settings
r300=4150 r301=3000 r303=3200 r304=1000 r306=6600 r307=14 r308=15 r315=4200 r316=2900 r317=60 r318=20 r319=60 r320=1 r328=0xffff
# version
r500=0x0102 r501=0x0301 r502=0x00f2 r503=0x0418
"""

CELLS = [3980, 3981, 3982, 3983, 3983, 3984, 3989, 3990, 3983, 3983, 3983, 3984, 3988, 3988]


def check_values(values):
    assert values["voltage_v"] == 55.78, values
    assert values["current_a"] == 0, values
    assert values["soc_percent"] == 83.55, values
    assert values["temperature_internal_c"] == 9.7, values
    assert values["activity"] == "idle", values
    assert not any(one is not None for one in values.get("temperature_external_c", [])), values
    assert values["capacity_ah"] == 66.0, values


with House(chemistry="nmc", cells=14, capacity_ah=66) as house:
    dump = house.folder / "registers.txt"
    dump.write_text(DUMP)
    house.start_broker()
    listener = MqttListener(house, "amphora/#", "homeassistant/#")
    house.start_bms("--registers", dump)
    house.start_gx()
    house.start_box()

    state = house.wait_for_state("the battery on REST", lambda s: s["battery"]["online"] and "cells" in s["battery"]
                                 and s["battery"]["capacity_ah"] == 66.0)
    check_values(state["battery"])
    cells = state["battery"]["cells"]
    assert cells["mv"] == CELLS, cells
    assert (cells["count"], cells["min_mv"], cells["max_mv"], cells["delta_mv"]) == (14, 3980, 3990, 10), cells

    message = wait_for("the battery on MQTT with its settings read", lambda: (
        lambda one: one if one and one.get("capacity_ah") == 66.0 else None)(listener.newest("amphora/test/battery/state")))
    check_values(message)
    assert (message["cell_min_mv"], message["cell_max_mv"], message["cell_count"]) == (3980, 3990, 14), message
    assert wait_for("cells on MQTT", lambda: listener.newest("amphora/test/battery/cells"))["mv"] == CELLS

    socket = WebSocket(house.web_port, "/ws/cells")
    update = socket.receive()
    assert (update["type"], update["cells"], update["min"], update["max"]) == ("cell_update", CELLS, 3980, 3990), update
    socket.close()

    # The limits stay below the cut-offs that this BMS is set to (20 A charge, 60 A discharge).
    limits = house.wait_for_state("limits at their full height", lambda s: s["limits"]["dcl_a"] == 54.0)["limits"]
    assert limits["reasons"]["ccl"][0]["reason"] == "bms_cut_off", limits
    assert limits["ccl_a"] == 18.0 and limits["cvl_v"] == 57.4, limits

    # One discovery message for the battery.
    discovery = [topic for topic, _ in listener.messages if topic.startswith("homeassistant/device/")]
    assert set(discovery) == {"homeassistant/device/amphora_test_battery/config"}, discovery

    settings = {one["register"]: one for one in house.get("/api/v1/bms/settings")["settings"]}
    assert settings[315]["raw"] == 4200 and settings[307]["value"] == 14, settings[315]
    assert "value" not in settings[328], "0xFFFF means that the BMS has taken the value over"
print("REST, MQTT and WebSocket agree on the real device's values")
