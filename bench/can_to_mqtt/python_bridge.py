# SPDX-License-Identifier: Apache-2.0
"""The usual bridge: python-can in, struct, json.dumps, paho-mqtt out. Arguments: GROUP PORT MQTT_PORT QOS. Until SIGTERM."""

import json
import struct
import sys

import can
import paho.mqtt.client as mqtt

group, port, mqtt_port, qos = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
client = mqtt.Client()
client.max_inflight_messages_set(20)
client.connect("127.0.0.1", mqtt_port)
client.loop_start()
bus = can.Bus(interface="udp_multicast", channel=group, port=port, fd=False)
while True:
    message = bus.recv(1.0)
    if message is None:
        continue
    number, data = message.arbitration_id, message.data
    if number == 0x351:
        cvl, ccl, dcl, dvl = struct.unpack("<HhhH", data)
        values = {"name": "limits", "cvl_v": cvl / 10, "ccl_a": ccl / 10, "dcl_a": dcl / 10, "dvl_v": dvl / 10}
    elif number == 0x355:
        soc, soh, fine = struct.unpack("<HHH", data)
        values = {"name": "charge", "soc_percent": soc, "soh_percent": soh, "soc_hires_percent": fine / 100}
    elif number == 0x356:
        voltage, current, temperature = struct.unpack("<hhh", data)
        values = {"name": "measurements", "voltage_v": voltage / 100, "current_a": current / 10,
                  "temperature_c": temperature / 10}
    elif number == 0x373:
        low, high, cold, warm = struct.unpack("<HHHH", data)
        values = {"name": "cell_extremes", "cell_min_v": low / 1000, "cell_max_v": high / 1000,
                  "temperature_min_c": cold - 273, "temperature_max_c": warm - 273}
    else:
        continue
    client.publish("bench/frame", json.dumps({"id": f"0x{number:03X}", **values}), qos=qos)
