"""What `awaitd check` does to scripts: compile them, and not run them."""

from __future__ import annotations

import ast
import types

from awaitd._host import errors


def compile_script(source: bytes, path: str) -> types.CodeType:
    """The code of a script, which may await outside of functions."""
    code: types.CodeType = compile(
        source,
        path,
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    return code


def _finding(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            compile_script(file.read(), path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    # ValueError: a NUL in it; RecursionError, MemoryError: nested too deeply.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return errors.locate(error.with_traceback(None), path)
    return None


def check(paths: list[str]) -> list[str]:
    """What is wrong with these files, in a line for each that has an error."""
    # Two scripts may be one file.
    findings = (_finding(path) for path in dict.fromkeys(paths))
    return [finding for finding in findings if finding is not None]
