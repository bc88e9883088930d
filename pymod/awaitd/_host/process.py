"""What a process has once, and each script wants for itself.

``sys.argv``, ``sys.modules['__main__']`` and, where several scripts share a
terminal, the standard streams resolve to those of the script that asks.
"""

from __future__ import annotations

import io
import sys
import threading
import types
from typing import TYPE_CHECKING, Any, TextIO

from awaitd._host.current import current

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript


class _Sys(types.ModuleType):
    """sys, with an argv for each script."""

    _argv: list[str] = [""]

    @property
    def argv(self) -> list[str]:
        script = current()
        return _Sys._argv if script is None else script.argv

    @argv.setter
    def argv(self, value: list[str]) -> None:
        script = current()
        if script is None:
            _Sys._argv = value
        else:
            script.argv = value


class _Main(types.ModuleType):
    """__main__: the module of the script that asks."""

    def __getattribute__(self, name: str) -> Any:
        script = current()
        if script is None:
            return super().__getattribute__(name)
        return getattr(script.module, name)

    def __setattr__(self, name: str, value: object) -> None:
        script = current()
        if script is None:
            super().__setattr__(name, value)
        else:
            setattr(script.module, name, value)


class _Prefixed(io.TextIOBase):
    """A standard stream whose lines begin with the name of their script.

    A line is written when it is complete, in one piece, so that lines of
    several scripts do not mix.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._partial: dict[str, str] = {}

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        script = current()
        name = "awaitd" if script is None else script.name
        with self._lock:
            *lines, rest = (self._partial.get(name, "") + text).split("\n")
            self._partial[name] = rest
            if lines:
                self._stream.write("".join(f"{name}: {s}\n" for s in lines))
                self._stream.flush()
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def finish(self, name: str) -> None:
        """Write what the script has left without a line end."""
        with self._lock:
            rest = self._partial.pop(name, "")
            if rest:
                self._stream.write(f"{name}: {rest}\n")
            self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def install(scripts: list[HostedScript], prefix_output: bool) -> None:
    """Make the names above resolve per script."""
    del sys.argv[:]
    sys.__class__ = _Sys
    sys.modules["__main__"] = _Main("__main__")
    for script in reversed(scripts):
        if script.folder not in sys.path:
            sys.path.insert(0, script.folder)
    if prefix_output:
        sys.stdout = _Prefixed(sys.stdout)
        sys.stderr = _Prefixed(sys.stderr)


def finish_output(name: str) -> None:
    """A script has ended: nothing of its output may stay in a buffer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if isinstance(stream, _Prefixed):
                stream.finish(name)
            elif stream is not None:
                stream.flush()
        except (OSError, ValueError):
            # The reader of the pipe is gone, or the script closed it.
            pass
