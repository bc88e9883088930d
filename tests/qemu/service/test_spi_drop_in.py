"""The drop-in `spi` and the rules of udev beside it, with a real SPI device under
the real systemd."""

from __future__ import annotations

import grp
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from booted import Systemd, wait_until
from services import DROP_INS, Service
from spi_sensor import FRESH, MARKER, Sensor

IMU = (
    f"{{name: imu, driver: spi, path: {Sensor.NODE}, sample: '80',"
    f" sample_bytes: 12, data_ready: {Sensor.DATA_READY}, on_loss: wait}}"
)

READS = """
    from awaitd.devices import imu
    queue = imu.queue()
    print("state", imu.state, flush=True)
    if imu.state == "up":
        back = await imu.transfer(b"\\x01\\x02\\x03")
        print("back", back.hex(), flush=True)
    async for frame in queue:
        print("sample", frame.data.hex(), flush=True)
"""


def reading(samples: list[bytes], number: int) -> str:
    """What the script prints of it."""
    reply = bytes([MARKER, FRESH]) + number.to_bytes(4, "big")
    return f"sample {(reply + samples[number]).hex()}"


def wait_for_lines(service: Service, text: str, count: int) -> None:
    wait_until(
        lambda: service.journal().count(text) == count, service.journal
    )


def groups_of_the_drop_in(system: Systemd) -> set[str]:
    text = system.path(f"{DROP_INS}/spi.conf").read_text()
    (line,) = (
        it for it in text.splitlines() if it.startswith("SupplementaryGroups=")
    )
    return set(line.partition("=")[2].split())


def nodes() -> list[Path]:
    found = [*Path("/dev").glob("spidev*"), *Path("/dev").glob("gpiochip*")]
    assert {it.name for it in found} >= {"spidev0.0", "spidev0.1", "gpiochip0"}
    return found


# ---- the drop-in ----


def test_device_names_its_drop_in_and_works_with_it(
    service: Service, sensor: Sensor, rules: object, samples: list[bytes]
) -> None:
    service.configure(READS, device=IMU)
    service.drop_in("once", "Restart=no")
    service.system.run("systemctl", "start", service.unit, status=1)
    assert service.show("ExecMainStatus") == "69"
    (line,) = (
        it for it in service.journal().splitlines()
        if "without the drop-in spi" in it
    )
    assert "device imu: " in line
    # The very command that it gives.
    service.system.run("sh", "-c", line.partition("drop-in spi: ")[2])
    service.wait_for_line("back 010203")
    for number in range(3):
        sensor.play(1)
        service.wait_for_line(reading(samples, number))


def test_user_is_dynamic_and_has_the_groups_and_no_capability(
    service: Service, sensor: Sensor, rules: object
) -> None:
    service.configure(READS, device=IMU)
    service.link("spi")
    service.start()
    service.wait_for_line("back 010203")
    lines = service.system.path(f"/proc/{service.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in lines.splitlines())
    assert 61184 <= int(fields["Uid"].split()[0]) <= 65519
    groups = {grp.getgrgid(int(it)).gr_name for it in fields["Groups"].split()}
    assert groups >= groups_of_the_drop_in(service.system) == {"spi", "gpio"}
    for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0, name
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


@pytest.fixture
def open_to_all(system: Systemd) -> Iterator[str]:
    """A serial port that anybody may open, as far as its mode goes."""
    node = "/dev/of-the-test"
    system.run("mknod", "-m", "666", node, "c", "4", "64")
    system.run("setpriv", "--reuid=4711", "--clear-groups", "sh", "-c",
               f": <>{node}")
    yield node
    system.run("rm", node)


def test_unit_opens_no_node_of_another_kind(
    service: Service, sensor: Sensor, rules: object, open_to_all: str
) -> None:
    service.configure(
        f"""
        import os
        for node in ("{sensor.NODE}", "{open_to_all}"):
            try:
                os.close(os.open(node, os.O_RDWR | os.O_NOCTTY))
                print(node, "opens", flush=True)
            except PermissionError as error:
                print(node, error.strerror, flush=True)
        """,
        device="{name: imu, driver: virtual}",
    )
    service.link("spi")
    service.start()
    service.wait_for("ActiveState", "inactive")
    journal = service.journal()
    assert f"{sensor.NODE} opens" in journal
    # Not by its mode, which would be "Permission denied".
    assert f"{open_to_all} Operation not permitted" in journal


# ---- the rules ----


def test_rules_of_the_guide_give_the_nodes_the_units_groups(
    system: Systemd, sensor: Sensor, rules: object
) -> None:
    """At once, and those of what is plugged in later."""
    for _ in range(2):
        for node in nodes():
            status = node.stat()
            group = grp.getgrgid(status.st_gid).gr_name
            assert group in groups_of_the_drop_in(system), node
            # spi has spidev0.0, and gpio has gpiochip0.
            assert node.name.startswith(group)
            assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o660)
        sensor.reset()
        system.run("udevadm", "settle")


def test_without_the_rules_the_error_names_the_group(
    service: Service, sensor: Sensor
) -> None:
    service.configure(READS, device=IMU)
    service.drop_in("once", "Restart=no")
    service.link("spi")
    service.system.run("systemctl", "start", service.unit, status=1)
    assert service.show("ExecMainStatus") == "69"
    journal = service.journal()
    assert f"this user may not open {sensor.NODE}" in journal
    assert "without the drop-in" not in journal


# ---- devices that come and go ----


def test_device_that_is_plugged_in_later_and_again_is_read(
    service: Service, sensor: Sensor, rules: object, samples: list[bytes]
) -> None:
    sensor.unplug()
    service.configure(READS, device=IMU)
    service.link("spi")
    service.start()
    service.wait_for_line("state waiting")
    for times in (1, 2):
        sensor.plug()
        wait_for_lines(service, "device imu is there", times)
        sensor.play(1)
        wait_for_lines(service, reading(samples, 0), times)
        sensor.unplug()
        wait_for_lines(service, "device imu went away", times)
