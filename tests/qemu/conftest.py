"""These tests want what tests/qemu/init sets up: controllers can0 and can1 on
one bus, and the sensor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sensor_samples
from can_peers import Candump, ip
from spi_sensor import Sensor


# Those in there have a guest of their own.
collect_ignore = (
    [] if os.environ.get("AWAITD_QEMU_GUEST") == "tests/qemu/service"
    else ["service"]
)


@pytest.fixture(autouse=True, scope="session")
def guest() -> None:
    if not os.environ.get("AWAITD_QEMU_GUEST"):
        pytest.skip("not in the QEMU guest; ./run qemu is")


class Controllers:
    """can0 and can1, of one bus. The emulated bus takes no time, and each
    controller (SJA1000) holds 64 bytes: what comes while the guest is slow to
    fetch them is lost in the controller, before any kernel, which then has an
    error frame. Remote frames are to have DLC 0: with another, QEMU 7.2's
    controller loses its place in these 64 bytes for good."""

    _driver = Path("/sys/bus/pci/drivers/kvaser_pci")

    def __init__(self) -> None:
        self._slots = {name: self.slot_of(name) for name in ("can0", "can1")}

    def slot_of(self, name: str) -> str:
        """Of the controller that has this name now."""
        return Path(f"/sys/class/net/{name}/device").resolve().name

    def start(self, name: str, bitrate: int = 500_000) -> None:
        ip("link", "set", name, "down")
        ip(*f"link set {name} up type can bitrate {bitrate}".split())

    def unplug(self, name: str) -> None:
        """The interface is gone."""
        (self._driver / "unbind").write_text(self._slots[name])

    def plug(self, name: str) -> None:
        """It is there again, without a bit rate and down."""
        (self._driver / "bind").write_text(self._slots[name])

    def _plug_both(self, first: str, second: str) -> None:
        """The first one is can0, the other can1; both up."""
        for slot in self._slots.values():
            (self._driver / "unbind").write_text(slot)
        for slot in (first, second):
            (self._driver / "bind").write_text(slot)
        for name in self._slots:
            self.start(name)

    @contextlib.contextmanager
    def swapped(self) -> Iterator[None]:
        """can0 is the one that was can1, and the other way round."""
        left, right = self._slots["can0"], self._slots["can1"]
        self._plug_both(right, left)
        try:
            yield
        finally:
            self._plug_both(left, right)

    def reset(self) -> None:
        for name, slot in self._slots.items():
            if not (self._driver / slot).exists():
                self.plug(name)
            self.start(name)


@pytest.fixture(scope="session")
def both_controllers() -> Controllers:
    return Controllers()


@pytest.fixture
def controllers(both_controllers: Controllers) -> Controllers:
    """Up, at 500 kbit/s; a test may do anything to them."""
    both_controllers.reset()
    return both_controllers


@pytest.fixture
def candump(start_process):
    """candump(interface) -> Candump, listening."""

    def start(interface: str) -> Candump:
        process = start_process(*Candump.command(interface), deadline_s=60)
        return Candump(process, interface)

    return start


@pytest.fixture
def sensor() -> Sensor:
    """Just plugged in."""
    sensor = Sensor()
    sensor.reset()
    return sensor


@pytest.fixture(scope="session")
def samples() -> list[bytes]:
    """What the sensor plays."""
    return sensor_samples.samples(Path(os.environ["AWAITD_DATA"]))
