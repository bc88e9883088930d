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
    folder = os.path.join(os.path.dirname(path), "")
    innermost = own = None
    trace = error.__traceback__
    # One by one: there may be millions, and no memory for a list of them.
    while trace is not None:
        innermost = trace
        if trace.tb_frame.f_code.co_filename.startswith(folder):
            own = trace
        trace = trace.tb_next
    found = own or innermost
    if found is None:
        return path
    return f"{found.tb_frame.f_code.co_filename}:{found.tb_lineno}"


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
