# SPDX-License-Identifier: Apache-2.0
"""A house for tests: an emulated BMS on a pseudo-terminal, the box, a GX, and a broker, each a real process.

Standard library only. Every wait has a bound that detects hangs; no test depends on how fast something is.
"""

import base64
import contextlib
import getpass
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

AMPHORA = os.environ.get("AMPHORA", "build/bin/amphora")
PATIENCE = 60.0  # seconds; a bound for hangs


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, patience=PATIENCE):
    """The first true value of condition(), or an assertion that names what was waited for."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {patience:g} s for: {what}")


class Process:
    """A child with its output in a file, stopped by its process id."""

    def __init__(self, folder, name, arguments, stdin=None):
        self.name = name
        self.log = folder / f"{name}.log"
        self.out = folder / f"{name}.out"
        self._log_file = open(self.log, "ab")
        self._out_file = open(self.out, "ab")
        self.child = subprocess.Popen(
            arguments, stdin=stdin or subprocess.DEVNULL, stdout=self._out_file, stderr=self._log_file
        )

    def is_running(self):
        return self.child.poll() is None

    def say(self, line):
        self.child.stdin.write((line + "\n").encode())
        self.child.stdin.flush()

    def send_signal(self, number):
        self.child.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        if self.is_running():
            self.child.send_signal(number)
        try:
            code = self.child.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end after signal {number}")
        self._log_file.close()
        self._out_file.close()
        return code


class MqttListener:
    """mosquitto_sub in the background; messages as (topic, text) in order of arrival."""

    def __init__(self, house, *filters, session=None):
        arguments = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(house.mqtt_port), "-q", "1", "-v"]
        if session:
            arguments += ["-c", "-i", session]
        for one in filters:
            arguments += ["-t", one]
        self.messages = []
        self.child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        house.on_exit(self.stop)

    def _read(self):
        for line in self.child.stdout:
            topic, _, text = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
            self.messages.append((topic, text))

    def texts(self, topic):
        return [text for one, text in list(self.messages) if one == topic]

    def newest(self, topic):
        texts = self.texts(topic)
        return json.loads(texts[-1]) if texts else None

    def stop(self):
        self.child.terminate()
        self.child.wait()


class WebSocket:
    """A minimal WebSocket client (RFC 6455) for text messages."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        assert b" 101 " in head.split(b"\r\n")[0], head
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert base64.b64encode(accept) in head, head

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        self.buffer += data

    def _take(self, size):
        while len(self.buffer) < size:
            self._fill()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def receive(self):
        """The next text message as JSON; pings are skipped (the server forgives a slow pong)."""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._take(8))
            payload = self._take(size)
            if first & 0x0F == 1:
                return json.loads(payload)

    def close(self):
        self.socket.close()


class House:
    """Use as a context manager; everything started is stopped at its end, and logs are shown after a failure."""

    def __init__(self, chemistry="lfp", cells=16, capacity_ah=100):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="amphora-test-"))
        self.pty = self.folder / "bms"
        self.mqtt_port = free_port()
        self.web_port = free_port()
        # A group and port of its own for each house, so that tests may run side by side.
        number = free_port(socket.SOCK_DGRAM)
        self.can = f"udp://239.74.{number >> 8}.{number & 255}:{number}"
        self.data = self.folder / "data"
        self.config_file = self.folder / "box.toml"
        self.profile = {
            "chemistry": chemistry,
            "series_cells": cells,
            "capacity_ah": capacity_ah,
            "charge_current_max_a": 50,
            "discharge_current_max_a": 100,
        }
        self.extra = ""
        self.processes = {}
        self._exits = []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for function in reversed(self._exits):
            with contextlib.suppress(Exception):
                function()
        for process in reversed(list(self.processes.values())):
            with contextlib.suppress(Exception):
                process.stop()
        if kind is not None:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}", file=sys.stderr)
                print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def on_exit(self, function):
        self._exits.append(function)

    def start(self, name, arguments, stdin=None):
        process = Process(self.folder, name, [str(one) for one in arguments], stdin)
        self.processes[name] = process
        return process

    def start_bms(self, *arguments):
        process = self.start("bms", [AMPHORA, "emulate", "tinybms", "--pty", self.pty, *arguments], subprocess.PIPE)
        wait_for("the pseudo-terminal of the BMS", lambda: self.pty.exists() or not process.is_running())
        assert process.is_running(), process.log.read_text()
        return process

    def start_gx(self):
        return self.start("gx", [AMPHORA, "emulate", "gx", "--can", self.can], subprocess.PIPE)

    def start_broker(self, extra=""):
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\n"
            f"persistence true\npersistence_location {self.folder}/\n{extra}"
            # As root it would become another user, who may not write there.
            f"user {getpass.getuser()}\n"
        )
        mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        process = self.start("mosquitto", [mosquitto, "-c", config])
        wait_for("the broker", lambda: can_connect(self.mqtt_port))
        return process

    def write_config(self):
        profile = "\n".join(f"{key} = {json.dumps(value)}" for key, value in self.profile.items())
        web_root = pathlib.Path("web/dist").resolve()
        self.config_file.write_text(
            f"""role = "bms-gateway"
name = "Test house"
site = "test"
[bms]
driver = "tinybms"
port = "{self.pty}"
[battery]
{profile}
[inverter]
protocol = "victron"
interface = "{self.can}"
[mqtt]
enabled = true
port = {self.mqtt_port}
reading_interval_s = 1
[web]
listen = "127.0.0.1:{self.web_port}"
root = "{web_root}"
login = "none"
[storage]
path = "{self.data}"
{self.extra}
"""
        )

    def start_box(self):
        self.write_config()
        process = self.start("box", [AMPHORA, "run", self.config_file])
        wait_for("the web server", lambda: can_connect(self.web_port) or not process.is_running())
        assert process.is_running(), process.log.read_text()
        return process

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=PATIENCE * 2)
        send = dict(headers or {})
        if body is not None:
            send["Content-Type"] = "application/json"
            send.setdefault("X-Amphora-CSRF", self.csrf())
            body = json.dumps(body)
        connection.request(method, path, body, send)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(text) if is_json else text.decode("utf-8", "replace")

    def csrf(self):
        _, session = self.request("GET", "/api/v1/session")
        return session["csrf"]

    def get(self, path):
        status, body = self.request("GET", path)
        assert status == 200, (path, status, body)
        return body

    def state(self):
        return self.get("/api/v1/state")

    def wait_for_state(self, what, condition, patience=PATIENCE):
        def check():
            state = self.state()
            try:
                return state if condition(state) else None
            except KeyError:
                return None

        return wait_for(what, check, patience)

    def events(self, **query):
        text = "&".join(f"{key}={value}" for key, value in query.items())
        return self.get(f"/api/v1/events?limit=1000&{text}")["events"]

    def wait_for_event(self, code, patience=PATIENCE):
        return wait_for(
            f"event {code}", lambda: next((one for one in self.events() if one["code"] == code), None), patience
        )


def can_connect(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
