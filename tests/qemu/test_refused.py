"""What of a real SPI bus, GPIO chip and CAN controller an ordinary user is
refused."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import gpio_lines
import pytest
import others
import refused
from can_peers import ip
from can_protocols import CAN_ISOTP, require_protocol
from spi_sensor import Sensor

SAMPLING = "sample=80,sample_bytes=12"


@pytest.fixture
def closed_chip(sensor: Sensor) -> Iterator[Path]:
    """The chip of the sensor's line, for root alone; the node is open."""
    chip = gpio_lines.find(sensor.DATA_READY).chip
    Path(sensor.NODE).chmod(0o666)
    chip.chmod(0o600)
    yield chip
    Path(sensor.NODE).chmod(0o600)


def test_node_of_another_user_names_the_group(start_process, sensor):
    Path(sensor.NODE).chmod(0o600)
    told = refused.refusal(
        start_process, others.without_rights(), f"adc=spi:{sensor.NODE}"
    )
    assert f"this user may not open {sensor.NODE}" in told
    assert f"`ls -l {sensor.NODE}` names the group that may" in told
    assert "SupplementaryGroups=" in told


def test_chip_of_another_user_is_named(start_process, sensor, closed_chip):
    offset = gpio_lines.find(sensor.DATA_READY).offset
    line = f"{closed_chip.name}:{offset}"
    told = refused.refusal(
        start_process,
        others.without_rights(),
        f"imu=spi:{sensor.NODE},{SAMPLING},data_ready={line}",
    )
    assert f"this user may not open {closed_chip}" in told
    assert "names the group that may (often gpio)" in told
    assert "SupplementaryGroups=" in told


def test_line_on_a_chip_of_another_user_may_be_there(
    start_process, sensor, closed_chip
):
    """Who looks for a name cannot know."""
    told = refused.refusal(
        start_process,
        others.without_rights(),
        f"imu=spi:{sensor.NODE},{SAMPLING},data_ready={sensor.DATA_READY}",
    )
    assert "may not open" in told
    assert f'the others have no line "{sensor.DATA_READY}"' in told
    assert "(often gpio)" in told


def test_bit_rate_of_an_ordinary_user_names_the_command(
    start_process, controllers
):
    ip("link", "set", "can0", "down")
    told = refused.refusal(
        start_process,
        others.without_rights(),
        "bus=can:can0,bitrate=250000",
    )
    assert "may not set it (CAP_NET_ADMIN)" in told
    assert (
        "`ip link set can0 type can bitrate 250000 && ip link set can0 up`"
        in told
    )


def test_isotp_without_netlink_names_the_family(start_process):
    require_protocol(CAN_ISOTP)
    before = refused.without(socket.AF_NETLINK, code=errno.EAFNOSUPPORT)
    told = refused.refusal(
        start_process, before, "ecu=isotp:vcan0,tx_id=0x7E0,rx_id=0x7E8"
    )
    assert "RestrictAddressFamilies= must allow AF_NETLINK" in told
