"""Values that outlive the code that made them: None, bool, int, float, str, and
lists and dicts (with str keys) of these, as JSON has them.

An object of an old version's class is none of the new one's, and a class derived
from these is such a class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KINDS = "None, bool, int, float, str, and lists and dicts of these"

_ATOMS = (type(None), bool, int, float, str)
# JSON's reader and writer recurse, on a stack that may be deep already.
_DEPTH = 100
# Python refuses to read or write a number of more than 4300 digits.
_INT_BITS = 14_000
# So much of a key is named.
_SHOWN = 80


def _shown(key: object) -> str:
    """A key of the script's, whose repr() may be anything."""
    try:
        text = repr(key)
    except Exception:
        text = object.__repr__(key)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _unfit(value: object, above: tuple[int, ...]) -> str | None:
    """Why this very value cannot be saved; None if it can, but for what is in
    it. It lies in the lists and dicts of these ids."""
    if type(value) in _ATOMS:
        if type(value) is int and value.bit_length() > _INT_BITS:
            return f"a number of {value.bit_length()} bits cannot be saved"
        return None
    if type(value) not in (list, dict):
        name = type(value).__name__
        article = "an" if name[:1].lower() in "aeiou" else "a"
        return f"{article} {name} cannot be saved"
    if id(value) in above:
        return f"a {type(value).__name__} that contains itself cannot be saved"
    if len(above) >= _DEPTH:
        return f"what is nested deeper than {_DEPTH} cannot be saved"
    return None


def flaws(
    value: object, above: tuple[int, ...] = ()
) -> Iterator[tuple[str, str]]:
    """What in a value is not plain: (where, as "[3]['x']", and what it is)."""
    unfit = _unfit(value, above)
    if unfit:
        yield "", unfit
    elif type(value) is list:
        above = *above, id(value)
        for index, item in enumerate(value):
            for where, what in flaws(item, above):
                yield f"[{index}]{where}", what
    elif type(value) is dict:
        above = *above, id(value)
        for key, item in value.items():
            if type(key) is not str:
                yield "", f"the key {_shown(key)} is not a str"
                continue
            for where, what in flaws(item, above):
                yield f"[{key!r}]{where}", what


def plain_part(value: object, above: tuple[int, ...] = ()) -> Any:
    """A copy without what is not plain: None is in its place in a list, and the
    key is missing in a dict."""
    if _unfit(value, above):
        return None
    if type(value) is list:
        above = *above, id(value)
        return [plain_part(item, above) for item in value]
    if type(value) is dict:
        above = *above, id(value)
        return {
            key: plain_part(item, above)
            for key, item in value.items()
            if type(key) is str and not _unfit(item, above)
        }
    return value
