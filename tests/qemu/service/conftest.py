"""These tests want the guest of tests/qemu/service/init: systemd as pid 1, awaitd
installed, and the sensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from booted import Here, Systemd
from services import ROOT, make_service, service  # noqa: F401
from spi_sensor import Sensor

GUIDE = ROOT / "docs/systemd.md"


class Rules(NamedTuple):
    """What the guide has an administrator do about the nodes."""

    path: str
    text: str
    commands: str

    @classmethod
    def of_the_guide(cls) -> Rules:
        _, found, rest = GUIDE.read_text().partition("# /etc/udev/rules.d/")
        assert found, f"{GUIDE} has no rules of udev any more"
        name, _, rest = rest.partition("\n")
        text, _, rest = rest.partition("```")
        _, begun, rest = rest.partition("```sh\n")
        commands, ended, _ = rest.partition("```")
        assert text and begun and ended, f"{GUIDE} is written otherwise"
        return cls(f"/etc/udev/rules.d/{name}", text, commands)


@pytest.fixture(scope="session")
def system() -> Systemd:
    """It has come up as a machine does, with all that belongs to it."""
    here = Here()
    failed = here.run("systemctl", "--failed", "--plain", "--no-legend")
    assert not failed, failed
    return here


@pytest.fixture
def sensor(system: Systemd) -> Sensor:
    """Just plugged in, and udev is through with it."""
    sensor = Sensor()
    sensor.reset()
    system.run("udevadm", "settle")
    return sensor


@pytest.fixture
def rules(system: Systemd) -> Iterator[Rules]:
    """The guide's, as it says; nothing of them is left after the test."""
    rules = Rules.of_the_guide()
    system.write(rules.path, rules.text)
    system.run("sh", "-e", "-c", rules.commands)
    yield rules
    system.path(rules.path).unlink()
    system.run(
        "sh", "-c",
        "udevadm control --reload;"
        "chown root:root /dev/spidev* /dev/gpiochip*;"
        "chmod 600 /dev/spidev* /dev/gpiochip*",
    )
