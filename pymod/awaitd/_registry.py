"""Which devices there are, and opening them: behind ``awaitd.devices``.

In the daemon these are its devices. Elsewhere they come from the environment,
``AWAITD_CONFIG=FILE`` or ``AWAITD_DEVICES='CANbus=can:vcan0;net=udp:[::]:5005'``
or both, and each is opened when it is first used.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from _awaitd import (
    Device,
    hosted_devices,
    open_device,
    parse_device,
    read_config,
)
from awaitd import _script
from awaitd._errors import UnknownDevice

_lock = threading.Lock()
_opened: dict[str, Device[Any]] = dict(hosted_devices() or {})
_hosted = hosted_devices() is not None
_configured: dict[str, dict[str, str]] | None = None


def _configure() -> dict[str, dict[str, str]]:
    """What the environment asks for, read once."""
    global _configured
    if _configured is None:
        found: dict[str, dict[str, str]] = {}
        path = os.environ.get("AWAITD_CONFIG")
        if path:
            found.update(read_config(path))
        for text in os.environ.get("AWAITD_DEVICES", "").split(";"):
            if text.strip():
                name, options = parse_device(text.strip())
                found[name] = options
        _configured = found
    return _configured


def configure(text: str) -> str:
    """Add a device in its short form, in place of one of the same name: that
    name."""
    name, options = parse_device(text)
    with _lock:
        _configure()[name] = options
    return name


def opened() -> list[Device[Any]]:
    """The devices that are open."""
    return list(_opened.values())


def names() -> list[str]:
    """The devices there are, sorted."""
    known = _opened.keys()
    return sorted(known if _hosted else known | _configure().keys())


def _unknown(name: str) -> UnknownDevice:
    there = ", ".join(names())
    if there:
        hint = f"there are: {there}"
    elif _hosted:
        hint = "none is configured"
    else:
        hint = "set AWAITD_CONFIG or AWAITD_DEVICES, or run under awaitd"
    return UnknownDevice(f"no device is called {name!r}; {hint}")


def find(name: str) -> Device[Any]:
    """The device called ``name``, opened if need be.

    Raises UnknownDevice (a ConfigError), ConfigError for a configuration that is
    no good, and DeviceError when the device cannot be opened.
    """
    with _lock:
        device = _opened.get(name)
        if device is None or (device.closed and not _hosted):
            options = None if _hosted else _configure().get(name)
            if options is None:
                raise _unknown(name)
            device = _opened[name] = open_device(name, options)
    _script.current().found(device)
    return device


def put(device: Device[Any]) -> Device[Any] | None:
    """The host's: there is this device, in place of the one returned."""
    before = _opened.get(device.name)
    _opened[device.name] = device
    return before


def take(name: str) -> Device[Any] | None:
    """The host's: there is no such device any more."""
    return _opened.pop(name, None)
