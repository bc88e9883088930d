"""Why a script has ended, in one line: FILE:LINE: what."""

from __future__ import annotations

import os
import traceback

# What an event of the host has room for (pymod/host.h), in UTF-8.
_ROOM = 399


def _place(error: BaseException, path: str) -> str:
    """The innermost line in the script's folder; else the innermost."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}:{error.lineno}:{error.offset}"
    frames = traceback.extract_tb(error.__traceback__)
    folder = os.path.join(os.path.dirname(path), "")
    own = [frame for frame in frames if frame.filename.startswith(folder)]
    for frame in (own or frames)[-1:]:
        return f"{frame.filename}:{frame.lineno}"
    return path


def locate(error: BaseException, path: str) -> str:
    """Where the script at ``path`` went wrong, and how."""
    if isinstance(error, SystemExit):
        what = f"sys.exit({error.code!r})"
    elif isinstance(error, SyntaxError):
        what = f"{type(error).__name__}: {error.msg}"
    else:
        what = "".join(
            traceback.format_exception_only(type(error), error)
        ).strip()
    line = " ".join(f"{_place(error, path)}: {what}".split())
    return line.encode()[:_ROOM].decode(errors="ignore")
