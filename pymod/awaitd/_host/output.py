"""The standard streams of scripts that share them: each line tells whose it is."""

from __future__ import annotations

import atexit
import io
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, Union

from awaitd._host.current import current

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript

# put(script, stream, priority, file, line, text, cut), drain(timeout_s), and
# whether file and line are wanted: see pymod/output_object.h.
Writer = tuple[
    Callable[[int, int, int, Union[str, None], int, str, int], None],
    Callable[[float], bool],
    bool,
]

# What comes behind so many characters of a line is only counted: it is cut.
_PARTIAL_MAX = 8192
# A script that has ended waits so long for what it has printed to be written.
_DRAIN_S = 1.0

# Of the daemon, until the streams are handed to it; or None.
_writer: Writer | None = None

# syslog's, of the streams and of logging's levels.
_INFO = 6
_WARNING = 4
_PRIORITIES = {10: 7, 20: 6, 30: 4, 40: 3, 50: 2}


class _Nobody:
    """In place of a script, where none is running."""

    index = -1


_NOBODY = _Nobody()


class _Buffered(io.TextIOBase):
    """A standard stream whose lines are written by the daemon's writer.

    A line is handed over when it is complete, so that lines of several scripts
    do not mix. Nobody waits for it to be written: what the reader of the output
    is too slow for is dropped, and counted.
    """

    def __init__(self, stream: TextIO, number: int, writer: Writer) -> None:
        self._stream = stream
        self._number = number
        self._put, self._drain, self._located = writer
        self._first = True
        # Reentrant: the collector may run a __del__ that prints, right here.
        self._lock = threading.RLock()
        # What each version of a script, and _NOBODY, has left without a line
        # end, and the bytes cut.
        self._partial: weakref.WeakKeyDictionary[Any, tuple[str, int]] = (
            weakref.WeakKeyDictionary()
        )

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        script = current() or _NOBODY
        if self._first:
            # What was printed before begin() comes before this.
            self._first = False
            self._stream.flush()
        with self._lock:
            first, end, more = text.partition("\n")
            self._append(script, first)
            if end:
                lines, end, rest = more.rpartition("\n")
                kept, cut = self._partial.pop(script)
                self._append(script, rest)
                self._put_lines(script.index, f"{kept}\n{lines}{end}", cut)
        return len(text)

    def _append(self, script: HostedScript | _Nobody, text: str) -> None:
        kept, cut = self._partial.get(script, ("", 0))
        room = _PARTIAL_MAX - len(kept)
        if len(text) > room:
            cut += len(text[room:].encode("utf-8", "backslashreplace"))
        self._partial[script] = kept + text[:room], cut

    def _put_lines(self, index: int, lines: str, cut: int) -> None:
        priority = _WARNING if self._number == 2 else _INFO
        file, line = None, 0
        if self._located:
            file, line, priority = _locate(priority)
        self._put(index, self._number, priority, file, line, lines, cut)

    def flush(self) -> None:
        """Nothing: complete lines are on their way."""

    def finish(self, script: HostedScript) -> None:
        """Hand over what this version has left without a line end."""
        with self._lock:
            rest, cut = self._partial.pop(script, ("", 0))
            if rest:
                self._put_lines(script.index, rest, cut)
        # Another version waits for the end of this one, and not for a reader.
        if script.stopping not in ("reload", "restart"):
            self._drain(_DRAIN_S)
        # It may have kept the stream from before begin().
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


def _locate(priority: int) -> tuple[str | None, int, int]:
    """Which code writes (file, line), and how urgent it is.

    What comes by way of logging is its record's; else the innermost frame that
    is not awaitd's counts.
    """
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    if frame.f_code.co_filename == logging.__file__:
        record = frame.f_locals.get("record")
        if isinstance(record, logging.LogRecord):
            level = min(50, max(10, record.levelno // 10 * 10))
            return record.pathname, record.lineno, _PRIORITIES[level]
    return frame.f_code.co_filename, frame.f_lineno, priority


def install(writer: Writer | None) -> None:
    """There is a writer of the daemon's, which ``begin`` may make use of."""
    global _writer
    _writer = writer
    atexit.register(_give_up_streams)


def begin() -> None:
    """Hand the standard streams to the writer, if there is one: from now on
    lines tell whose they are. Once, however often it is called. A script that
    has kept the streams from before writes to them as before."""
    global _writer
    writer, _writer = _writer, None
    if writer is None:
        return
    plain = sys.stdout, sys.stderr
    sys.stdout = _Buffered(sys.stdout, 1, writer)  # type: ignore[assignment]
    sys.stderr = _Buffered(sys.stderr, 2, writer)  # type: ignore[assignment]
    mine = sys.stdout, sys.stderr

    def leave_writer() -> None:
        # A child made by os.fork has no writer's thread.
        if (sys.stdout, sys.stderr) == mine:
            sys.stdout, sys.stderr = plain

    os.register_at_fork(after_in_child=leave_writer)


def finish(script: HostedScript) -> bool:
    """A script has ended: nothing of its output may stay in a buffer. Returns
    whether all of it could be written."""
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if isinstance(stream, _Buffered):
                stream.finish(script)
            elif stream is not None:
                stream.flush()
        except ValueError:
            pass  # The script closed it.
        except OSError:
            # The reader of the pipe is gone, or the disk is full. One script's
            # stream keeps it, and Python's own end tries again.
            written = False
    return written


def _give_up_streams() -> None:
    """A reader that has gone is told of once, where a script printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError, AttributeError):
            pass
