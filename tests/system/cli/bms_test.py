# SPDX-License-Identifier: Apache-2.0
"""amphora bms over a real pseudo-terminal: live values of a real device's dump, settings, verified and refused writes."""

import json

from program import REAL_DUMP, emulator, folder, run

with folder() as place:
    link = place / "bms"
    dump = place / "dump.txt"
    dump.write_text(REAL_DUMP)

    with emulator("tinybms", "--pty", link, "--registers", dump) as bms:
        bms.expect(event="ready", link=str(link))

        values = json.loads(run("bms", "read", "--port", link).stdout)
        assert values["cells"]["count"] == 14, values
        assert values["cells"]["mv"][0] == 3980 and values["cells"]["min_mv"] == 3980, values
        assert values["cells"]["max_mv"] == 3990, values
        assert values["voltage_v"] == 55.78 and values["current_a"] == 0, values
        assert round(values["soc_percent"], 2) in (83.55, 83.56), values  # 83.554824, in hundredths
        assert values["temperature_internal_c"] == 9.7 and values["activity"] == "idle", values
        assert values["temperature_external_c"] == [None, None], values

        listed = json.loads(run("bms", "settings", "--port", link, "--json").stdout)["settings"]
        settings = {one["register"]: one for one in listed}
        assert settings[315]["value"] == 4.2 and settings[315]["unit"] == "V", settings[315]
        assert settings[315]["min"] == 1.2 and settings[315]["max"] == 4.5, settings[315]
        assert "value" not in settings[328], settings[328]  # already taken over by the BMS
        table = run("bms", "settings", "--port", link).stdout
        assert "over_voltage_cutoff" in table and "4.2 V" in table and "1.2 to 4.5 V" in table, table

        done = run("bms", "write", "--port", link, "315=4.18", "316=2.95")
        outcomes = {one["register"]: one for one in map(json.loads, done.stdout.splitlines())}
        assert outcomes[315]["result"] == "verified" and outcomes[315]["value"] == 4.18, outcomes
        assert outcomes[316]["result"] == "verified" and outcomes[316]["value"] == 2.95, outcomes
        bms.expect(event="setting_written", register=315, raw=4180)

        refused = run("bms", "write", "--port", link, "315=5.0", "50=1", code=2).stderr
        assert "register 315" in refused and "5.0" in refused and "1.2 to 4.5 V" in refused, refused
        assert "register 50" in refused and "nothing was written" in refused, refused
        # Alone each value is possible, together they break a rule of the BMS: full must stay below the cut-off.
        refused = run("bms", "write", "--port", link, "300=4.18", code=1).stderr
        assert "300" in refused and "315" in refused and "nothing was written" in refused, refused
        listed = json.loads(run("bms", "settings", "--port", link, "--json").stdout)["settings"]
        assert {one["register"]: one for one in listed}[300]["value"] == 4.15

        bms.say("silent")
        bms.expect(event="fault", fault="silent")
        silent = run("bms", "read", "--port", link, "--timeout", 2, code=1).stderr
        assert "does not answer" in silent, silent

    missing = run("bms", "read", "--port", place / "nothing", "--timeout", 1, code=1).stderr
    assert "No such file" in missing, missing
