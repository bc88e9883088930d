"""How to test a coroutine of one's own, without hardware: on a virtual bus.

    PYTHONPATH=build python3 -m pytest examples/test_with_virtual_bus.py

What one queue's owner sends, the test's other queues get.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import awaitd

TEMPERATURE = 0x420
FAN = 0x421


async def control_fan(bus: awaitd.Device[awaitd.CanFrame]) -> None:
    """What is tested: switches a fan on above 90 °C, and off below 80 °C."""
    filters = [{"can_id": TEMPERATURE, "can_mask": 0x7FF}]
    running = False
    with bus.queue(filters=filters) as temperatures:
        async for frame in temperatures:
            wanted = frame.data[0] - 40 > (80 if running else 90)
            if wanted != running:
                running = wanted
                await bus.send(awaitd.CanFrame(FAN, [running]))


@pytest.fixture
def bus() -> Iterator[awaitd.Device[awaitd.CanFrame]]:
    # receive_own: here the test and what it tests are one script.
    with awaitd.open({"driver": "virtual", "receive_own": True}) as device:
        yield device


def test_fan_follows_the_temperature_with_hysteresis(
    bus: awaitd.Device[awaitd.CanFrame],
) -> None:
    async def scenario() -> list[bytes]:
        fan = bus.queue(filters=[{"can_id": FAN, "can_mask": 0x7FF}])
        control = asyncio.create_task(control_fan(bus))
        await asyncio.sleep(0)  # it has attached its queue
        for celsius in (20, 91, 85, 79):
            await bus.send(awaitd.CanFrame(TEMPERATURE, [celsius + 40]))
        commands = [await fan.get(timeout=5), await fan.get(timeout=5)]
        control.cancel()
        return [command.data for command in commands]

    assert asyncio.run(scenario()) == [b"\x01", b"\x00"]


def test_no_frame_is_unaccounted_for(
    bus: awaitd.Device[awaitd.CanFrame],
) -> None:
    async def scenario() -> awaitd.QueueStats:
        queue = bus.queue(depth=2)
        for number in range(3):
            await bus.send(awaitd.CanFrame(0x100, [number]))
        while queue.stats().received < 3:  # sent, and still on its way
            await asyncio.sleep(0)
        await queue.get()
        return queue.stats()

    stats = asyncio.run(scenario())
    assert (stats.received, stats.delivered) == (3, 1)
    assert (stats.dropped_overflow, stats.pending) == (1, 1)
