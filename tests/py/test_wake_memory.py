"""A wake that there is no memory for is not lost: the bridge tries again."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
import rig
from poor_loop import run_poor

import awaitd

pytestmark = pytest.mark.extension


def in_a_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


@pytest.mark.parametrize("refusals", [1, 3])
def test_get_is_woken_when_there_is_memory_again(bus, peer, refusals):
    queue = bus.queue()

    async def main(loop):
        task = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        loop.refusals = refusals
        peer.put(queue, 7)
        return await task

    assert run_poor(main).arbitration_id == 7


def test_get_is_woken_once_where_it_was_scheduled_all_the_same(bus, peer):
    queue = bus.queue()

    async def two():
        return rig.ids([await queue.get(), await queue.get()])

    async def main(loop):
        task = asyncio.create_task(two())
        await asyncio.sleep(0)
        loop.half_done, loop.refusals = True, 1
        peer.put(queue, 7)
        # Long enough for the bridge to have tried again before the task's turn.
        time.sleep(0.1)
        for _ in range(5):
            await asyncio.sleep(0)
        peer.put(queue, 8)
        return await task

    assert run_poor(main) == [7, 8]


def test_get_behind_one_that_leaves_is_woken(bus, peer):
    queue = bus.queue()

    async def main(loop):
        tasks = [asyncio.create_task(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        loop.refuses_soon = True
        peer.put(queue, 7, 8)
        return rig.ids(await asyncio.gather(*tasks))

    assert run_poor(main) == [7, 8]


def test_every_get_of_a_closed_queue_is_woken(bus):
    queue = bus.queue()

    async def main(loop):
        tasks = [asyncio.create_task(queue.get()) for _ in range(5)]
        await asyncio.sleep(0)
        loop.refusals = 3
        in_a_thread(queue.close)
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(end) for end in run_poor(main)} == {awaitd.QueueClosed}


def test_send_is_woken(bus):
    async def main(loop):
        loop.refusals = 2
        return await bus.send(rig.can(7), confirm=True)

    assert run_poor(main).arbitration_id == 7


def test_wait_that_is_cancelled_meanwhile_is_cancelled_once(bus, peer):
    queue = bus.queue()

    async def main(loop):
        task = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        loop.refusals = 1000
        peer.put(queue, 7)
        while loop.refusals == 1000:
            await asyncio.sleep(0.001)
        task.cancel()
        loop.refusals = 0
        with pytest.raises(asyncio.CancelledError):
            await task
        return await queue.get()

    assert run_poor(main).arbitration_id == 7
