# SPDX-License-Identifier: Apache-2.0
"""A stored record that is damaged, or a store that is gone, never stops a box: it is told, left out, and the other box
brings it back. Defaults and the configuration file never win against a change that somebody has made. A disk that is
full is told, and nothing counts as saved that is not."""

import contextlib
import shutil
import sqlite3

from two_boxes import RECEIVER, TRANSMITTER, TwoBoxes, wait_for


def execute(box, sql):
    """By hand, on the database of a box that does not run."""
    with contextlib.closing(sqlite3.connect(box.data / "amphora.db")) as db:
        db.execute(sql)
        db.commit()


with TwoBoxes() as two:
    transmitter, receiver = two.transmitter, two.receiver
    two.start()
    two.wait_until_linked()
    wait_for("the section", lambda: receiver.field(TRANSMITTER, "battery", "charge_current_max_a") == 50)
    status, body = receiver.put(TRANSMITTER, "battery", {"charge_current_max_a": 33})
    assert status == 200, body
    wait_for("the change", lambda: transmitter.field("own", "battery", "charge_current_max_a") == 33)
    version = transmitter.sections("own")["battery"]["version"]

    # A bit of the record flips while the box is off (section 3 is the battery).
    for box, scope, name in ((transmitter, "own", "state.own.3"), (receiver, TRANSMITTER, f"state.{TRANSMITTER}.3")):
        box.stop()
        execute(box, f"UPDATE sections SET content = replace(content, '1', '2') WHERE name = '{name}'")
        box.start()
        wait_for("the event", lambda box=box: "section_damaged" in box.event_codes())
        two.wait_until_linked()
        wait_for("the settings to come back", lambda box=box, scope=scope: box.field(
            scope, "battery", "charge_current_max_a") == 33)
        assert box.sections(scope)["battery"]["version"] == version
    wait_for("the limit in force", lambda: transmitter.state()["limits"].get("ccl_a", 99) <= 33)

    # A record that nobody can read, with a good checksum, is a mistake of ours or of somebody's hands: the same.
    transmitter.stop()
    execute(transmitter, "DELETE FROM sections WHERE name = 'state.own.3'")
    transmitter.start()
    two.wait_until_linked()
    wait_for("the settings to come back", lambda: transmitter.field("own", "battery", "charge_current_max_a") == 33)

    # All of the transmitter's memory is gone but the key: the file's values do not win against what was changed.
    transmitter.stop()
    key = transmitter.rows("SELECT content FROM sections WHERE name = ?", f"link.key.{RECEIVER}")
    assert key
    execute(transmitter, "DELETE FROM sections WHERE name LIKE 'state.%'")
    transmitter.start()
    two.wait_until_linked()
    wait_for("the change to come back", lambda: transmitter.field("own", "battery", "charge_current_max_a") == 33)
    assert receiver.field(TRANSMITTER, "battery", "charge_current_max_a") == 33

    # The receiver's memory is gone: it gets everything again, and no reading is stored twice.
    receiver.stop()
    shutil.copy(receiver.data / "amphora.db", two.folder / "kept.db")
    execute(receiver, f"DELETE FROM sections WHERE name LIKE 'state.{TRANSMITTER}.%'")
    receiver.start()
    two.wait_until_linked()
    wait_for("the change to come back", lambda: receiver.field(TRANSMITTER, "battery", "charge_current_max_a") == 33)
    double = receiver.rows("SELECT peer, epoch, sequence FROM link_readings GROUP BY 1, 2, 3 HAVING count(*) > 1")
    assert not double, double
