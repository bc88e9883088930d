"""The standard streams of scripts that share them: each line tells whose it is."""

from __future__ import annotations

import atexit
import io
import os
import sys
import threading
from typing import Any, TextIO

from awaitd._host.current import current


class _Prefixed(io.TextIOBase):
    """A standard stream whose lines begin with the name of their script.

    A line is written when it is complete, in one piece, so that lines of
    several scripts do not mix.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        # Reentrant: the collector may run a __del__ that prints, right here.
        self._lock = threading.RLock()
        self._partial: dict[str, str] = {}

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        script = current()
        name = "awaitd" if script is None else script.name
        with self._lock:
            *lines, rest = (self._partial.pop(name, "") + text).split("\n")
            if rest:
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

    def close(self) -> None:
        """Nothing: the stream is every script's."""

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


def install(prefix: bool) -> None:
    """Prefix the standard streams, if so wanted."""
    atexit.register(_give_up_stdout)
    if prefix:
        begin_prefixes()


def begin_prefixes() -> None:
    """There are several scripts now. Once, however often it is called."""
    if not isinstance(sys.stdout, _Prefixed):
        sys.stdout = _Prefixed(sys.stdout)  # type: ignore[assignment]
    if not isinstance(sys.stderr, _Prefixed):
        sys.stderr = _Prefixed(sys.stderr)  # type: ignore[assignment]


def finish(name: str) -> None:
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


def _give_up_stdout() -> None:
    """A reader that has gone is told of once, where a script printed."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        pass
