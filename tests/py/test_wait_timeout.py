"""Timeouts: what they raise, and that a frame that meets one is not lost."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
import rig
from rig import ids

pytestmark = [
    pytest.mark.extension,
    rig.on_every_loop,
    rig.on_every_wakeup,
]


@pytest.mark.parametrize("timeout", [0, 0.0, -5, 1e-9, 0.01])
def test_timeout_raises_the_builtin_timeout_error(run, q, timeout):
    async def main():
        with pytest.raises(
            TimeoutError, match="no frame on queue q of device bus in time"
        ):
            await q.get(timeout=timeout)

    run(main())


@pytest.mark.parametrize("timeout", [0, -1])
def test_timeout_of_nothing_needs_no_loop(q, loop_class, timeout):
    with pytest.raises(TimeoutError):
        q.get(timeout=timeout).send(None)


def test_timeout_is_in_seconds(run, q):
    async def main():
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            await q.get(timeout=0.05)
        return time.monotonic() - before

    assert 0.045 <= run(main()) < 5


def test_timeout_that_does_not_come_leaves_no_timer(run, q, peer):
    async def main():
        before = len(getattr(asyncio.get_running_loop(), "_scheduled", []))
        for number in range(50):
            task = asyncio.create_task(q.get(timeout=1000))
            await asyncio.sleep(0)
            peer.put(q, number)
            await task
        timers = getattr(asyncio.get_running_loop(), "_scheduled", [])
        return [t for t in timers[before:] if not t.cancelled()]

    assert run(main()) == []


def test_timeout_of_get_many_gives_an_empty_list(run, q):
    async def main():
        return [await q.get_many(5, timeout=t) for t in (0, 0.01)]

    assert run(main()) == [[], []]


def test_timeout_of_one_waiter_leaves_the_others(run, q, peer):
    async def main():
        first = asyncio.create_task(q.get(timeout=0.01))
        second = asyncio.create_task(q.get(timeout=60))
        third = asyncio.create_task(q.get())
        with pytest.raises(TimeoutError):
            await first
        peer.put(q, 1, 2)
        return ids([await second, await third])

    assert run(main()) == [1, 2]


def test_timeout_of_a_waiter_in_the_middle_leaves_the_others(run, q, peer):
    async def main():
        first = asyncio.create_task(q.get())
        second = asyncio.create_task(q.get(timeout=0.01))
        third = asyncio.create_task(q.get())
        with pytest.raises(TimeoutError):
            await second
        peer.put(q, 1, 2)
        return ids([await first, await third])

    assert run(main()) == [1, 2]


@pytest.mark.parametrize(
    "timeout, error",
    [
        ("1", TypeError),
        ([], TypeError),
        (1j, TypeError),
        (float("nan"), ValueError),
    ],
)
def test_timeout_that_is_no_number_is_refused(q, loop_class, timeout, error):
    for get in (q.get, q.recv, lambda timeout: q.get_many(1, timeout=timeout)):
        with pytest.raises(error):
            get(timeout=timeout)


def test_timeout_for_ever_waits(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get(timeout=float("inf")))
        await asyncio.sleep(0.01)
        assert not task.done()
        peer.put(q, 7)
        return (await task).arbitration_id

    assert run(main()) == 7


# ---- the storm: a frame arrives when the time is up, again and again ----

COUNT = 300
PERIOD_S = 0.002


async def by_wait_for(queue):
    return await asyncio.wait_for(queue.get(), PERIOD_S)


async def by_timeout(queue):
    async with asyncio.timeout(PERIOD_S):
        return await queue.get()


async def by_argument(queue):
    return await queue.get(timeout=PERIOD_S)


@pytest.mark.parametrize("get", [by_wait_for, by_timeout, by_argument])
def test_h05_storm_of_timeouts_loses_no_frame(run, q, peer, get):
    def feed():
        pace = threading.Event()
        for number in range(COUNT):
            peer.send(q.device, rig.can(number))
            pace.wait(PERIOD_S)

    async def main():
        feeder = threading.Thread(target=feed)
        feeder.start()
        numbers = []
        while len(numbers) < COUNT:
            try:
                numbers.append((await get(q)).arbitration_id)
            except TimeoutError:
                pass
        feeder.join(rig.DEADLINE_S)
        return numbers

    assert run(main()) == list(range(COUNT))
    stats = q.stats()
    assert (stats.received, stats.delivered, stats.dropped) == (COUNT, COUNT, 0)
