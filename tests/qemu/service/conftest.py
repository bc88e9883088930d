"""These tests want the guest of tests/qemu/service/init: systemd as pid 1,
awaitd installed, and the sensor. What is done to it is not undone: it is thrown
away."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from booted import Here, Systemd
from services import ROOT, Service
from spi_sensor import Sensor

GUIDE = ROOT / "docs/systemd.md"

DEVICE = (
    f"{{name: imu, driver: spi, path: {Sensor.NODE}, sample: '80',"
    f" sample_bytes: 12, data_ready: {Sensor.DATA_READY}, on_loss: wait}}"
)

SCRIPT = """
    import os, sys
    from awaitd.devices import imu

    for node in sys.argv[1:]:
        try:
            os.close(os.open(node, os.O_RDWR | os.O_NOCTTY))
            print(node, "opens", flush=True)
        except PermissionError as error:
            print(node, error.strerror, flush=True)

    queue = imu.queue()
    back = await imu.transfer(b"\\x01\\x02\\x03")
    print("back", back.hex(), flush=True)
    async for frame in queue:
        print("sample", frame.data.hex(), flush=True)
"""


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


@pytest.fixture(scope="session")
def sensor() -> Sensor:
    """Plugged in since the guest was booted, unless a test does otherwise."""
    return Sensor()


@pytest.fixture(scope="session")
def other_node(system: Systemd) -> str:
    """A serial port that anybody may open, as far as its mode goes."""
    system.run("mknod", "-m", "666", "/dev/of-the-test", "c", "4", "64")
    return "/dev/of-the-test"


@pytest.fixture(scope="session")
def refused(system: Systemd, sensor: Sensor, other_node: str) -> Service:
    """The service with the device, but without the drop-in: it has failed."""
    service = Service(system)
    service.configure(SCRIPT, device=DEVICE, args=(sensor.NODE, other_node))
    service.drop_in("once", "Restart=no")
    system.run("systemctl", "start", service.unit, status=1)
    return service


@pytest.fixture(scope="session")
def command(refused: Service) -> str:
    """What its error says gets it the drop-in."""
    (line,) = (
        it for it in refused.journal().splitlines() if "drop-in spi: " in it
    )
    return line.partition("drop-in spi: ")[2]


@pytest.fixture(scope="session")
def rules(system: Systemd) -> Rules:
    """Those of the guide, as it says."""
    rules = Rules.of_the_guide()
    system.write(rules.path, rules.text)
    system.run("sh", "-e", "-c", rules.commands)
    return rules


@pytest.fixture(scope="session")
def running(refused: Service, command: str, rules: Rules) -> Service:
    """The same with the drop-in."""
    refused.system.run("sh", "-c", command)
    refused.wait_for_line("back 010203")
    return refused
