"""A real interface that is deleted, or not there yet, and comes."""

from __future__ import annotations

import asyncio
from typing import Any

import awaitd
import pytest
from can_peers import cansend, ip

DEADLINE_S = 20.0


def make(interface: str) -> None:
    ip("link", "add", interface, "type", "vcan")
    ip("link", "set", interface, "mtu", "72", "up")


async def take(queue: Any, interface: str, text: str) -> awaitd.CanFrame:
    """Sends until the device, which may just be opening, has it. What was sent
    once too often before may come yet."""

    async def next_one() -> awaitd.CanFrame:
        while str(frame := await queue.get(timeout=DEADLINE_S)) != text:
            pass
        return frame

    waiting = asyncio.create_task(next_one())
    while not waiting.done():
        cansend(interface, text)
        await asyncio.wait([waiting], timeout=0.05)
    queue.clear()
    return waiting.result()


def test_deleted_interface_that_returns_goes_on(spare_interface):
    async def main():
        with awaitd.open(
            {"driver": "can", "interface": spare_interface, "on_loss": "wait"}
        ) as device, device.queue() as queue:
            first = await take(queue, spare_interface, "001#01")
            ip("link", "delete", spare_interface)
            with pytest.raises(awaitd.DeviceDown):
                async with asyncio.timeout(DEADLINE_S):
                    while True:
                        await device.send(awaitd.CanFrame(arbitration_id=1))
            make(spare_interface)
            frame = await take(queue, spare_interface, "002#02")
            assert first.lost_cause == ""
            assert frame.arbitration_id == 2
            assert "away" in frame.lost_cause
            await device.send(awaitd.CanFrame(arbitration_id=3))
            stats = queue.stats()
            assert stats.received == (
                stats.filtered + stats.delivered + stats.dropped + stats.pending
            )

    asyncio.run(main())


def test_interface_that_is_not_required_may_come_later(spare_interface):
    ip("link", "delete", spare_interface)

    async def main():
        with awaitd.open(
            {"driver": "can", "interface": spare_interface, "required": "no"}
        ) as device, device.queue() as queue:
            make(spare_interface)
            frame = await take(queue, spare_interface, "123##1AABB")
            assert frame.is_fd
            assert frame.data == b"\xaa\xbb"

    asyncio.run(main())
