"""Queues and sends under trio.run(): timeouts, all that can be awaited, errors,
and what a run must leave as it was. Cancelling is in test_trio_cancel.py."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from signal import SIGTERM

import pytest
import rig
from rig import ids
from trio_rig import (  # noqa: F401
    HOW,
    Native,
    Scoped,
    rest,
    run,
    settled,
    trio,
    wakes,
)

import awaitd
from awaitd._host.stop import Stop

pytestmark = pytest.mark.extension


# ---- timeouts ----


def test_timeout_raises_the_builtin_timeout_error(q):
    async def main():
        before = trio.current_time()
        with pytest.raises(
            TimeoutError, match="no frame on queue q of device bus in time"
        ):
            await q.get(timeout=5)
        return trio.current_time() - before

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert run(main, clock=clock) == pytest.approx(5)


@pytest.mark.parametrize("timeout", [0, -5, 1e-9, 0.01])
def test_timeout_of_get_many_gives_an_empty_list(q, timeout):
    async def main():
        return await q.get_many(5, timeout=timeout)

    assert run(main) == []


def test_timeout_of_one_waiter_leaves_the_others(q, peer):
    async def main():
        async with trio.open_nursery() as nursery:
            first = Scoped(nursery, q)
            await settled()
            with pytest.raises(TimeoutError):
                await q.get(timeout=0.01)
            third = Scoped(nursery, q)
            await settled()
            peer.put(q, 1, 2)
        return first.numbers, third.numbers

    assert run(main) == ([1], [2])


def test_timeout_for_ever_waits(q, peer):
    async def main():
        frames = []

        async def wait():
            frames.append(await q.get(timeout=math.inf))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settled()
            peer.put(q, 7)
        return ids(frames)

    assert run(main) == [7]


def test_timeout_that_does_not_come_leaves_no_task(q, peer):
    def living():
        return trio.lowlevel.current_statistics().tasks_living

    async def main():
        before = living()
        for number in range(20):
            async with trio.open_nursery() as nursery:
                waiter = Native(nursery, q)
                await settled()
                peer.put(q, number)
            assert waiter.numbers == [number]
        await settled()
        return living() - before

    assert run(main) == 0


def test_waiter_that_finds_nothing_waits_on(q, peer, wakes):
    """Its frame is taken by somebody between wake and resume."""

    async def main():
        async with trio.open_nursery() as nursery:
            waiter = Native(nursery, q)
            await settled()
            peer.put(q, 1)
            wakes.hold()
            taken = rest(q)
            await settled()
            assert not waiter.over.is_set()
            peer.put(q, 2)
        return taken, waiter.numbers

    assert run(main) == ([1], [2])


# ---- all that can be awaited ----


async def waiting_for(get, peer, queue, *numbers):
    """The outcome of an awaitable that has to wait for these frames."""
    outcome = []

    async def wait():
        outcome.append(await get)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await settled()
        peer.put(queue, *numbers)
    return outcome[0]


def test_get_wakes_once(q, peer, wakes):
    async def main():
        return ids([await waiting_for(q.get(), peer, q, 7)])

    assert run(main) == [7]
    assert wakes.count == 1


def test_get_many_gives_what_is_there(q, peer):
    async def main():
        return ids(await waiting_for(q.get_many(10), peer, q, 1, 2, 3))

    assert run(main)[0] == 1


def test_get_batch_waits_for_its_minimum(q, peer):
    async def main():
        batch = await waiting_for(q.get_batch(3, min=3), peer, q, 1, 2, 3)
        return ids(batch)

    assert run(main) == [1, 2, 3]


def test_get_is_a_task_by_itself(q, peer):
    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(q.get)
            await settled()
            peer.put(q, 7)

    run(main)
    assert q.stats().delivered == 1


def test_async_for_ends_with_the_queue(q, peer):
    async def main():
        numbers = []

        async def consume():
            async for frame in q:
                numbers.append(frame.arbitration_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            await settled()
            peer.put(q, 1, 2)
            await settled()
            q.close()
        return numbers

    assert run(main) == [1, 2]


def test_close_from_another_thread_ends_every_waiter(q):
    async def main():
        ended = []

        async def wait():
            with pytest.raises(awaitd.QueueClosed):
                await q.get()
            ended.append(True)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(wait)
            await settled()
            await trio.to_thread.run_sync(q.close)
        return len(ended)

    assert run(main) == 20


def test_failed_lease_gives_its_frames_to_the_waiter(q, peer):
    peer.put(q, 7)

    async def main():
        async with trio.open_nursery() as nursery:
            with pytest.raises(KeyError):
                async with q.lease():
                    waiter = Scoped(nursery, q)
                    await settled()
                    raise KeyError
        return waiter.numbers

    assert run(main) == [7]


def test_lease_cancelled_inside_leaves_its_frames(q, peer):
    peer.put(q, 1, 2)

    async def main():
        with trio.CancelScope() as scope:
            async with q.lease(2):
                scope.cancel()
                await trio.sleep_forever()
        return rest(q)

    assert run(main) == [1, 2]


def test_send_is_awaited(bus, q):
    async def main():
        for number in range(3):
            await bus.send(rig.can(number))
        return ids([await q.get() for _ in range(3)])

    assert run(main) == [0, 1, 2]


def test_send_given_up_is_counted_whatever_became_of_it(bus, q):
    """The reader may have been faster."""

    async def main():
        with trio.CancelScope() as scope:
            scope.cancel()
            await bus.send(rig.can(7))
        assert scope.cancelled_caught
        while bus.stats()["send"].pending:
            await trio.sleep(0)
        return bus.stats()["send"]

    stats = run(main)
    assert (stats.submitted, stats.sent + stats.expired) == (1, 1)
    rig.until(lambda: q.stats().received == stats.sent)  # if it is on its way
    assert q.stats().received == stats.sent


# ---- errors ----


def test_second_awaiter_of_a_get_is_refused_and_the_first_goes_on(q, peer):
    async def main():
        get = q.get()
        numbers = []

        async def wait():
            numbers.append((await get).arbitration_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settled()
            with pytest.raises(RuntimeError, match="being awaited already"):
                await get
            peer.put(q, 7)
        return numbers

    assert run(main) == [7]


OTHERS = {"trio": trio.run, "asyncio": lambda main: asyncio.run(main())}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_second_loop_is_refused_naming_the_first(q, peer, other):
    async def get():
        with pytest.raises(RuntimeError, match="belongs to <.*TrioLoop"):
            await q.get()

    async def main():
        async with trio.open_nursery() as nursery:
            waiter = Scoped(nursery, q)
            await settled()
            await trio.to_thread.run_sync(other, get)
            peer.put(q, 7)
        return waiter.numbers

    assert run(main) == [7]


def test_queue_of_an_asyncio_loop_is_refused(q):
    async def get():
        with pytest.raises(RuntimeError, match="EventLoop.*on <.*TrioLoop"):
            await q.get()

    async def main():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        await asyncio.to_thread(trio.run, get)
        task.cancel()

    asyncio.run(main())


def test_runs_of_both_kinds_take_turns(q, peer):
    async def main():
        return ids([await waiting_for(q.get(), peer, q, 7)])

    async def on_asyncio():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 8)
        return ids([await task])

    for _ in range(3):
        assert run(main) == [7]
        assert asyncio.run(on_asyncio()) == [8]


def test_outside_a_run_there_is_no_loop(q):
    with pytest.raises(RuntimeError, match="no running event loop"):
        q.get().send(None)


def test_recv_is_refused_in_a_run(q):
    async def main():
        with pytest.raises(RuntimeError, match="block the running event loop"):
            q.recv()

    run(main)


def test_wakeup_by_fd_is_refused_with_advice(bus):
    async def main():
        with pytest.raises(RuntimeError, match='add_reader.*wakeup="bridge"'):
            await bus.queue(wakeup="fd").get()

    run(main)


def test_merge_that_must_wait_is_refused(q):
    async def main():
        with pytest.raises(RuntimeError, match="merge.*asyncio"):
            await anext(awaitd.merge(q))

    run(main)


# ---- what is not touched ----


def test_get_that_finds_a_frame_needs_no_loop(q, peer):
    peer.put(q, 7)
    with pytest.raises(StopIteration) as found:
        q.get().send(None)
    assert ids([found.value.value]) == [7]


def test_trio_is_imported_by_nobody_else(python):
    process = python(
        """
        import asyncio, sys, awaitd
        async def main():
            with awaitd.open("virtual:can") as bus:
                queue = bus.queue()
                await queue.get_many(1, timeout=0.001)
                await bus.send(awaitd.CanFrame(7))
                await queue.get()
        asyncio.run(main())
        print([name for name in sys.modules if "trio" in name])
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "[]\n"


def test_frame_that_is_there_brings_no_loop(python):
    """Under trio: neither the stand-in for a loop nor a step of the run."""
    process = python(
        """
        import sys, trio, awaitd
        async def main(queue):
            for _ in range(100):
                await queue.get()
            print("awaitd._trio" in sys.modules)
        bus = awaitd.open("virtual:can")
        queue = bus.queue()
        import asyncio
        async def fill():
            for number in range(100):
                await bus.send(awaitd.CanFrame(number))
            while queue.qsize() < 100:
                await asyncio.sleep(0.001)
        asyncio.run(fill())
        trio.run(main, queue)
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "False\n"


def test_nothing_is_left_of_a_run(bus, peer):
    """Loop, tasks, waiters and their coroutines: the queue goes by itself."""
    queue = bus.queue()

    async def main():
        async with trio.open_nursery() as nursery:
            for How in HOW:
                How(nursery, queue)
            await settled()
            peer.put(queue, 7)
            await settled()
            nursery.cancel_scope.cancel()

    run(main)
    weak = weakref.ref(queue)
    del queue

    def gone() -> bool:
        gc.collect()
        return weak() is None

    rig.until(gone)  # the bridge may still be at the end of the wake


def test_get_left_in_its_sleep_is_collected(q):
    """Its task holds it, and it its task, by the coroutine it sleeps in."""

    async def main():
        get = q.get()
        get.send(None)
        trio.lowlevel.current_task().custom_sleep_data = get
        return weakref.ref(get)

    weak = run(main)
    gc.collect()
    assert weak() is None


def test_stop_of_a_script_without_asyncio_wants_no_bare_yield():
    """Which only asyncio takes for a turn of the loop."""
    assert Stop().ask(SIGTERM, again=False) is False
