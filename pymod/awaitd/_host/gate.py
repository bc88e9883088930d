"""Where a version of a script is held that may not receive and send yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from _awaitd import Error

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript


class Discarded(SystemExit):
    """Raised where a version is held that is not wanted."""


class Unchanged(SystemExit):
    """Raised where a version is like the one that runs."""


class Gate:
    """Closed until it is opened; without ``tell`` it stays so.

    ``late``: a loop may begin, and do its first turn. ``failed``: that turn has
    been the last.
    """

    def __init__(self, tell: Callable[[], object] | None) -> None:
        self.late = False
        self.failed = False
        self._tell = tell
        self._told = False
        # Who comes while it is refused comes behind the interruption.
        self._lock = threading.Lock()
        self._verdict = threading.Event()
        self._refused = False

    def wait(self, script: HostedScript) -> None:
        """Hold the calling thread. Raises Discarded or Error."""
        if self._tell is None:
            raise Error(
                f"script {script.name}: another version has taken the place of "
                "this one, which has ended but for a thread that it left behind"
            )
        with self._lock:
            first, self._told = not self._told, True
        if first:
            self._tell()
        # To wait here is no stall of its loop.
        awake = script.stop.is_here() and script.asleep()
        self._verdict.wait()
        if awake:
            script.awake()
        if self._refused:
            raise Discarded(0)

    def open(self) -> None:
        """Let whoever waits here pass."""
        self._verdict.set()

    def refuse(self, interrupt: Callable[[], object]) -> None:
        """Let nobody pass; if nobody has come yet, interrupt what is done
        instead. It is told by one of the two, never by both: the second would
        hit what it cleans up."""
        with self._lock:
            self._refused = True
            self._verdict.set()
            if not self._told:
                interrupt()
