"""The wall clock of the guest jumps: nobody waits longer or shorter for it."""

from __future__ import annotations

import asyncio
import time

import pytest

import awaitd


@pytest.fixture
def jump():
    """jump(seconds) sets the wall clock; it is set back afterwards."""
    began = time.time(), time.monotonic()

    def by(seconds: float) -> None:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    yield by
    passed_s = time.monotonic() - began[1]
    time.clock_settime(time.CLOCK_REALTIME, began[0] + passed_s)


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_h40_clock_that_jumps_moves_the_timestamp_alone(jump, seconds):
    with awaitd.open({"name": "bus", "driver": "virtual"}) as bus:
        queue = bus.queue()
        jumped_ns = seconds * 1_000_000_000

        async def exchange() -> awaitd.CanFrame:
            await bus.send(awaitd.CanFrame(1))
            return await queue.get()

        async def main() -> None:
            before = await exchange()
            jump(seconds)
            with pytest.raises(TimeoutError):
                await queue.get(timeout=0.2)
            after = await exchange()
            by_wall = after.timestamp_ns - before.timestamp_ns
            by_clock = after.monotonic_ns - before.monotonic_ns
            assert 200_000_000 <= by_clock < 20_000_000_000
            assert abs(by_wall - by_clock - jumped_ns) < 1_000_000_000

        asyncio.run(asyncio.wait_for(main(), 20))
