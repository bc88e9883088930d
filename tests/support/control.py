"""A daemon with a control socket, and what talks to it."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosted import Host
from process import Process

WAIT = """
    import asyncio
    print("ready", flush=True)
    await asyncio.Event().wait()
"""


def wait_until(condition: Callable[[], bool], deadline_s: float = 20.0) -> None:
    """Asks again and again: a round trip to the daemon each time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it does not come true"


class Client:
    """One connection. Every wait has a deadline."""

    def __init__(self, path: Path, deadline_s: float = 20.0) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        # Blocking, as connect() would not wait for its turn otherwise.
        limit = struct.pack("@ll", int(deadline_s), 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self.socket.connect(str(path))
        self.socket.settimeout(deadline_s)
        self.rest = b""

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self, end: bytes = b"\n") -> bytes | None:
        """The next line, or None at the end."""
        while end not in self.rest:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.rest += more
        line, _, self.rest = self.rest.partition(end)
        return line

    def receive(self) -> dict:
        line = self.line()
        assert line is not None, "the daemon has closed the connection"
        return json.loads(line)

    def ask(self, command: str, **more) -> dict:
        """The whole answer."""
        self.write(json.dumps({"command": command, **more}).encode() + b"\n")
        return self.receive()

    def get(self, command: str, **more) -> dict:
        """The result of what succeeds."""
        answer = self.ask(command, **more)
        assert answer["ok"], answer
        return answer["result"]

    def refused(self, command: str, **more) -> str:
        """The code of the error."""
        answer = self.ask(command, **more)
        assert not answer["ok"], answer
        return answer["error"]["code"]

    def close(self) -> None:
        self.socket.close()


def connect_soon(path: Path, deadline_s: float = 20.0) -> Client:
    """To a daemon that may not have its socket yet."""
    end = time.monotonic() + deadline_s
    while True:
        try:
            return Client(path, deadline_s)
        except OSError:
            assert time.monotonic() < end, "there is no control socket"
            time.sleep(0.01)


class Controlled:
    """Starts a daemon, and connects to it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.folder = host.folder
        self.path = host.folder / "control.sock"
        self.clients: list[Client] = []

    def start(
        self,
        text: str = WAIT,
        *,
        devices: tuple[str, ...] = ("bus=virtual:can",),
        config: str = "",
        words: tuple[str, ...] = (),
        ready: str | None = "ready",
        deadline_s: float = 60.0,
        **more,
    ) -> Process:
        """The process, once it has printed `ready`."""
        arguments: list[object] = ["run", "-q", "--socket", self.path, *words]
        if config:
            arguments += ["-c", self.host.write("control.yaml", config)]
        for device in devices:
            arguments += ["-d", device]
        arguments.append(self.host.write("script.py", text))
        process = self.host._run_daemon(
            *arguments, deadline_s=deadline_s, **more
        )
        if ready is not None:
            process.line(ready)
        return process

    def connect(self) -> Client:
        self.clients.append(Client(self.path))
        return self.clients[-1]

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture
def control(host) -> Controlled:
    controlled = Controlled(host)
    yield controlled
    controlled.close()


@pytest.fixture
def awaitctl(awaitd_binary, start_process, control):
    """awaitctl("status", …, status=0) -> Process, ended."""

    def run(*arguments: object, status: int = 0) -> Process:
        process = start_process(
            awaitd_binary.with_name("awaitctl"),
            "--socket",
            control.path,
            *arguments,
        )
        found = process.finish()
        assert found == status, f"{found}: {process.stdout}{process.stderr}"
        return process

    return run
