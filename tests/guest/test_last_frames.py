"""What lies in the kernel's buffer when an interface goes down or away, while a
queue that blocks holds up the reader: it is read first, to the last frame."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import awaitd
import pytest
from can_peers import EXTENDED, ip, send_raw
from can_protocols import CAN_BCM, CAN_J1939, require_protocol

DEADLINE_S = 20.0
SENT = 50
DEPTH = 16

# The driver's options, and the identifier of the frames that are sent.
DRIVERS: dict[str, tuple[dict[str, object], int]] = {
    "can": ({"driver": "can"}, 0x123),
    "bcm": ({"driver": "bcm", "watch": "123"}, 0x123),
    "j1939": ({"driver": "j1939"}, 0x18FEF120 | EXTENDED),
}


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name in ("bcm", "j1939"):
        require_protocol(CAN_BCM if name == "bcm" else CAN_J1939)
    return name


def open_driver(driver: str, interface: str, **options: object) -> Any:
    given = DRIVERS[driver][0] | {"interface": interface}
    return awaitd.open(given | options)


def send(driver: str, interface: str, numbers: range) -> None:
    for number in numbers:
        send_raw(interface, DRIVERS[driver][1], struct.pack("<I", number))


def number_of(frame: Any) -> int:
    return int(struct.unpack("<I", frame.data)[0])


def make(interface: str) -> None:
    ip("link", "add", interface, "type", "vcan")
    ip("link", "set", interface, "mtu", "72", "up")


@pytest.fixture
def delete() -> Iterator[Any]:
    """Deletes an interface, and does not wait for the command: as long as a
    socket of J1939 is bound to it that does not end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(interface: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["ip", "link", "delete", interface])
        started.append(process)
        deadline = time.monotonic() + DEADLINE_S
        while interface in [name for _, name in socket.if_nameindex()]:
            assert time.monotonic() < deadline, f"{interface} is still there"
        return process

    yield start
    for process in started:
        assert process.wait(DEADLINE_S) == 0


def blocked(device: Any, driver: str, interface: str) -> Any:
    """A queue that is full, with the rest of SENT frames in the kernel."""
    queue = device.queue(depth=DEPTH, overflow="block")
    send(driver, interface, range(SENT))
    deadline = time.monotonic() + DEADLINE_S
    while queue.stats().pending < DEPTH:
        assert time.monotonic() < deadline
    return queue


def next_frame(queue: Any) -> Any:
    frame = queue.recv(timeout=DEADLINE_S)
    assert frame is not None, "nothing more came"
    return frame


def take(queue: Any, count: int) -> list[int]:
    return [number_of(next_frame(queue)) for _ in range(count)]


def check_ledger(queue: Any, delivered: int) -> None:
    stats = queue.stats()
    assert (stats.received, stats.delivered) == (delivered, delivered)
    assert (stats.dropped, stats.pending) == (0, 0)


def test_deleted_interface_loses_the_device_behind_its_last_frame(
    driver, spare_interface, delete
):
    with open_driver(driver, spare_interface) as device:
        queue = blocked(device, driver, spare_interface)
        delete(spare_interface)
        assert take(queue, SENT) == list(range(SENT))
        with pytest.raises(awaitd.DeviceLost):
            queue.recv(timeout=DEADLINE_S)
        check_ledger(queue, SENT)


def test_deleted_interface_that_is_waited_for_is_away_behind_its_last_frame(
    driver, spare_interface, delete
):
    with open_driver(driver, spare_interface, on_loss="wait") as device:
        queue = blocked(device, driver, spare_interface)
        gone = delete(spare_interface)
        frames = [next_frame(queue) for _ in range(SENT)]
        assert [number_of(one) for one in frames] == list(range(SENT))
        assert not any(one.lost_cause for one in frames)
        assert gone.wait(DEADLINE_S) == 0
        make(spare_interface)
        deadline = time.monotonic() + DEADLINE_S
        while (found := queue.recv(timeout=0.05)) is None:
            assert time.monotonic() < deadline
            send(driver, spare_interface, range(SENT, SENT + 1))
        assert (number_of(found), found.lost_cause) == (SENT, "away")


def test_interface_taken_down_loses_nothing(driver, spare_interface):
    with open_driver(driver, spare_interface) as device:
        queue = blocked(device, driver, spare_interface)
        ip("link", "set", spare_interface, "down")
        assert take(queue, SENT) == list(range(SENT))
        ip("link", "set", spare_interface, "up")
        send(driver, spare_interface, range(SENT, SENT + 1))
        assert take(queue, 1) == [SENT]
        check_ledger(queue, SENT + 1)


def test_closed_queue_lets_a_deleted_interface_go(
    driver, spare_interface, delete
):
    """Nobody takes the rest any more: the device is lost without it."""

    async def main() -> None:
        with open_driver(driver, spare_interface) as device:
            queue = blocked(device, driver, spare_interface)
            gone = delete(spare_interface)
            with device.queue() as other:
                queue.close()
                with pytest.raises(awaitd.DeviceLost):
                    for _ in range(SENT + 1):
                        await other.get(timeout=DEADLINE_S)
                # The device is still open, but none of its sockets.
                assert gone.wait(DEADLINE_S) == 0

    asyncio.run(main())
