"""A crowd of waiters on one queue, while the GIL changes hands all the time."""

from __future__ import annotations

import asyncio
import sys

import pytest
import rig

import awaitd

pytestmark = [pytest.mark.extension, rig.on_every_wakeup]


def test_many_waiters_all_end_while_the_loop_runs_beside_the_bridge(wakeup):
    """Each that is woken may leave and be freed before the next is woken."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    async def wait_and_end(queue):
        with pytest.raises(awaitd.QueueClosed):
            await queue.get()

    async def main():
        for _ in range(400):
            with awaitd.open("virtual:can") as bus:
                queue = bus.queue(wakeup=wakeup)
                tasks = [
                    asyncio.create_task(wait_and_end(queue)) for _ in range(60)
                ]
                await asyncio.sleep(0)
                await asyncio.to_thread(queue.close)
                await asyncio.gather(*tasks)

    try:
        asyncio.run(main())
    finally:
        sys.setswitchinterval(before)
