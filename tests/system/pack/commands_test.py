# SPDX-License-Identifier: Apache-2.0
"""amphora packs against three real packs on a sealed bus: the list, a mode at all of them, a pack that was killed and
comes back, another key, and a second gateway with a lower hardware number."""

import json
import os
import signal
import subprocess

from packs import AMPHORA, Packs, wait_for

GATEWAY = "00000000000000aa"


def amphora(*arguments, code=0):
    done = subprocess.run([AMPHORA, "packs", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


with Packs(0xA1B2C3D40001, 0xA1B2C3D40002, 0xA1B2C3D40003) as house:
    for name, digits in (("good", "a1" * 32), ("other", "b2" * 32)):
        (house.folder / name).write_text(digits + "\n")
        os.chmod(house.folder / name, 0o600)
    for pack in house.packs:
        lines = f'mode = "sealed"\ngateway = "{GATEWAY}"\nkey_file = "{house.folder}/good"'
        pack.file.write_text(pack.file.read_text().replace('mode = "plain"', lines))
    house.start()
    nodes = house.wait_until_settled()

    def command(*words, key="good", code=0, hardware=GATEWAY):
        return amphora("--can", house.bus, "command", *words, "--json", "--key-file", house.folder / key, "--hardware",
                       hardware, "--state", house.folder / "state", code=code)

    seen = amphora("--can", house.bus, "list", "--json")[0]
    assert sorted(node["node"] for node in seen["nodes"]) == sorted(nodes), seen
    assert seen["master"] == house.packs[0].packs()["master"], seen
    assert all(node["soc_percent"] > 0 and node["voltage_v"] > 40 for node in seen["nodes"]), seen

    answers = command("set_mode", "backup", "on")
    assert sorted(answer["node"] for answer in answers) == sorted(nodes) and {a["outcome"] for a in answers} == {"done"}, answers
    for pack in house.packs:
        wait_for("backup at all", lambda pack=pack: "backup" in pack.modes()["running"])
    # A mode holds the grid's relay; another may be worked at one pack alone.
    refused = command("set_relay", "grid", "off", "--to", nodes[0], code=1)
    assert [answer["result"] for answer in refused] == ["not_allowed"], refused
    assert command("set_relay", "pool_pump", "off", "5", "--to", nodes[1])[0]["outcome"] == "done"
    wait_for("the pump is off", lambda: house.packs[1].relay("pool_pump")["commanded"] == "open")
    assert house.packs[2].relay("pool_pump")["commanded"] == "closed"

    # A pack that was killed goes on from its stored floor, and takes the next command at the first try of a person.
    house.packs[0].kill()
    house.packs[0].start()
    house.wait_until_settled()
    answers = command("set_value", "soc_low", "22.5")
    assert len(answers) == 3 and {answer["outcome"] for answer in answers} == {"done"}, answers
    wait_for("the value", lambda: house.packs[0].field("own", "modes", "soc_low_percent") == 22.5)

    answers = command("identify", key="other", code=1)
    assert {answer["result"] for answer in answers} == {"not_authentic"}, answers
    assert house.packs[0].packs()["commands"]["not_authentic"] > 0

    # While a gateway with a lower number is there nobody else commands. A command to nobody keeps it busy.
    lower = subprocess.Popen([AMPHORA, "packs", "--can", house.bus, "command", "identify", "--plain", "--to", "99",
                              "--hardware", "0000000000000001", "--state", str(house.folder / "state"), "--seconds", "30"])
    try:
        command("identify", code=1)
        assert house.packs[0].packs()["commands"]["accepted"] > 0
    finally:
        lower.send_signal(signal.SIGTERM)
        lower.wait(timeout=60)
    assert command("identify", "0")[0]["outcome"] == "done"
