# SPDX-License-Identifier: Apache-2.0
"""A transmitter with an emulated battery and a receiver, each a real process, and the air between them.

Built on the house of the other system tests. Standard library only; every wait has a bound that detects hangs, no test
depends on how fast something is.
"""

import contextlib
import http.client
import json
import os
import pathlib
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "box"))

from house import AMPHORA, PATIENCE, Process, can_connect, free_port, wait_for  # noqa: E402

TRANSMITTER = "02:00:00:00:00:01"
RECEIVER = "02:00:00:00:00:02"
PROFILE = """chemistry = "lfp"
series_cells = 16
capacity_ah = 100
charge_current_max_a = 50
discharge_current_max_a = 100
"""


class Box:
    """One box: its configuration, its process, its HTTP interface."""

    def __init__(self, folder, name, text):
        self.folder = folder
        self.name = name
        self.port = free_port()
        self.data = folder / name
        self.file = folder / f"{name}.toml"
        self.file.write_text(
            text
            + f'\n[web]\nlisten = "127.0.0.1:{self.port}"\nroot = "{folder}/web"\nlogin = "none"\n'
            + f'[storage]\npath = "{self.data}"\n'
        )
        self.process = None

    def start(self):
        self.process = Process(self.folder, self.name, [AMPHORA, "run", str(self.file)])
        wait_for(f"{self.name}'s web server", lambda: can_connect(self.port) or not self.process.is_running())
        assert self.process.is_running(), self.process.log.read_text()

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            headers = {}
            if body is not None:
                connection.request("GET", "/api/v1/session")
                headers = {
                    "Content-Type": "application/json",
                    "X-Amphora-CSRF": json.loads(connection.getresponse().read())["csrf"],
                }
                body = json.dumps(body)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return response.status, json.loads(text) if is_json else text.decode("utf-8", "replace")
        finally:
            connection.close()

    def get(self, path):
        status, body = self.request("GET", path)
        assert status == 200, (self.name, path, status, body)
        return body

    def state(self):
        return self.get("/api/v1/state")

    def peer(self):
        """The first peer of the link, or nothing."""
        peers = self.state().get("link", {}).get("peers", [])
        return peers[0] if peers else None

    def is_connected(self):
        peer = self.peer()
        return peer is not None and peer["state"] == "connected" and peer["has_session"]

    def sections(self, scope):
        """The sections of a scope by name."""
        for one in self.get("/api/v1/sections")["scopes"]:
            if one["scope"] == scope:
                return {section["name"]: section for section in one["sections"]}
        return {}

    def field(self, scope, section, name):
        fields = self.sections(scope).get(section, {}).get("fields", [])
        return next((field.get("value") for field in fields if field["name"] == name), None)

    def put(self, scope, section, values):
        return self.request("PUT", "/api/v1/sections", {"scope": scope, "section": section, "values": values})

    def event_codes(self):
        return [event["code"] for event in self.get("/api/v1/events?limit=1000")["events"]]

    def rows(self, sql, *values):
        """What the box's database says, read beside it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/amphora.db?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(sql, values).fetchall()


class TwoBoxes:
    def __init__(self, mode="sealed", is_paired=True, channel=6, loss=0.0, reading_interval_ms=200, extra=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="amphora_link_"))
        (self.folder / "web").mkdir()
        self.air_port = free_port(socket.SOCK_DGRAM)
        self.pty = self.folder / "bms"
        self.loss = loss
        self.processes = []
        self.listeners = []  # children that only listen: ended with the rest
        radio = f'[radio]\nmode = "{mode}"\ninterface = "air://127.0.0.1:{self.air_port}?mac='
        self.transmitter = Box(
            self.folder,
            "transmitter",
            f'role = "transmitter"\nname = "Shed"\nsite = "shed"\n[bms]\nport = "{self.pty}"\npoll_interval_ms = 100\n'
            f"[battery]\n{PROFILE}[mqtt]\nenabled = false\n{radio}{TRANSMITTER}\"\n"
            f"reading_interval_ms = {reading_interval_ms}\ncells_per_second = 10\n{extra}",
        )
        self.receiver = Box(
            self.folder, "receiver", f'role = "receiver"\nname = "Hall"\n{radio}{RECEIVER}"\nchannel = {channel}\n'
        )
        self.boxes = [self.transmitter, self.receiver]
        if mode == "sealed" and is_paired:
            self.pair_by_hand()

    def pair_by_hand(self):
        """As pairing would leave it: the same key at both, in their databases."""
        key = secrets.token_hex(32)
        for box, peer in ((self.transmitter, RECEIVER), (self.receiver, TRANSMITTER)):
            subprocess.run([AMPHORA, "pair", "key", "--data", str(box.data), "--node", peer], input=key, text=True,
                           check=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for box in self.boxes:
            with contextlib.suppress(Exception):
                box.stop()
        for child in self.listeners:
            child.kill()
            child.wait()
        for process in reversed(self.processes):
            with contextlib.suppress(Exception):
                process.stop()
        if kind is not None:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}", file=sys.stderr)
                print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_air(self):
        arguments = [AMPHORA, "emulate", "air", "--listen", f"127.0.0.1:{self.air_port}", "--loss", str(self.loss)]
        self.processes.append(Process(self.folder, "air", arguments, subprocess.PIPE))

    def start_bms(self):
        self.processes.append(
            Process(self.folder, "bms", [AMPHORA, "emulate", "tinybms", "--pty", str(self.pty)], subprocess.PIPE)
        )
        wait_for("the pseudo-terminal of the BMS", self.pty.exists)

    def start(self):
        self.start_air()
        self.start_bms()
        for box in self.boxes:
            box.start()

    def wait_until_linked(self):
        for box in self.boxes:
            wait_for(f"{box.name} to be connected", box.is_connected)


def median(values):
    return sorted(values)[len(values) // 2]


__all__ = ["AMPHORA", "RECEIVER", "TRANSMITTER", "Process", "TwoBoxes", "can_connect", "free_port", "median", "os", "time",
           "wait_for"]
