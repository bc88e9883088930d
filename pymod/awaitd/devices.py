"""The configured devices, by name: ``from awaitd.devices import CANbus``.

Any device can be imported from here and is opened when it first is. Where the
devices come from is told in ``awaitd._registry``; an unknown name raises an
ImportError that lists those there are.
"""

from typing import Any as _Any

import _awaitd
from awaitd import _registry


def __getattr__(name: str) -> "_awaitd.Device[_Any]":
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _registry.find(name)


def __dir__() -> list[str]:
    return _registry.names()
