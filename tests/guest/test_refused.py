"""What of a real CAN bus and of UDP an ordinary user is refused. (Setting a bit
rate: tests/unit/test_can_kernel_link.c, which wants a controller.)"""

from __future__ import annotations

import errno
import socket
import sys

import pytest
import others
import refused
from can_protocols import CAN_BCM, CAN_J1939, require_protocol

DEVICES = {
    "can": "bus=can:vcan0",
    "bcm": "bus=bcm:vcan0,watch=123",
    "j1939": "bus=j1939:vcan0",
}


@pytest.mark.parametrize("driver", DEVICES)
def test_restricted_families_without_netlink_are_named(start_process, driver):
    require_protocol(CAN_BCM)
    require_protocol(CAN_J1939)
    before = refused.without(socket.AF_NETLINK, code=errno.EAFNOSUPPORT)
    told = refused.refusal(start_process, before, DEVICES[driver])
    assert "RestrictAddressFamilies= must allow AF_NETLINK" in told


def test_port_of_root_names_the_capability(start_process):
    told = refused.refusal(
        start_process, others.without_rights(), "net=udp:127.0.0.1:7"
    )
    assert "cannot bind 127.0.0.1:7: Permission denied" in told
    assert "ports below 1024 need CAP_NET_BIND_SERVICE" in told


def test_urgent_priority_names_the_capability(start_process):
    require_protocol(CAN_J1939)
    told = refused.refusal(
        start_process,
        others.without_rights(),
        "truck=j1939:vcan0,address=0x20,send_priority=1",
    )
    assert "send_priority 1: 0 and 1 take CAP_NET_ADMIN" in told


SEND_URGENTLY = """
import asyncio, awaitd

async def main():
    with awaitd.open({"name": "truck", "driver": "j1939",
                      "interface": "vcan0", "address": 0x20}) as truck:
        for priority in (0, 1):
            try:
                await truck.send(
                    awaitd.J1939Message(b"x", 0xFEF1, priority=priority))
            except awaitd.DeviceError as error:
                print(error.errno)
        await truck.send(awaitd.J1939Message(b"x", 0xFEF1, priority=2))

asyncio.run(main())
"""


def test_urgent_messages_alone_are_refused_and_told_once(start_process):
    require_protocol(CAN_J1939)
    process = start_process(
        *others.without_rights(), sys.executable, "-c", SEND_URGENTLY
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout.split() == [str(errno.EPERM)] * 2
    (line,) = (
        line for line in process.stderr.splitlines() if "refused" in line
    )
    assert "a message of priority 0 was refused" in line
    assert "CAP_NET_ADMIN" in line
