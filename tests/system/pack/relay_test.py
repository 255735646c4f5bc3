# SPDX-License-Identifier: Apache-2.0
"""A relay whose line does not exist: its fault is told, the pack goes on with the others, and the process that holds the lines
is started again when somebody kills it. It ends with its program, however that ends."""

import contextlib
import os
import pathlib
import signal

from packs import Pack, wait_for
from house import House


def guards(parent):
    """Process ids of the guards that this program has started."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            status = (entry / "status").read_text()
            if b"relay-guard" in words and f"PPid:\t{parent}\n" in status:
                found.append(int(entry.name))
    return found


def is_there(pid):
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


with House() as home, contextlib.ExitStack() as exits:
    (home.folder / "web").mkdir()
    pack = Pack(home.folder, "pack", "", 0xA1B2C3D40001)
    text = pack.file.read_text().replace('pool_pump = "virtual"', 'pool_pump = "gpio:gpiochip_of_nobody/3"')
    pack.file.write_text(text)
    exits.callback(pack.stop)
    pack.start_bms()
    exits.callback(lambda: pack.bms.stop())
    pack.start()
    wait_for("the grid's relay", lambda: pack.relay("grid").get("measured") == "closed")
    wait_for("the pump's fault", lambda: pack.relay("pool_pump").get("error"))
    assert "measured" not in pack.relay("pool_pump"), pack.relay("pool_pump")
    wait_for("an event", lambda: "relay_failed" in pack.event_codes())
    first = wait_for("the guard", lambda: guards(pack.process.child.pid))[0]
    os.kill(first, signal.SIGKILL)
    second = wait_for("another guard", lambda: [one for one in guards(pack.process.child.pid) if one != first])[0]
    wait_for("its loss is counted", lambda: "amphora_relay_guard_losses_total 1" in pack.get("/metrics"))
    assert pack.relay("grid")["measured"] == "closed"
    pack.kill()
    wait_for("the guard ends as well", lambda: not is_there(second))
    pack.process = None
