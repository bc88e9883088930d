"""The drop-in `spi` and the rules of udev beside it, with a real SPI device
under the real systemd. The tests build on each other, since a start takes
seconds there: one service is refused, gets the drop-in, and is looked at."""

from __future__ import annotations

import grp
import stat
from pathlib import Path
from typing import NamedTuple

import pytest
from booted import Systemd, wait_until
from services import DROP_INS, Service
from spi_sensor import FRESH, MARKER, Sensor


def groups_of_the_drop_in(system: Systemd) -> set[str]:
    text = system.path(f"{DROP_INS}/spi.conf").read_text()
    (line,) = (
        it for it in text.splitlines() if it.startswith("SupplementaryGroups=")
    )
    return set(line.partition("=")[2].split())


class Access(NamedTuple):
    owner: str
    group: str
    mode: int


def access_to_nodes() -> dict[str, Access]:
    """Of each SPI device and GPIO chip."""
    found = {}
    for pattern in ("spidev*", "gpiochip*"):
        for node in Path("/dev").glob(pattern):
            status = node.stat()
            group = grp.getgrgid(status.st_gid).gr_name
            found[node.name] = Access(
                node.owner(), group, stat.S_IMODE(status.st_mode)
            )
    assert set(found) >= {"spidev0.0", "spidev0.1", "gpiochip0"}
    return found


def reading(samples: list[bytes], number: int) -> str:
    """What the script prints of it."""
    reply = bytes([MARKER, FRESH]) + number.to_bytes(4, "big")
    return f"sample {(reply + samples[number]).hex()}"


def wait_for_lines(service: Service, text: str, count: int) -> None:
    wait_until(lambda: service.journal().count(text) == count, service.journal)


# ---- without the drop-in ----


def test_error_names_the_device_and_its_drop_in(
    refused: Service, command: str
) -> None:
    assert refused.show("ExecMainStatus") == "69"
    assert (
        "device imu: the service does not allow it without the drop-in spi"
        in refused.journal()
    )
    assert f"{DROP_INS}/spi.conf" in command


# ---- the rules ----


def test_rules_of_the_guide_give_the_nodes_the_units_groups(
    system: Systemd, sensor: Sensor, request: pytest.FixtureRequest
) -> None:
    """At once, and those of what is plugged in later."""
    assert {it.group for it in access_to_nodes().values()} == {"root"}
    request.getfixturevalue("rules")
    groups = groups_of_the_drop_in(system)
    for _ in range(2):
        found = access_to_nodes()
        assert {it.group for it in found.values()} == groups
        for name, access in found.items():
            # spi has spidev0.0, and gpio has gpiochip0.
            assert name.startswith(access.group)
            assert (access.owner, access.mode) == ("root", 0o660)
        sensor.reset()
        system.run("udevadm", "settle")


# ---- with both ----


def test_script_makes_transfers_and_reads_edges(
    running: Service, sensor: Sensor, samples: list[bytes]
) -> None:
    assert "back 010203" in running.journal()
    for number in range(3):
        sensor.play(1)
        running.wait_for_line(reading(samples, number))


def test_user_is_dynamic_and_has_the_groups_and_no_capability(
    running: Service,
) -> None:
    lines = running.system.path(f"/proc/{running.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in lines.splitlines())
    assert 61184 <= int(fields["Uid"].split()[0]) <= 65519
    groups = {grp.getgrgid(int(it)).gr_name for it in fields["Groups"].split()}
    assert groups >= groups_of_the_drop_in(running.system)
    for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0, name
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def test_unit_opens_no_node_of_another_kind(
    running: Service, other_node: str
) -> None:
    # Its mode lets in any other user.
    running.system.run(
        "setpriv", "--reuid=4711", "--clear-groups", "sh", "-c",
        f": <>{other_node}",
    )
    journal = running.journal()
    assert f"{Sensor.NODE} opens" in journal
    assert f"{other_node} Operation not permitted" in journal


def test_device_that_is_plugged_in_again_is_read_on(
    running: Service, sensor: Sensor, samples: list[bytes]
) -> None:
    """Its node is a new one, which udev gives to the group once more."""
    before = running.journal().count(reading(samples, 0))
    sensor.unplug()
    running.wait_for_line("device imu went away")
    sensor.plug()
    running.wait_for_line("device imu is there")
    sensor.play(1)
    wait_for_lines(running, reading(samples, 0), before + 1)
