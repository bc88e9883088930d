"""Frames from CAN, SPI, Ethernet, UDP and recorded logs, awaited.

    from awaitd.devices import CANbus       # a device named CANbus
    can_q = CANbus.queue()
    message = await can_q.get()

Reader threads in C fill the queues, whatever Python is doing; every frame is
accounted for in ``queue.stats()``.
"""

from collections.abc import Mapping as _Mapping
from typing import Any as _Any

try:
    from _awaitd import (
        Batch,
        BytesDevice,
        CanDevice,
        CanError,
        CanFrame,
        CanProtocolError,
        ConfigError,
        Datagram,
        DatagramDevice,
        Device,
        DeviceDown,
        DeviceError,
        DeviceLost,
        Error,
        EthernetDevice,
        EthernetFrame,
        Event,
        Frame,
        Gap,
        J1939Device,
        J1939Message,
        PeriodicSend,
        Queue,
        QueueClosed,
        QueueEmpty,
        QueueStats,
        SendExpired,
        SendQueueFull,
        SendStats,
        SendTimeout,
        SpiDevice,
        __version__,
    )
    from _awaitd import open_device as _open_device
    from _awaitd import parse_device as _parse_device
except ModuleNotFoundError as _error:
    if _error.name != "_awaitd":
        raise
    from awaitd._missing import advice as _advice

    raise ModuleNotFoundError(_advice(), name="_awaitd") from None
from awaitd._errors import UnknownDevice
from awaitd._merge import Merge, merge
from awaitd._script import script

__all__ = [
    "Batch",
    "BytesDevice",
    "CanDevice",
    "CanError",
    "CanFrame",
    "CanProtocolError",
    "ConfigError",
    "Datagram",
    "DatagramDevice",
    "Device",
    "DeviceDown",
    "DeviceError",
    "DeviceLost",
    "Error",
    "EthernetDevice",
    "EthernetFrame",
    "Event",
    "Frame",
    "Gap",
    "J1939Device",
    "J1939Message",
    "Merge",
    "PeriodicSend",
    "Queue",
    "QueueClosed",
    "QueueEmpty",
    "QueueStats",
    "SendExpired",
    "SendQueueFull",
    "SendStats",
    "SendTimeout",
    "SpiDevice",
    "UnknownDevice",
    "__version__",
    "device",
    "get_include",
    "merge",
    "open",
    "script",
]


def _to_text(value: object) -> str:
    """An option's value as the drivers' tables read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _default_name(driver: str) -> str:
    """What a device without a name is called: as its driver, or as the file
    that the driver is in."""
    if "/" not in driver and not driver.endswith(".so"):
        return driver
    stem = driver.rpartition("/")[2].removesuffix(".so")
    name = "".join(letter if letter.isalnum() else "_" for letter in stem)
    return name if name.isidentifier() else f"_{name}"


def open(options: "_Mapping[str, object] | str") -> "Device[_Any]":
    """Open a device in this process.

    ``options`` are the keys of the configuration file, as a mapping
    (``{"driver": "udp", "bind": "127.0.0.1:5005"}``), or the short form
    (``"udp:127.0.0.1:5005"`` or ``"net=udp:127.0.0.1:5005"``). A driver that is
    a path, as ``"./my_driver.so"``, is loaded. The name is that given, else the
    driver's. Usable as a context manager.

    Raises ConfigError for options that are no good, and DeviceError, with errno
    and advice, for a device that is missing or refused.
    """
    if isinstance(options, str):
        head = options.partition(":")[0].partition(",")[0]
        given = "=" in head
        text = options if given else f"{_default_name(head)}={options}"
        name, parsed = _parse_device(text)
        return _open_device(name, parsed)
    texts = {
        str(key): _to_text(value)
        for key, value in options.items()
        if value is not None
    }
    name = texts.pop("name", _default_name(texts.get("driver", "device")))
    return _open_device(name, texts)


def device(name: str) -> "Device[_Any]":
    """The device called ``name``: what ``from awaitd.devices import`` gives.

    Raises UnknownDevice, a ConfigError that lists the devices there are, for
    another name.
    """
    from awaitd import _registry

    return _registry.find(name)


def get_include() -> str:
    """The folder of the headers for extensions in C, for a compiler's ``-I``:
    ``awaitd/awaitable.h``, and ``pyawaitable.h`` for code that was written for
    PyAwaitable.

    Raises FileNotFoundError where only the package is installed.
    """
    from pathlib import Path

    package = Path(__file__).resolve().parent
    for folder in (package, *package.parents):
        if (folder / "include" / "awaitd" / "awaitable.h").is_file():
            return str(folder / "include")
    raise FileNotFoundError(
        f"no include/awaitd/awaitable.h above {package}: awaitd's headers are "
        "not installed"
    )
