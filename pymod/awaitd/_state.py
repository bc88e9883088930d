"""``awaitd.script.state``: what a script leaves to its next run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from awaitd import _state_file
from awaitd._plain import KINDS, flaws, plain_part

_NAME = "awaitd.script.state"
# So many are named in one message.
_NAMED = 5


def tell(found: list[str]) -> str:
    """Those that there is room for, and the rest in number."""
    more = len(found) - _NAMED
    rest = [f"and {more} more"] if more > 0 else []
    return "; ".join([*found[:_NAMED], *rest])


class State(dict[str, Any]):
    """A dict of plain values: None, bool, int, float, str, and lists and dicts
    (with str keys) of these. Anything else is refused with TypeError when it is
    assigned: an object of the old version's classes is none of the new one's.

    With a path it is read from there, and save() writes it there.
    """

    def __init__(self, path: str | None = None) -> None:
        super().__init__()
        self._path = path
        self._saved = "{}"
        # What is in the file could not be used, and has not been set aside.
        self._unread = False
        if path is not None:
            self._load(path)

    def _load(self, path: str) -> None:
        try:
            text, found = _state_file.read(path)
            self.update(found)
            self._saved = text
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError) as error:
            self._unread = True
            print(
                f"awaitd: warning: cannot use the state in {path}: {error}; "
                f"{self._set_aside(path)}",
                file=sys.stderr,
            )

    def _set_aside(self, path: str) -> str:
        try:
            aside = _state_file.set_aside(path)
        except OSError as error:
            return f"it cannot be set aside, so nothing is saved: {error}"
        self._unread = False
        return f"the file is kept as {aside}"

    def keep_in(self, path: str | None) -> None:
        """Have save() write it there from now on. What is there is read if this
        one is empty, and set aside if not."""
        if path == self._path:
            return
        self._path = path
        self._saved = ""
        self._unread = False
        if path is not None and not self:
            self._load(path)
        elif path is not None and os.path.exists(path):
            self._unread = True
            print(
                f"awaitd: warning: the state in {path} is an earlier one; "
                f"{self._set_aside(path)}",
                file=sys.stderr,
            )

    def save(self) -> None:
        """Write it to its file, whole or not at all, if it has one and has
        changed. Raises OSError, or, when all else is written, TypeError for what
        was put into a list or dict in it and is not plain."""
        found = self.flaws()
        if self._path is not None:
            self._write(self._path, self._plain() if found else self)
        if found:
            raise TypeError(f"{tell(found)}; all else is saved")

    def _write(self, path: str, values: Mapping[str, Any]) -> None:
        text = json.dumps(values, indent=1, sort_keys=True)
        if text == self._saved:
            return
        if self._unread:
            # Somebody may have removed it meanwhile.
            with contextlib.suppress(FileNotFoundError):
                _state_file.set_aside(path)
            self._unread = False
        _state_file.write(path, text)
        self._saved = text

    def flaws(self) -> list[str]:
        """What was put into a list or dict in it, and is not plain."""
        return [
            f"{_NAME}[{key!r}]{where}: {what}"
            for key, value in self.items()
            for where, what in flaws(value)
        ]

    def _plain(self) -> dict[str, Any]:
        return {key: plain_part(value) for key, value in self.items()}

    def leave_out_flaws(self) -> list[str]:
        """Take out what is not plain: what that was. Lists and dicts that have
        none of it stay the objects that they are."""
        found = self.flaws()
        if found:
            for key, value in self._plain().items():
                if any(flaws(self[key])):
                    super().__setitem__(key, value)
        return found

    def _check(self, key: object, value: object) -> None:
        if type(key) is not str:
            raise TypeError(f"{_NAME}: the key {key!r} is not a str")
        for where, what in flaws(value):
            raise TypeError(
                f"{_NAME}[{key!r}]{where}: {what}: only {KINDS} outlive a "
                "version"
            )

    def __setitem__(self, key: str, value: Any) -> None:
        self._check(key, value)
        super().__setitem__(key, value)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As a dict's."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(  # type: ignore[override]
        self,
        other: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        /,
        **more: Any,
    ) -> None:
        """As a dict's; all or nothing."""
        new = dict(other, **more)
        for key, value in new.items():
            self._check(key, value)
        super().update(new)

    def __ior__(self, other: Any) -> State:  # type: ignore[misc, override]
        self.update(other)
        return self
