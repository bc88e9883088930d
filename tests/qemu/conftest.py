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


@pytest.fixture(autouse=True, scope="session")
def guest() -> None:
    if not os.environ.get("AWAITD_QEMU_GUEST"):
        pytest.skip("not in the QEMU guest; ./run qemu is")


@pytest.fixture
def controllers() -> tuple[str, str]:
    """can0 and can1, at 500 kbit/s; a test may take them down, or do else to them."""
    names = ("can0", "can1")
    for name in names:
        ip("link", "set", name, "down")
        ip(*f"link set {name} up type can bitrate 500000".split())
    return names


@pytest.fixture
def candump(start_process):
    """candump(interface) -> Candump, listening."""

    def start(interface: str) -> Candump:
        process = start_process(*Candump.command(interface), deadline_s=60)
        return Candump(process, interface)

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
