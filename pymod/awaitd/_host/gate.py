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
        self._own = False  # the script's own thread has come
        # Who comes while it is refused comes behind the interruption.
        self._lock = threading.Lock()
        # A turnstile. An Event that an interruption hits keeps its lock, and
        # whoever sets it would wait for ever.
        self._verdict = threading.Lock()
        self._verdict.acquire()
        self._is_open = False  # to be passed, or left by Discarded
        self._refused = False

    def wait(self, script: HostedScript) -> None:
        """Hold the calling thread. Raises Discarded, in a thread that is not
        the script's own SystemExit, which ends that silently, or Error."""
        if self._tell is None:
            raise Error(
                f"script {script.name}: another version has taken the place of "
                "this one, which has ended but for a thread that it left behind"
            )
        own = script.stop.is_here()
        with self._lock:
            first, self._told = not self._told, True
            self._own |= own
        if first:
            self._tell()
        # To wait here is no stall of its loop.
        awake = own and script.asleep()
        with self._verdict:
            pass
        if awake:
            script.awake()
        if self._refused:
            raise Discarded(0) if own else SystemExit(0)

    def open(self) -> None:
        """Let whoever waits here go on. On the bridge, as refuse()."""
        if not self._is_open:
            self._is_open = True
            self._verdict.release()

    def refuse(self, interrupt: Callable[[], object]) -> None:
        """Let nobody pass; if the script's own thread has not come yet,
        interrupt what it does instead. It is told by one of the two, never by
        both: the second would hit what it cleans up."""
        with self._lock:
            self._refused = True
            self.open()
            if not self._own:
                interrupt()
