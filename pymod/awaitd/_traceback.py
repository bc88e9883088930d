"""Tracebacks of a script as python3 shows them: without awaitd's frames."""

from __future__ import annotations

import os
import types

_OWN_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


def own_part(
    trace: types.TracebackType | None, path: str
) -> types.TracebackType | None:
    """What is left without the frames of this package, and without those that
    called the script, whose code has the file name ``path``."""
    frames: list[types.TracebackType] = []
    entered = False
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == path and not entered:
            entered = True
            frames.clear()
        if not file.startswith(_OWN_FOLDER):
            frames.append(trace)
        trace = trace.tb_next
    for frame in reversed(frames):
        # To set it is to look through all that follows, for a circle.
        if frame.tb_next is not trace:
            frame.tb_next = trace
        trace = frame
    return trace


def trim(error: BaseException, path: str) -> None:
    """Leave the script's own part in the error's traceback, and in those of the
    errors that led to it or that it groups."""
    left: list[BaseException | None] = [error]
    seen: set[int] = set()
    while left:
        found = left.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        found.__traceback__ = own_part(found.__traceback__, path)
        left += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            left += found.exceptions
