"""These tests want what tests/qemu/init sets up: controllers can0 and can1 on
one bus, and the sensor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sensor_samples
from can_peers import Candump, ip
from spidev import Sensor

BITRATE = 500_000


@pytest.fixture(autouse=True, scope="session")
def guest() -> None:
    if not os.environ.get("AWAITD_QEMU_GUEST"):
        pytest.skip("not in the QEMU guest; ./run qemu is")


def start_controller(name: str) -> None:
    ip("link", "set", name, "down")
    ip(*f"link set {name} up type can bitrate {BITRATE}".split())


@pytest.fixture
def controllers() -> Iterator[tuple[str, str]]:
    """can0 and can1, up; a test may take them down."""
    names = ("can0", "can1")
    for name in names:
        start_controller(name)
    yield names


@pytest.fixture
def candump(start_process):
    """candump(interface) -> Candump, listening."""

    def start(interface: str, sender: str) -> Candump:
        process = start_process(*Candump.command(interface))
        return Candump(process, interface, sender)

    return start


@pytest.fixture
def sensor() -> Iterator[Sensor]:
    """Just plugged in."""
    sensor = Sensor()
    sensor.reset()
    yield sensor


@pytest.fixture(scope="session")
def samples() -> list[bytes]:
    """What the sensor plays."""
    return sensor_samples.samples(Path(os.environ["AWAITD_DATA"]))
