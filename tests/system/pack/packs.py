# SPDX-License-Identifier: Apache-2.0
"""Packs on one virtual bus, each a real process with an emulated Modbus BMS behind a pseudo-terminal.

Built on the boxes of the other system tests. Standard library only; every wait has a bound that detects hangs, no test
depends on how fast something is.
"""

import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "link"))

from two_boxes import AMPHORA, Box, Process, free_port, wait_for  # noqa: E402


class Pack(Box):
    """`hardware`: the number of the pack on the bus; its lower seven bits are the place it asks for first."""

    def __init__(self, folder, name, bus, hardware, bus_lines='mode = "plain"', extra=""):
        self.pty = folder / f"{name}_bms"
        self.bms = None
        super().__init__(
            folder,
            name,
            f'role = "pack"\nname = "{name}"\nsite = "test"\n'
            f'[bms]\nport = "{self.pty}"\nprofile = "full"\npoll_interval_ms = 500\nstale_after_s = 3\n'
            '[battery]\nchemistry = "lfp"\nseries_cells = 16\ncapacity_ah = 100\n'
            '[relays]\ngrid = "virtual"\ninverter_output = "virtual"\npool_pump = "virtual"\n'
            "on_min_s = 0\noff_min_s = 0\nload_on_min_s = 0\nload_off_min_s = 0\nswitches_per_hour = 60\n"
            f'[bus]\ninterface = "{bus}"\nhardware = "{hardware:016x}"\n{bus_lines}\n'
            f"{extra if '[mqtt]' in extra else extra + chr(10) + '[mqtt]' + chr(10) + 'enabled = false'}\n",
        )

    def start_bms(self):
        self.bms = Process(self.folder, f"{self.name}_bms", [AMPHORA, "emulate", "modbus-bms", "--pty", str(self.pty)],
                           subprocess.PIPE)
        wait_for("the pseudo-terminal of the BMS", lambda: self.pty.exists() or not self.bms.is_running())
        assert self.bms.is_running(), self.bms.log.read_text()

    def kill_bms(self):
        self.bms.child.kill()
        self.bms.child.wait()
        self.bms = None

    def packs(self):
        return self.state().get("packs", {})

    def modes(self):
        return self.state().get("modes", {})

    def relay(self, name):
        return next((one for one in self.modes().get("relays", []) if one["name"] == name), {})

    def is_claimed(self):
        return self.packs().get("claim") == "claimed"

    def others(self):
        return [one["node"] for one in self.packs().get("nodes", []) if not one["is_self"]]

    def put_modes(self, **values):
        status, body = self.put("own", "modes", values)
        assert status == 200, (status, body)
        return body


class Packs:
    """Use as a context manager; everything started is stopped at its end, and logs are shown after a failure."""

    def __init__(self, *hardware, **options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="amphora_packs_"))
        (self.folder / "web").mkdir()
        number = free_port(socket.SOCK_DGRAM)
        self.bus = f"udp://239.74.{number >> 8}.{number & 255}:{number}"
        self.packs = [Pack(self.folder, f"pack{i + 1}", self.bus, one, **options) for i, one in enumerate(hardware)]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for pack in self.packs:
            with contextlib.suppress(Exception):
                pack.stop()
            with contextlib.suppress(Exception):
                pack.bms.stop()
        if kind is not None:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}", file=sys.stderr)
                print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
            for pack in self.packs:
                with contextlib.suppress(Exception):
                    print(json.dumps(pack.state(), indent=1), file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        for pack in self.packs:
            pack.start_bms()
        for pack in self.packs:
            pack.start()

    def wait_until_settled(self):
        """All have places of their own, hear each other and agree on one master."""

        def is_settled():
            states = [pack.packs() for pack in self.packs]
            nodes = {one.get("node") for one in states}
            return (
                None not in nodes
                and len(nodes) == len(states)
                and all(one["claim"] == "claimed" for one in states)
                and len({one.get("master") for one in states}) == 1
                and sum(one["is_master"] for one in states) == 1
                and all(set(pack.others()) | {one["node"]} == nodes for pack, one in zip(self.packs, states))
            )

        wait_for("all packs settled", is_settled)
        return [pack.packs()["node"] for pack in self.packs]
