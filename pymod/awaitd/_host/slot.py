"""One configured script, through all its versions: what they leave each other.

At any moment at most one version is *current*: it alone is past its gate, and
so receives and sends.
"""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING, Any

import _awaitd
from awaitd import _registry
from awaitd._host import modules
from awaitd._state import State

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript


class Slot:
    """The script's place: its configuration, its state, its queues."""

    def __init__(
        self,
        index: int,
        name: str,
        path: str,
        arguments: list[str],
        paths: list[str] | None = None,
        keeps: bool = False,
        flush: bool = False,
        state_path: str | None = None,
        always: bool = False,
    ) -> None:
        self.index = index
        self.name = name
        self.path = os.path.abspath(path)
        self.folder = os.path.dirname(os.path.realpath(path))
        self.argv = [path, *arguments]
        self.paths = [os.path.abspath(entry) for entry in paths or ()]
        self.keeps = keeps
        self.always = always
        self.flush = flush
        self.state = State(state_path)
        self.versions: dict[int, HostedScript] = {}
        self.current: HostedScript | None = None
        # Of the current version, and of the one before it.
        self.code: types.CodeType | None = None
        self.code_before: types.CodeType | None = None
        self.modules_before: dict[str, types.ModuleType] = {}
        self._source = b""
        self._loaded_ns = 0
        self._left: list[_awaitd.Queue[Any]] = []

    def succeed(self, script: HostedScript) -> None:
        """This version is current now: no other one can do anything."""
        if self.current is not None:
            self.current.shut()
        self.current = script

    def take_code(
        self, code: types.CodeType, loaded: tuple[bytes, int]
    ) -> None:
        """The code of the current version; that before it may come back."""
        self.code, self.code_before = code, self.code
        self._source, self._loaded_ns = loaded

    def has_changed(self, source: bytes) -> bool:
        """Is this another source, or has a module in the script's folder been
        written since the current version was loaded?"""
        return source != self._source or modules.are_newer(
            self.folder, self._loaded_ns
        )

    def leave(self, queue: _awaitd.Queue[Any]) -> None:
        """A version has ended and the next may take its queue over; one that
        it has closed, or that is on a device of its own, ends with it."""
        if queue.device in _registry.opened() and not queue._given_up:
            self._left.append(queue)
        else:
            queue._retire()

    def inherit(
        self, device: _awaitd.Device[Any], name: str | None, flush: bool
    ) -> _awaitd.Queue[Any] | None:
        """What was left of that name; without a name, the first without one:
        those are counted from the start again."""
        for queue in sorted(self._left, key=_number):
            fits = queue._unnamed if name is None else queue.name == name
            if queue.device is device and fits:
                self._left.remove(queue)
                if flush:
                    queue.clear()
                return queue
        return None

    def drop_queues(self) -> None:
        """What is left nobody wants."""
        left, self._left = self._left, []
        for queue in left:
            queue._retire()

    def save_state(self) -> None:
        """What goes wrong is told, and the script's end goes on."""
        try:
            self.state.save()
        except (OSError, TypeError) as error:
            print(
                f"awaitd: warning: cannot save the state of {self.name}: "
                f"{error}",
                file=sys.stderr,
            )


def _number(queue: _awaitd.Queue[Any]) -> int:
    return int(queue.name) if queue._unnamed else 0
