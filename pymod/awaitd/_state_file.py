"""The file of a script's state: a JSON object, written whole or not at all.

A file that cannot be used is set aside, so that what a script saves does not
take its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import Any

# So many of each script's are kept; then the oldest goes.
KEPT = 5


def read(path: str) -> tuple[str, dict[str, Any]]:
    """Its text, and what that says; FileNotFoundError, another OSError, or
    ValueError for what save() cannot have written."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return text, found


def set_aside(path: str) -> str:
    """Rename it to PATH.broken, which it returns; an earlier one of that name
    becomes PATH.broken.2, and so on. Raises OSError."""
    names = [f"{path}.broken"]
    names += [f"{path}.broken.{number}" for number in range(2, KEPT + 1)]
    # First of all what may fail: else those that are kept would go for nothing.
    aside = f"{path}.broken.new"
    os.replace(path, aside)
    for index in range(KEPT - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            os.replace(names[index - 1], names[index])
    os.replace(aside, names[0])
    return names[0]


def write(path: str, text: str) -> None:
    """Put this in its place, whole or not at all. Raises OSError."""
    folder = os.path.dirname(path)
    number, name = tempfile.mkstemp(prefix=".state-", dir=folder)
    try:
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
