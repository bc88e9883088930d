"""``awaitd.script``: what a script can know of its own life."""

from __future__ import annotations

import sys
from typing import Any

from _awaitd import Device
from awaitd._state import State


class ScriptInfo:
    """The running script. In plain Python it is named after the program.

    name: as configured. stopping: None, or why it is to end: "stop", "reload"
    or "restart". start_reason: why it was started: "start", "restart", "reload"
    or "revert", which is the old version after a new one that failed.
    generation: 1, counting its starts. state: a dict of plain values that the
    next run finds as this one leaves it.
    """

    name: str = ""
    stopping: str | None = None
    start_reason: str = "start"
    generation: int = 1

    @property
    def state(self) -> State:
        """What one run leaves to the next."""
        return _plain_state

    def found(self, device: Device[Any]) -> None:
        """The host's: it has looked this device up."""

    def __repr__(self) -> str:
        return f"<script {self.name}>"


class _Current:
    """Resolves to the script of the calling thread."""

    def __getattr__(self, attribute: str) -> object:
        return getattr(current(), attribute)

    def __repr__(self) -> str:
        return repr(current())


_plain_state = State()


def _plain() -> ScriptInfo:
    info = ScriptInfo()
    info.name = sys.argv[0] if sys.argv else ""
    return info


def current() -> ScriptInfo:
    """The script that runs in this thread; replaced by the host."""
    return _plain()


script: ScriptInfo = _Current()  # type: ignore[assignment]
