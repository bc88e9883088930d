"""budget_us: one wake for many frames, and none late that comes alone."""

from __future__ import annotations

import asyncio

import pytest
import rig

pytestmark = [pytest.mark.extension, rig.on_every_wakeup]

# So long that a wake which waits for it is noticed by the test's deadline.
ENDLESS_US = 10_000_000


@pytest.fixture
def patient(bus, wakeup):
    """A queue whose reader may wait for ten seconds."""
    return bus.queue(budget_us=ENDLESS_US, wakeup=wakeup)


def test_first_frame_of_a_sparse_stream_wakes_at_once(run, patient, peer):
    async def main():
        task = asyncio.create_task(patient.get())
        await asyncio.sleep(0)
        peer.put(patient, 7)
        async with asyncio.timeout(rig.DEADLINE_S / 2):
            return (await task).arbitration_id

    assert run(main()) == 7
    assert patient.stats().wakes == 1


def test_frames_that_are_sparser_than_the_budget_wake_each(
    run, bus, wakeup, peer
):
    queue = bus.queue(budget_us=1000, wakeup=wakeup)

    async def main():
        for number in range(20):
            task = asyncio.create_task(queue.get())
            await asyncio.sleep(0.002)
            peer.put(queue, number)
            assert (await task).arbitration_id == number

    run(main())
    assert queue.stats().wakes == 20


def test_dense_stream_wakes_far_less_often(run, bus, wakeup, peer):
    queue = bus.queue(budget_us=20_000, wakeup=wakeup)
    count = 1000

    async def main():
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(
            None, peer.send, bus, *rig.cans(range(count))
        )
        numbers = []
        while len(numbers) < count:
            numbers += rig.ids(await queue.get_many(count))
        await sending
        return numbers

    assert run(main()) == list(range(count))
    assert queue.stats().wakes <= count / 4


def test_full_queue_does_not_wait_for_its_budget(run, bus, wakeup, peer):
    """Half full is enough: nothing is to be lost for a wake saved."""
    queue = bus.queue(depth=8, budget_us=ENDLESS_US, wakeup=wakeup)

    async def main():
        first = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        peer.put(queue, 0)
        await first
        second = asyncio.create_task(queue.get_many(8))
        await asyncio.sleep(0)
        peer.put(queue, 1, 2, 3, 4)
        async with asyncio.timeout(rig.DEADLINE_S / 2):
            return rig.ids(await second)

    assert run(main()) == [1, 2, 3, 4]


def test_end_does_not_wait_for_the_budget(run, patient, peer):
    async def main():
        first = asyncio.create_task(patient.get())
        await asyncio.sleep(0)
        peer.put(patient, 0)
        await first
        second = asyncio.create_task(patient.get_many(8))
        await asyncio.sleep(0)
        peer.put(patient, 1)
        patient.close()
        async with asyncio.timeout(rig.DEADLINE_S / 2):
            return rig.ids(await second)

    assert run(main()) == [1]
