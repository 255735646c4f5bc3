# SPDX-License-Identifier: Apache-2.0
"""Either box is killed at random, again and again, while settings change at both and readings flow. At the end both hold
the same settings, every reading that the transmitter saw acknowledged is in the receiver's database exactly once, and no
record of either store is torn. With persist_queue no reading is lost at all: there is one stream without a hole, whoever
died. AMPHORA_KILLS: how often (20), and a quarter of that with persist_queue."""

import random

from two_boxes import RECEIVER, TRANSMITTER, TwoBoxes, os, time, wait_for

KILLS = int(os.environ.get("AMPHORA_KILLS", "20"))
SEED = int(os.environ.get("AMPHORA_SEED", "1"))

rng = random.Random(SEED)
saved = 0


def change_something(box, scope):
    """A change that may meet a dying box."""
    global saved
    section, values = rng.choice([
        ("battery", {"charge_current_max_a": rng.randint(10, 90)}),
        ("battery", {"capacity_ah": rng.randint(50, 200)}),
        ("system", {"name": f"Shed {rng.randint(0, 999)}"}),
        ("display", {"fahrenheit": rng.random() < 0.5}),
        ("power_profile", {"discharge_limited": True, "discharge_current_limit_a": rng.randint(5, 50)}),
    ])
    try:
        status, _ = box.put(scope, section, values)
        saved += status == 200
    except (OSError, ValueError):
        pass


def note_acked(transmitter, receiver, acked_seen):
    """Readings are acknowledged when they are durable, so what counts here must be there for ever."""
    try:
        acked = transmitter.peer()["queue"]["acked"]
        epochs = receiver.rows("SELECT epoch FROM link_readings ORDER BY id DESC LIMIT 1")
    except (OSError, ValueError, TypeError, KeyError):
        return
    if epochs:
        held = receiver.rows("SELECT count(*) FROM link_readings WHERE epoch=?", epochs[0][0])[0][0]
        # Read after the transmitter was asked, so the database may only hold more.
        assert held >= acked, f"{acked} readings acknowledged, {held} stored"
        acked_seen[epochs[0][0]] = max(acked_seen.get(epochs[0][0], 0), acked)


def run(two, kills):
    acked_seen = {}  # epoch: how many of its readings the transmitter said were acknowledged
    damaged = []
    transmitter, receiver = two.transmitter, two.receiver
    two.start()
    two.wait_until_linked()
    began = time.monotonic()
    for number in range(kills):
        until = time.monotonic() + rng.uniform(0.05, 1.2)
        while time.monotonic() < until:
            change_something(*rng.choice([(transmitter, "own"), (receiver, TRANSMITTER)]))
            time.sleep(rng.uniform(0, 0.05))
        note_acked(transmitter, receiver, acked_seen)
        victim = rng.choice(two.boxes)
        victim.kill()
        victim.start()
        damaged += [code for code in victim.event_codes() if code in ("section_damaged", "stored_record_ignored")]
        if rng.random() < 0.5:
            two.wait_until_linked()
            note_acked(transmitter, receiver, acked_seen)
    two.wait_until_linked()
    took = time.monotonic() - began

    def contents(box, scope):
        return {name: (one["version"], one.get("changed_at"), one.get("origin"),
                       [field.get("value") for field in one["fields"]])
                for name, one in box.sections(scope).items()}

    wait_for("both to hold the same", lambda: contents(transmitter, "own") == contents(receiver, TRANSMITTER))
    wait_for("the queue to be empty", lambda: transmitter.peer()["queue"]["size"] <= 2)
    note_acked(transmitter, receiver, acked_seen)
    assert saved > 0 and acked_seen, "nothing happened"
    assert not damaged, damaged

    # Once each, without a hole: of one epoch the sequences stand side by side, but for what a dying transmitter took
    # with it, which is at the end of its epoch.
    for epoch, count, first, last in receiver.rows(
            "SELECT epoch, count(*), min(sequence), max(sequence) FROM link_readings GROUP BY epoch"):
        assert count == last - first + 1, f"epoch {epoch}: {count} readings from {first} to {last}"
        assert count >= acked_seen.get(epoch, 0), f"epoch {epoch}: {acked_seen[epoch]} acknowledged, {count} stored"
    for box in two.boxes:
        assert box.rows("PRAGMA integrity_check") == [("ok",)]
    peer = transmitter.peer()
    print(f"{kills} kills in {took:.0f} s: {saved} changes saved, {len(acked_seen)} streams, "
          f"{receiver.rows('SELECT count(*) FROM link_readings')[0][0]} readings stored, "
          f"queue {peer['queue']['acked']} acked of {peer['queue']['added']} added; both equal ({peer['node']} = {RECEIVER})")
    return len(receiver.rows("SELECT DISTINCT epoch FROM link_readings"))


with TwoBoxes(reading_interval_ms=100) as two:
    run(two, KILLS)

with TwoBoxes(reading_interval_ms=100, extra="persist_queue = true\n") as two:
    streams = run(two, max(KILLS // 4, 5))
    assert streams == 1, f"{streams} streams"
