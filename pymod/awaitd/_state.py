"""``awaitd.script.state``: what a script leaves to its next run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

_ATOMS = (type(None), bool, int, float, str)


def _flaw(value: object, where: str) -> str | None:
    """Which part of a value is not plain, and why; None if all of it is."""
    if type(value) in _ATOMS:
        return None
    if type(value) is list:
        for index, item in enumerate(value):
            flaw = _flaw(item, f"{where}[{index}]")
            if flaw:
                return flaw
        return None
    if type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                return f"{where}: the key {key!r} is not a str"
            flaw = _flaw(item, f"{where}[{key!r}]")
            if flaw:
                return flaw
        return None
    return f"{where} is of type {type(value).__name__}"


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
        if path is not None:
            self._load(path)

    def _load(self, path: str) -> None:
        try:
            with open(path, encoding="utf-8") as file:
                self._saved = file.read()
            self.update(json.loads(self._saved))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError) as error:
            print(
                f"awaitd: warning: cannot use the state in {path}: {error}",
                file=sys.stderr,
            )

    def keep_in(self, path: str | None) -> None:
        """Have save() write it there from now on; what is there is not read."""
        if path != self._path:
            self._path = path
            self._saved = ""

    def save(self) -> None:
        """Write it to its file, whole or not at all, if it has one and has
        changed. Raises OSError, or TypeError for what was put into a list or
        dict in it and is not plain."""
        if self._path is None:
            return
        self.update(dict(self))
        text = json.dumps(self, indent=1, sort_keys=True)
        if text == self._saved:
            return
        folder = os.path.dirname(self._path)
        number, name = tempfile.mkstemp(prefix=".state-", dir=folder)
        try:
            with open(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        self._saved = text

    def _check(self, key: object, value: object) -> None:
        if type(key) is not str:
            raise TypeError(
                f"awaitd.script.state: the key {key!r} is not a str"
            )
        flaw = _flaw(value, f"awaitd.script.state[{key!r}]")
        if flaw:
            raise TypeError(
                f"{flaw}: only None, bool, int, float, str, and lists and "
                "dicts of these outlive a version"
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
