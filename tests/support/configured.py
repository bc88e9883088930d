"""A daemon whose configuration is written again, and reloaded."""

from __future__ import annotations

import json
import signal
import textwrap
from pathlib import Path

import pytest
from hosted import Host
from process import Process


class Configured:
    """A daemon whose configuration is written again and again."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.folder = host.folder
        self.socket = host.folder / "control.sock"
        self.file: Path
        self.process: Process

    def script(self, name: str, text: str) -> None:
        self._host.write(f"{name}.py", text)

    def write(self, text: str) -> None:
        """The file, with what all of them have in common."""
        # Not by _host.write(): the daemon may read at any moment.
        path = self.folder / "new.yaml"
        path.write_text(
            ("" if "reload_settle_s" in text else "reload_settle_s: 0.1\n")
            + textwrap.dedent(text)
        )
        self.file = path.rename(self.folder / "awaitd.yaml")

    def start(self, text: str, *words: object, **options) -> Process:
        self.write(text)
        self.process = self._host._run_daemon(
            "run", "--socket", self.socket, *words, "-c", self.file, **options
        )
        return self.process

    def hang_up(self, text: str | None = None) -> None:
        if text is not None:
            self.write(text)
        self.process.signal(signal.SIGHUP)

    def log(self, text: str) -> str:
        """The daemon's next line with this in it."""
        return self.process.line(text, stream="stderr")

    def stop(self, status: int = 0) -> None:
        self.process.signal(signal.SIGTERM)
        assert self.process.finish() == status, self.process.stderr


@pytest.fixture
def daemon(host) -> Configured:
    return Configured(host)


@pytest.fixture
def reload(daemon, awaitd_binary, start_process):
    """reload(text=None, status=0): `awaitctl reload` of this configuration; the
    result, or what it says where there is none."""

    def run(text: str | None = None, status: int = 0):
        if text is not None:
            daemon.write(text)
        process = start_process(
            awaitd_binary.with_name("awaitctl"),
            *("--socket", daemon.socket, "--json", "reload"),
        )
        found = process.finish()
        assert found == status, f"{found}: {process.stdout}{process.stderr}"
        return json.loads(process.stdout or "null") or process.stderr

    return run
