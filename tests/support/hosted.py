"""Scripts under the daemon: written, started, stopped, in a line each."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from process import Process

# Where stderr is compared: a slow machine's turns would be told of there.
NO_STALLS = "stall_ms: 0\n"


def put(path: Path, text: str = "") -> Path:
    """Write a file, and make its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class Host:
    """Writes scripts into the test's folder and runs the daemon on them."""

    def __init__(self, folder: Path, run_daemon, start_process) -> None:
        self.folder = folder
        self._run_daemon = run_daemon
        self._start_process = start_process

    def write(self, name: str, text: str) -> Path:
        return put(self.folder / name, textwrap.dedent(text))

    def start(
        self,
        text: str = "",
        *arguments: object,
        devices: tuple[str, ...] = ("bus=virtual:can",),
        grace_s: float | None = None,
        timeout_s: float = 10.0,
        settings: str = "",
        before: tuple[str, ...] = (),
        **more,
    ) -> Process:
        """One script, script.py, or several: one=TEXT, two=TEXT.

        Other keywords are the process's. ``before`` is a command in front,
        ``settings`` are lines of a configuration file.
        """
        options = {
            key: more.pop(key)
            for key in ("env", "cwd", "deadline_s")
            if key in more
        }
        words: list[object] = ["run", "-q"]
        if grace_s is not None:
            settings += f"stop_grace_s: {grace_s}\nstop_timeout_s: {timeout_s}\n"
        if settings:
            words += ["-c", self.write("settings.yaml", settings)]
        for device in devices:
            words += ["-d", device]
        for name, script in more.items():
            words += ["-s", self.write(f"{name}.py", script)]
        if text:
            words += [self.write("script.py", text), *arguments]
        if before:
            return self._start_process(*before, *words, **options)
        return self._run_daemon(*words, **options)

    def run(self, *arguments, status: int = 0, **options) -> Process:
        """As start(), to the end, which must have this exit status."""
        process = self.start(*arguments, **options)
        found = process.finish()
        assert found == status, (
            f"status {found}, not {status}\n{process.stdout}{process.stderr}"
        )
        return process


@pytest.fixture
def host(tmp_path, run_daemon, start_process) -> Host:
    return Host(tmp_path, run_daemon, start_process)
