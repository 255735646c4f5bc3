# SPDX-License-Identifier: Apache-2.0
"""A pack alone takes the power of its house from MQTT and says there what its house takes and where its relays are. A message
that cannot be used changes nothing and is told once; a value that is not renewed becomes unknown. Home Assistant gets the
battery under the pack's own name. Only its owner may order it."""

import contextlib
import json
import subprocess

from packs import Pack, Packs, free_port, wait_for  # noqa: F401  (packs sets the path for the next)

from house import House, MqttListener


class Home(House):
    """Only its broker is used."""

    def publish(self, topic, text):
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.mqtt_port), "-t", topic, "-m", text], check=True)


with Home() as home, contextlib.ExitStack() as exits:
    home.start_broker()
    (home.folder / "web").mkdir()
    pack = Pack(
        home.folder, "Pack Cellar", "", 0xA1B2C3D40001,
        extra='[inputs]\ngrid = "mqtt:house/meter?unit=kw&field=total.power"\ninverter_output = "mqtt:house/home"\n'
              f'pool_pump = "mqtt:house/pump?unit=a"\n[mqtt]\nenabled = true\nport = {home.mqtt_port}\nreading_interval_s = 1',
    )
    exits.callback(pack.stop)
    listener = MqttListener(home, "amphora/test/#", "homeassistant/#")
    pack.start_bms()
    exits.callback(lambda: pack.bms.stop())
    pack.start()
    wait_for("the broker is connected", lambda: pack.state().get("mqtt", {}).get("connected"))
    wait_for("the battery", lambda: pack.state().get("battery", {}).get("online"))
    state = pack.state()
    assert state["packs"]["claim"] == "off" and "bus" not in state["packs"], state["packs"]
    assert "grid_w" not in state["energy"] and "home_w" not in state["energy"], state["energy"]

    def told():
        home.publish("house/meter", '{"total":{"power":-0.75}}')
        home.publish("house/home", "500")
        home.publish("house/pump", "2.5")
        energy = pack.state()["energy"]
        return energy if "solar_w" in energy else None

    energy = wait_for("the balance", told)
    assert energy["grid_w"] == -750 and energy["home_w"] == 500, energy
    assert energy["solar_w"] == max(0, 500 + energy["battery_w"] + 750), energy
    pump = next(one for one in energy["loads"] if one["name"] == "pool_pump")
    assert pump["power_w"] == 550, pump  # 2.5 A at 220 V

    prefix = "amphora/test/pack_cellar"
    message = wait_for("its own words", lambda: (lambda one: one if one and "grid_w" in one else None)(listener.newest(f"{prefix}/pack")))
    assert message["relays"] == {"grid": "closed", "inverter_output": "closed", "pool_pump": "closed"}, message
    assert message["grid_w"] == -750 and message["modes"] == [], message
    assert message["may_charge"] is True and message["may_discharge"] is True, message
    wait_for("the battery's state", lambda: (listener.newest(f"{prefix}/battery/state") or {}).get("voltage_v"))
    wait_for("a reading", lambda: listener.newest(f"{prefix}/battery/reading"))
    assert listener.texts(f"{prefix}/status")[-1] == "online"
    found = wait_for("discovery", lambda: listener.newest("homeassistant/device/amphora_test_pack_cellar_battery/config"))
    assert found["stat_t"] == f"{prefix}/battery/state" and "ccl_a" not in found["cmps"], found

    # A switch is told at once, not at the next beat.
    assert pack.request("POST", "/api/v1/relay", {"relay": "pool_pump", "order": "open", "minutes": 1}) == (200, {})
    wait_for("the switch is told", lambda: listener.newest(f"{prefix}/pack")["relays"]["pool_pump"] == "open")

    # What cannot be used is told once; what is not renewed is unknown.
    for _ in range(3):
        home.publish("house/home", "much")
    wait_for("an event", lambda: "mqtt_input_bad" in pack.event_codes())
    wait_for("the home is unknown", lambda: "home_w" not in pack.state()["energy"])
    assert "solar_w" not in pack.state()["energy"]
    home.publish("house/home", "501")
    wait_for("an event that it works", lambda: "mqtt_input_works" in pack.event_codes())
    assert pack.event_codes().count("mqtt_input_bad") == 1
    pack.stop()
    wait_for("the will", lambda: listener.texts(f"{prefix}/status")[-1] == "offline")
