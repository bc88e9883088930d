"""A daemon whose script is written anew, and reloaded, while it runs."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hosted import Host
from process import Process


class Reloading:
    """A daemon with the script `under`, whose versions are written over each
    other, and perhaps others beside it."""

    def __init__(self, host: Host, run_daemon) -> None:
        self._host = host
        self._run_daemon = run_daemon
        self.path = host.folder / "under.py"
        self.process: Process

    def write(self, text: str) -> None:
        self._host.write("under.py", text)

    def start(self, text: str, *more: str, keys: str = "", top: str = "",
              watch: bool = False, **options) -> Process:
        self.write(text)
        scripts = "  - {path: under.py%s}\n" % keys
        for number, other in enumerate(more):
            self._host.write(f"other{number}.py", other)
            scripts += f"  - {{path: other{number}.py}}\n"
        self._scripts = scripts
        file = self.configure(top)
        self.process = self._run_daemon(
            "run", *["--watch"] * watch, "-c", file, "-d", "bus=virtual:can",
            **options
        )
        return self.process

    def configure(self, top: str) -> Path:
        """The file, with these keys in front: what runs has it by a reload."""
        settle = "" if "reload_settle_s" in top else "reload_settle_s: 0.1\n"
        return self._host.write(
            "awaitd.yaml", f"{settle}{top}scripts:\n{self._scripts}"
        )

    def reload(self, text: str | None = None) -> None:
        if text is not None:
            self.write(text)
        self.process.signal(signal.SIGHUP)

    def log(self, text: str) -> str:
        """The daemon's next line with this in it."""
        return self.process.line(text, stream="stderr")

    def stop(self) -> int:
        self.process.signal(signal.SIGTERM)
        return self.process.finish()


@pytest.fixture
def under(host: Host, run_daemon) -> Reloading:
    return Reloading(host, run_daemon)
