"""Cancelling never loses a frame, and never loses a wake.

The matrix: how a waiter takes, how it is given up, when, on which loop, and
what wakes that. Each time the frame must end up with somebody, in order, and
the ledger must say so.
"""

from __future__ import annotations

import asyncio

import pytest
import rig
from rig import ids

import awaitd

pytestmark = [
    pytest.mark.extension,
    rig.on_every_loop,
    rig.on_every_wakeup,
]


# ---- by which call ----
# way(queue) is to be awaited, and gives a frame or numbers.


async def by_lease(queue):
    async with queue.lease() as frames:
        return ids(frames)


async def by_iterating(queue):
    async for frame in queue:
        return frame


WAYS = {
    "get": lambda queue: queue.get(),
    "get_many": lambda queue: queue.get_many(1),
    "get_batch": lambda queue: queue.get_batch(1),
    "lease": by_lease,
    "async_for": by_iterating,
}


def given(result) -> list[int]:
    if result is None:
        return []
    if isinstance(result, awaitd.CanFrame):
        return [result.arbitration_id]
    return [item if isinstance(item, int) else item.arbitration_id
            for item in result]


# ---- how ----
# Each waits for a frame in a task until it is given up, and returns what came
# or None. `give_up` is an event of the test's; what ends the wait is the
# mechanism itself.


class Plain:
    """task.cancel()"""

    def __init__(self, queue, way):
        self.task = asyncio.create_task(self._wait(queue, way))

    async def _wait(self, queue, way):
        try:
            return await way(queue)
        except asyncio.CancelledError:
            return None

    def give_up(self):
        self.task.cancel()


class WaitFor:
    """asyncio.wait_for around it, cancelled from outside"""

    def __init__(self, queue, way):
        self.task = asyncio.create_task(self._wait(queue, way))

    async def _wait(self, queue, way):
        try:
            return await asyncio.wait_for(way(queue), 60)
        except (asyncio.CancelledError, TimeoutError):
            return None

    def give_up(self):
        self.task.cancel()


class Timeout:
    """asyncio.timeout around it, whose time is up"""

    def __init__(self, queue, way):
        self.scope = asyncio.timeout(60)
        self.task = asyncio.create_task(self._wait(queue, way))

    async def _wait(self, queue, way):
        try:
            async with self.scope:
                return await way(queue)
        except TimeoutError:
            return None

    def give_up(self):
        self.scope.reschedule(asyncio.get_running_loop().time())
        # Due now: run as the timer would, at this very moment.
        self.scope._on_timeout()


class Native:
    """its own timeout=, whose time is up"""

    def __init__(self, queue, way):
        self.lease = queue.lease(timeout=60) if way is by_lease else None
        if self.lease:
            self.get = self.lease.__aenter__()
        elif way is WAYS["get"]:
            self.get = queue.get(timeout=60)
        elif way is WAYS["get_many"]:
            self.get = queue.get_many(1, timeout=60)
        else:
            self.get = queue.get_batch(1, timeout=60)
        self.task = asyncio.create_task(self._wait())

    async def _wait(self):
        try:
            result = await self.get
        except TimeoutError:
            return None
        if self.lease:
            await self.lease.__aexit__(None, None, None)
        return result

    def give_up(self):
        # What the loop's timer calls; it resumes the task there and then, so
        # not from within another one.
        if asyncio.current_task() is None:
            self.get._expire()
        else:
            asyncio.get_running_loop().call_soon(self.get._expire)


HOW = [Plain, WaitFor, Timeout, Native]


def combined(hows):
    """Each of them with each way; async for has no timeout of its own."""
    return pytest.mark.parametrize(
        "How, way",
        [
            pytest.param(how, way, id=f"{how.__name__}-{name}")
            for how in hows
            for name, way in WAYS.items()
            if not (how is Native and way is by_iterating)
        ],
    )


how = combined(HOW)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def rest(queue):
    """What is still there, after all."""
    await turns()
    return ids([] if queue.qsize() == 0 else await queue.get_many(1000))


# ---- when ----


@how
def test_h04_given_up_before_arrival_leaves_the_frame(run, q, peer, How, way):
    async def main():
        waiter = How(q, way)
        await turns()
        waiter.give_up()
        result = await waiter.task
        peer.put(q, 7)
        return given(result), await rest(q)

    assert run(main()) == ([], [7])


@combined([Plain, WaitFor])
def test_h04_given_up_before_its_first_step_leaves_the_frame(
    run, q, peer, How, way
):
    peer.put(q, 7)

    async def main():
        waiter = How(q, way)
        waiter.give_up()
        (result,) = await asyncio.gather(waiter.task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError)
        return await rest(q)

    assert run(main()) == [7]


@how
def test_h04_given_up_with_the_wake_on_its_way_leaves_the_frame(
    run, q, peer, How, way
):
    """The bridge has scheduled the wake; the loop has not run it yet."""

    async def main():
        waiter = How(q, way)
        await turns()
        peer.put(q, 7)
        asyncio.get_running_loop().hold_until_woken()
        waiter.give_up()
        result = await waiter.task
        return given(result) + await rest(q)

    assert run(main()) == [7]
    assert rig.exact(q.stats())


@how
def test_h04_given_up_between_wake_and_resume_leaves_the_frame(
    run, q, peer, How, way
):
    """The future has its result; the task has not been resumed yet."""

    async def main():
        loop = asyncio.get_running_loop()
        waiter = How(q, way)
        await turns()
        peer.put(q, 7)
        loop.hold_until_woken()
        # Behind the wake, and ahead of the task's next step.
        loop.call_soon(waiter.give_up)
        result = await waiter.task
        return given(result) + await rest(q)

    assert run(main()) == [7]
    assert rig.exact(q.stats())


@how
def test_h04_given_up_after_it_has_the_frame_keeps_it(run, q, peer, How, way):
    async def main():
        waiter = How(q, way)
        await turns()
        peer.put(q, 7)
        result = await waiter.task
        if How is not Timeout:  # whose scope has been left
            waiter.give_up()
        return given(result), await rest(q)

    assert run(main()) == ([7], [])


# ---- the wake goes on ----


@how
@pytest.mark.parametrize("taken", [False, True])
def test_h07_wake_goes_on_to_the_second_waiter(run, q, peer, How, way, taken):
    """A frame for two waiters; the first gives up with its wake on its way,
    or between wake and resume.

    A native get() whose time is up at that instant still takes the frame, and
    a wait_for() may: then the second goes on waiting, and gets the next.
    """

    async def main():
        loop = asyncio.get_running_loop()
        first, second = How(q, way), How(q, way)
        await turns()
        peer.put(q, 7)
        loop.hold_until_woken()
        if taken:
            loop.call_soon(first.give_up)
        else:
            first.give_up()
        result = given(await first.task)
        if result:
            await turns()
            assert not second.task.done()
            peer.put(q, 8)
        return result + given(await second.task), await rest(q)

    numbers, left = run(main())
    assert numbers in ([7], [7, 8])
    assert left == []


@how
def test_h04_many_given_up_at_the_instant_lose_nothing(run, q, peer, How, way):
    """Twenty waiters, ten frames, and every other waiter gives up."""

    async def main():
        loop = asyncio.get_running_loop()
        waiters = [How(q, way) for _ in range(20)]
        await turns()
        peer.put(q, *range(10))
        loop.hold_until_woken()
        for waiter in waiters[::2]:
            loop.call_soon(waiter.give_up)
        await turns(40)
        for waiter in waiters:
            if not waiter.task.done():
                waiter.give_up()
        results = await asyncio.gather(*(waiter.task for waiter in waiters))
        return sorted(sum(map(given, results), await rest(q)))

    assert run(main()) == list(range(10))
    assert rig.exact(q.stats())


@how
def test_h04_frame_by_frame_given_up_at_the_instant_loses_nothing(
    run, q, peer, How, way
):
    """200 frames, each meeting a waiter that is given up as it comes."""

    async def main():
        loop = asyncio.get_running_loop()
        got = []
        for number in range(200):
            loop.woken.clear()
            waiter = How(q, way)
            await turns(3)
            peer.put(q, number)
            loop.hold_until_woken()
            if number % 2:
                waiter.give_up()
            else:
                loop.call_soon(waiter.give_up)
            got += given(await waiter.task)
            if q.qsize():
                got += ids([q.get_nowait()])
        return got

    assert run(main()) == list(range(200))
    stats = q.stats()
    assert (stats.received, stats.delivered) == (200, 200)


# ---- groups ----


def test_h08_task_group_sibling_that_fails_loses_no_frame(run, q, peer):
    async def main():
        async def fail():
            raise ValueError

        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(q.get())
                await asyncio.sleep(0)
                group.create_task(fail())
        peer.put(q, 7)
        return await rest(q)

    assert run(main()) == [7]


def test_wait_with_a_timeout_cancels_nothing(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get())
        done, pending = await asyncio.wait([task], timeout=0)
        assert (done, pending) == (set(), {task})
        peer.put(q, 7)
        return ids([await task])

    assert run(main()) == [7]


def test_shielded_get_survives_a_cancel(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get())
        outer = asyncio.create_task(asyncio.wait_for(asyncio.shield(task), 60))
        await turns()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        peer.put(q, 7)
        return ids([await task])

    assert run(main()) == [7]


def test_cancelled_get_many_takes_nothing(run, q, peer):
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(q.get_many(10))
        await turns()
        peer.put(q, 1, 2, 3)
        loop.hold_until_woken()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await rest(q)

    assert run(main()) == [1, 2, 3]


def test_cancelled_async_for_takes_nothing(run, q, peer):
    async def main():
        async def consume():
            async for _ in q:
                pass

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(consume())
        await turns()
        peer.put(q, 7)
        loop.hold_until_woken()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await rest(q)

    assert run(main()) == [7]
