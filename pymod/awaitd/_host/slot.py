"""One configured script, through all its versions: what they leave each other.

At any moment at most one version is *current*: it alone is past its gate, and
so receives and sends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from typing import TYPE_CHECKING, Any, NamedTuple

import _awaitd
from awaitd import _registry
from awaitd._host import modules
from awaitd._state import State, tell

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript


class Settings(NamedTuple):
    """What a version is started with: another one needs a new version."""

    path: str
    folder: str
    argv: list[str]
    paths: list[str]

    @property
    def own_folders(self) -> tuple[str, ...]:
        """Where its modules are: those that a reload imports anew."""
        return modules.own_folders(self.folder, self.paths)


# Where the daemon was started: what relative paths are relative to.
_began_in = os.getcwd()


def _settings(path: str, arguments: list[str], paths: list[str]) -> Settings:
    whole = os.path.join(_began_in, path)
    return Settings(
        os.path.abspath(whole),
        os.path.dirname(os.path.realpath(whole)),
        [path, *arguments],
        [os.path.abspath(os.path.join(_began_in, entry)) for entry in paths],
    )


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
        self.settings = _settings(path, arguments, paths or [])
        self.keeps = keeps
        self.always = always
        self.flush = flush
        self.state = State(state_path)
        self.versions: dict[int, HostedScript] = {}
        self.current: HostedScript | None = None
        # It has ended, and is not started again unless somebody asks for that.
        self._rests = name == ""
        # Of the current version, and of the one before it.
        self.code: types.CodeType | None = None
        self.code_before: types.CodeType | None = None
        self.settings_loaded = self.settings_before = self.settings
        # Modules of its own, and what it gets in their place: told already.
        self.told_imports: set[tuple[str, str]] = set()
        # When a version that had failed was last looked at again.
        self.tried_ns = 0
        self.modules_before: dict[str, types.ModuleType] = {}
        self._left: list[_awaitd.Queue[Any]] = []

    def configure(
        self,
        path: str,
        arguments: list[str],
        paths: list[str],
        keeps: bool,
        flush: bool,
        state_path: str | None,
        always: bool,
    ) -> None:
        """What its next version is started with; the rest holds at once."""
        self.settings = _settings(path, arguments, paths)
        self.keeps = keeps
        self.always = always
        self.flush = flush
        self.state.keep_in(state_path)

    def succeed(self, script: HostedScript) -> None:
        """This version is current now: no other one can do anything."""
        if self.current is not None:
            self.current.shut()
        self.current = script
        self._rests = False

    def take_code(self, code: types.CodeType, settings: Settings) -> None:
        """The code of the current version; that before it may come back."""
        self.code, self.code_before = code, self.code
        self.settings_before = self.settings_loaded
        self.settings_loaded = settings

    def rest(self) -> None:
        """The script is not started again."""
        self._rests = True

    def ready_for(self, device: _awaitd.Device[Any]) -> bool:
        """Has it attached to this device, or is not about to?"""
        if self._rests:
            return True
        # Without a version it has yet to be started for the first time.
        return self.current is not None and self.current.ready_for(device)

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
                try:
                    self._left.remove(queue)
                except ValueError:
                    continue  # it was dropped just now
                if flush:
                    queue.clear()
                return queue
        return None

    def drop_device(self, device: _awaitd.Device[Any]) -> None:
        """It is not configured any more: nobody inherits a queue of it."""
        for queue in list(self._left):
            if queue.device is device:
                with contextlib.suppress(ValueError):
                    self._left.remove(queue)
                    queue._retire()

    def left(self) -> list[_awaitd.Queue[Any]]:
        """What was left, by now."""
        return list(self._left)

    def drop_queues(self, left: list[_awaitd.Queue[Any]]) -> bool:
        """Nobody wants these; true if there are any. The bridge, or the
        script."""
        # Each is taken out by one of those who may want it.
        for queue in left:
            try:
                self._left.remove(queue)
            except ValueError:
                continue
            queue._retire()
        return bool(left)

    def check_state(self) -> None:
        """Tell what is in the state by now and will be left out."""
        # RuntimeError: another thread changes it just now.
        with contextlib.suppress(RuntimeError):
            self._tell_left_out(self.state.flaws())

    def save_state(self) -> None:
        """The current version has ended: keep what it leaves. What goes wrong is
        told, and the script's end goes on."""
        try:
            self._tell_left_out(self.state.leave_out_flaws())
            self.state.save()
        # RuntimeError: a thread that was left behind still changes it. Others: a
        # key's own repr(), and whatever else is the script's.
        except Exception as error:
            print(
                f"awaitd: warning: cannot save the state of {self.name}: "
                f"{error}",
                file=sys.stderr,
            )

    def _tell_left_out(self, flaws: list[str]) -> None:
        if flaws:
            print(
                f"awaitd: warning: script {self.name}: {tell(flaws)}: that is "
                "left out, all else is kept",
                file=sys.stderr,
            )


def _number(queue: _awaitd.Queue[Any]) -> int:
    return int(queue.name) if queue._unnamed else 0
