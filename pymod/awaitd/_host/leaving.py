"""Devices that come and leave with another configuration.

One that comes is held until the scripts have been started again that are to be.
One that leaves is used by a version that has looked it up, or has a queue on it,
until that version has ended. The daemon closes it when nobody uses it any more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import _awaitd
from awaitd import _registry

if TYPE_CHECKING:
    from awaitd._host.slot import Slot

# What the daemon is told in place of a script: all users have been told, and
# nobody uses it any more.
_ALL_TOLD = -1
_UNUSED = -2

_devices: dict[int, _awaitd.Device[Any]] = {}  # by the daemon's numbers
coming: set[_awaitd.Device[Any]] = set()
_tell: Callable[[int, int], object]


def install(tell: Callable[[int, int], object]) -> None:
    """Have the daemon told: (number of the device, index of a script)."""
    global _tell
    _tell = tell


def add(number: int, device: _awaitd.Device[Any], slots: list[Slot]) -> None:
    """A device is not configured any more. On the bridge."""
    _devices[number] = device
    for slot in slots:
        slot.drop_device(device)
    look(slots)


def _users(device: _awaitd.Device[Any], slots: list[Slot]) -> list[int]:
    return [
        index
        for index, slot in enumerate(slots)
        if any(it.uses(device) for it in list(slot.versions.values()))
    ]


def look(slots: list[Slot]) -> None:
    """A version has ended: tell of what nobody uses any more."""
    for number, device in list(_devices.items()):
        if _users(device, slots):
            continue
        # Only one of those who find that out tells it.
        with contextlib.suppress(KeyError):
            del _devices[number]
            _tell(number, _UNUSED)


def tell_users(name: str, number: int, slots: list[Slot]) -> None:
    """Tell which scripts use the device of this number, or, with a name, the
    one that is configured by it. On the bridge."""
    device = _devices.get(number)
    if name:
        device = next(
            (it for it in _registry.opened() if it.name == name), None
        )
    if device is not None:
        for index in _users(device, slots):
            _tell(number, index)
    _tell(number, _ALL_TOLD)
