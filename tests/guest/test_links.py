"""What becomes of an interface, as drivers of CAN's protocols tell it: those
that hear of it by devices/link_watch.c. (isotp is in tests/qemu.)"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from typing import Any

import awaitd
import pytest
from can_peers import ip
from can_protocols import CAN_BCM, CAN_J1939, require_protocol

DEADLINE_S = 20.0
BLIPS = 20

DRIVERS = {
    "bcm": (CAN_BCM, {"watch": "123"}),
    "j1939": (CAN_J1939, {"address": 0x20}),
}


@pytest.fixture(params=DRIVERS)
def open_driver(request: pytest.FixtureRequest) -> Any:
    """open_driver(interface, **options) -> Device."""
    protocol, own = DRIVERS[request.param]
    require_protocol(protocol)

    def start(interface: str, **options: Any) -> Any:
        base = {"driver": request.param, "interface": interface}
        return awaitd.open(base | own | options)

    return start


@pytest.fixture
def cable() -> Iterator[tuple[str, str]]:
    """Two interfaces, one at the other end of the other: vxcan."""
    ends = ("vx0", "vx1")
    ip(*f"link add {ends[0]} type vxcan peer name {ends[1]}".split())
    for end in ends:
        ip("link", "set", end, "up")
    yield ends
    subprocess.run(
        ["ip", "link", "delete", ends[0]], check=False, stderr=subprocess.DEVNULL
    )


async def told(queue: Any, count: int) -> list[tuple[str, Any]]:
    async with asyncio.timeout(DEADLINE_S):
        events = [await queue.get() for _ in range(count)]
    return [(event.kind, event.value) for event in events]


def test_link_taken_down_and_up_is_told(open_driver, spare_interface):
    async def main() -> None:
        with open_driver(spare_interface) as device:
            queue = device.queue(events=True)
            assert (device.state, device.carrier) == ("up", True)
            ip("link", "set", spare_interface, "down")
            assert await told(queue, 1) == [("link-down", "admin")]
            assert (device.state, device.carrier) == ("down", None)
            ip("link", "set", spare_interface, "up")
            assert await told(queue, 1) == [("link-up", 0)]
            assert (device.state, device.carrier) == ("up", True)

    asyncio.run(main())


def test_each_change_is_told_to_a_queue_that_looks_late(
    open_driver, spare_interface
):
    """However short: what a link did is no guess of when somebody looked."""

    async def main() -> list[tuple[str, Any]]:
        with open_driver(spare_interface) as device:
            queue = device.queue(events=True)
            commands = [
                f"link set {spare_interface} {way}\n"
                for _ in range(BLIPS)
                for way in ("down", "up")
            ]
            subprocess.run(
                ["ip", "-batch", "-"],
                input="".join(commands),
                text=True,
                check=True,
                timeout=DEADLINE_S,
            )
            return await told(queue, 2 * BLIPS)

    expected = [("link-down", "admin"), ("link-up", 0)] * BLIPS
    assert asyncio.run(main()) == expected


def test_lost_carrier_is_told(open_driver, cable):
    near, far = cable

    async def main() -> None:
        with open_driver(near) as device:
            queue = device.queue(events=True)
            assert device.carrier is True
            ip("link", "set", far, "down")
            assert await told(queue, 1) == [("link-down", "carrier")]
            assert (device.state, device.carrier) == ("down", False)
            ip("link", "set", far, "up")
            assert await told(queue, 1) == [("link-up", 0)]

    asyncio.run(main())


def test_interface_that_is_removed_and_made_anew_is_told(
    open_driver, spare_interface
):
    """Of the same name, it is another one."""

    async def main() -> list[str]:
        with open_driver(spare_interface, on_loss="wait") as device:
            queue = device.queue(events=True)
            ip("link", "delete", spare_interface)
            ip("link", "add", spare_interface, "type", "vcan")
            ip("link", "set", spare_interface, "up")
            kinds: list[str] = []
            async with asyncio.timeout(DEADLINE_S):
                while "back" not in kinds or device.state != "up":
                    kinds.append((await queue.get()).kind)
            assert (device.lost, device.reopened) == (1, 1)
            return kinds

    kinds = asyncio.run(main())
    # Going, it may be seen to be down; coming, not yet to be up.
    assert [kind for kind in kinds if not kind.startswith("link-")] == [
        "lost",
        "back",
    ]
