# SPDX-License-Identifier: Apache-2.0
"""Three packs on a sealed bus, one of them with another key. All have places and hear each other, but settings go only between
those that have the same key; the one with the other key keeps its own, and both sides say why."""

import os
import pathlib
import tempfile

from packs import Packs, wait_for

keys = pathlib.Path(tempfile.mkdtemp(prefix="amphora_keys_"))
for name, digits in (("good", "a1" * 32), ("other", "b2" * 32)):
    (keys / name).write_text(digits + "\n")
    os.chmod(keys / name, 0o600)
LINES = f'mode = "sealed"\ngateway = "00000000000000aa"\nkey_file = "{keys}/good"'

with Packs(0xA1B2C3D40001, 0xA1B2C3D40002, 0xA1B2C3D40003, bus_lines=LINES) as house:
    first, second, stranger = house.packs
    stranger.file.write_text(stranger.file.read_text().replace(f"{keys}/good", f"{keys}/other"))
    house.start()
    house.wait_until_settled()
    assert {pack.packs()["security"] for pack in house.packs} == {"sealed"}
    first.put_modes(eco=True, eco_limit_w=4321)
    wait_for("eco at the second", lambda: "eco" in second.modes()["running"])
    assert second.field("own", "modes", "eco_limit_w") == 4321
    wait_for("the stranger says why", lambda: "settings_not_authentic" in stranger.event_codes())
    assert stranger.modes()["running"] == [], stranger.modes()
    stranger.put_modes(backup=True)
    wait_for("the others say why", lambda: any("settings_not_authentic" in one.event_codes() for one in (first, second)))
    assert first.modes()["running"] == ["eco"] and second.modes()["running"] == ["eco"]
    # With the right key it takes part.
    stranger.stop()
    stranger.file.write_text(stranger.file.read_text().replace(f"{keys}/other", f"{keys}/good"))
    stranger.start()

    def is_equal():
        running = [pack.modes().get("running") for pack in house.packs]
        return None not in running and running[0] == running[1] == running[2]

    wait_for("all equal", is_equal)
    # Which change is the later one nobody can say without the time; that one gave way is told where it was made.
    loser = stranger if first.modes()["running"] == ["eco"] else first
    wait_for("the conflict is told", lambda: {"section_conflict", "section_adopted"} & set(loser.event_codes()))
    wait_for("synchronised", lambda: "amphora_packnet_settings_synchronised 1\n" in first.get("/metrics"))

for file in keys.iterdir():
    file.unlink()
keys.rmdir()
