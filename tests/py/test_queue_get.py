"""get(): at once where a frame is, else by way of the event loop."""

from __future__ import annotations

import asyncio
import collections.abc
import inspect
from typing import Any

import pytest
import rig
from rig import ids

import awaitd

pytestmark = [pytest.mark.extension, rig.on_every_loop]


def outcome_of(awaitable: Any) -> Any:
    """What an awaitable gives in its first step, by hand and without a loop."""
    with pytest.raises(StopIteration) as stop:
        awaitable.send(None)
    return stop.value.value


# ---- a frame that is there ----


def test_get_with_a_frame_there_needs_no_loop(q, peer, loop_class):
    peer.put(q, 7)
    assert outcome_of(q.get()).arbitration_id == 7


def test_get_with_a_frame_there_never_suspends(run, q, peer):
    peer.put(q, 7)

    async def main():
        others = []
        asyncio.get_running_loop().call_soon(others.append, "turned")
        frame = await q.get()
        return frame.arbitration_id, len(others)

    assert run(main()) == (7, 0)


def test_get_with_a_frame_there_wakes_no_loop(run, q, peer):
    peer.put(q, *range(50))

    async def main():
        for _ in range(50):
            await q.get()
        return asyncio.get_running_loop().wakes

    assert run(main()) == 0


@pytest.mark.parametrize("timeout", [None, 0, 0.0, -1, 60, float("inf")])
def test_get_with_a_frame_there_ignores_the_timeout(
    q, peer, loop_class, timeout
):
    peer.put(q, 7)
    assert outcome_of(q.get(timeout=timeout)).arbitration_id == 7


def test_get_many_with_frames_there_needs_no_loop(q, peer, loop_class):
    peer.put(q, 1, 2, 3)
    assert ids(outcome_of(q.get_many(10))) == [1, 2, 3]


def test_anext_with_a_frame_there_needs_no_loop(q, peer, loop_class):
    peer.put(q, 7)
    assert outcome_of(q.__anext__()).arbitration_id == 7


# ---- a frame that comes ----


def test_get_waits_for_the_frame(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        assert not task.done()
        peer.put(q, 7)
        return (await task).arbitration_id

    assert run(main()) == 7


def test_get_without_a_running_loop_raises(q, loop_class):
    get = q.get()
    with pytest.raises(RuntimeError, match="no running event loop"):
        get.send(None)


def test_get_without_a_running_loop_leaves_the_queue_usable(
    run, q, peer, loop_class
):
    with pytest.raises(RuntimeError):
        q.get().send(None)
    peer.put(q, 7)

    async def main():
        return (await q.get()).arbitration_id

    assert run(main()) == 7


def test_frames_of_a_batch_wake_the_loop_once(run, q, peer):
    """One waiter, many frames: the first wakes, the others are found there."""

    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, *range(100))
        first = await task
        return [first.arbitration_id] + ids(await q.get_many(1000)), loop.wakes

    numbers, wakes = run(main())
    assert numbers == list(range(100))
    assert wakes == 1


def test_waiters_are_served_in_order(run, q, peer):
    async def main():
        tasks = [asyncio.create_task(q.get()) for _ in range(20)]
        await asyncio.sleep(0)
        peer.put(q, *range(20))
        return ids(await asyncio.gather(*tasks))

    assert run(main()) == list(range(20))


def test_waiters_are_served_in_order_one_frame_at_a_time(run, q, peer):
    async def main():
        done = []
        tasks = []
        for name in "abc":
            task = asyncio.create_task(q.get(), name=name)
            task.add_done_callback(lambda task: done.append(task.get_name()))
            tasks.append(task)
            await asyncio.sleep(0)
        for task, number in zip(tasks, range(3)):
            peer.send(q.device, rig.can(number))
            assert (await task).arbitration_id == number
        return done

    assert run(main()) == ["a", "b", "c"]


def test_wakes_are_counted(run, q, peer):
    async def main():
        for number in range(3):
            task = asyncio.create_task(q.get())
            await asyncio.sleep(0)
            peer.send(q.device, rig.can(number))
            await task

    run(main())
    assert q.stats().wakes == 3


# ---- get_many, get_nowait ----


def test_get_many_gives_at_most_n(run, q, peer):
    peer.put(q, *range(10))

    async def main():
        return [ids(await q.get_many(4)) for _ in range(3)]

    assert run(main()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_get_many_waits_for_one(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get_many(10))
        await asyncio.sleep(0)
        peer.put(q, 7)
        return ids(await task)

    assert run(main()) == [7]


def test_get_many_takes_what_has_come_when_it_resumes(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get_many(10))
        await asyncio.sleep(0)
        peer.put(q, *range(5))
        return ids(await task)

    assert run(main()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("n", [0, -1])
def test_get_many_of_less_than_one_is_refused(q, loop_class, n):
    with pytest.raises(ValueError, match=f"at least 1, not {n}"):
        q.get_many(n)


def test_get_many_of_more_than_there_is_room_for(q, peer, loop_class):
    peer.put(q, 7)
    assert ids(outcome_of(q.get_many(2**40))) == [7]


def test_get_nowait_takes_the_oldest(q, peer, loop_class):
    peer.put(q, 1, 2)
    assert ids([q.get_nowait(), q.get_nowait()]) == [1, 2]


def test_get_nowait_on_an_empty_queue_raises_queue_empty(q, loop_class):
    with pytest.raises(asyncio.QueueEmpty, match="q of device bus is empty"):
        q.get_nowait()
    with pytest.raises(awaitd.QueueEmpty):
        q.get_nowait()


# ---- what else takes an awaitable ----


def test_get_is_a_coroutine_to_asyncio(q, loop_class):
    get = q.get()
    assert asyncio.iscoroutine(get)
    assert isinstance(get, collections.abc.Coroutine)
    assert inspect.isawaitable(get)
    get.close()


def test_run_takes_a_get(q, peer, loop_class):
    peer.put(q, 7)
    with asyncio.Runner(loop_factory=loop_class) as runner:
        assert runner.run(asyncio.wait_for(q.get(), 5)).arbitration_id == 7


def test_task_group_takes_gets(run, q, peer):
    async def main():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(q.get()) for _ in range(3)]
            await asyncio.sleep(0)
            peer.put(q, 1, 2, 3)
        return ids(task.result() for task in tasks)

    assert run(main()) == [1, 2, 3]


def test_wait_takes_gets(run, q, peer):
    async def main():
        tasks = [asyncio.create_task(q.get()) for _ in range(3)]
        await asyncio.sleep(0)
        peer.put(q, 1)
        done, pending = await asyncio.wait(
            tasks, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        return ids(task.result() for task in done)

    assert run(main()) == [1]


def test_gather_takes_gets_of_many_queues(run, bus, peer):
    queues = [bus.queue() for _ in range(5)]

    async def main():
        both = asyncio.gather(*(queue.get() for queue in queues))
        await asyncio.sleep(0)
        peer.send(bus, rig.can(7))
        return ids(await both)

    assert run(main()) == [7] * 5


def test_task_of_a_get_can_be_shown(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        text, stack = repr(task), task.get_stack()
        peer.put(q, 7)
        await task
        return text, stack

    text, stack = run(main())
    assert "QueueGet" in text
    assert stack == []


def test_get_in_debug_mode(q, peer, loop_class):
    async def main():
        task = asyncio.create_task(q.get(timeout=60))
        await asyncio.sleep(0)
        peer.put(q, 7)
        return (await task).arbitration_id

    with asyncio.Runner(loop_factory=loop_class, debug=True) as runner:
        assert runner.run(main()) == 7


@pytest.mark.skipif(
    not hasattr(asyncio, "eager_task_factory"), reason="no eager tasks here"
)
def test_eager_task_with_a_frame_there_is_done_at_once(run, q, peer):
    peer.put(q, 7)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(q.get())
        return task.done(), task.result().arbitration_id

    assert run(main()) == (True, 7)


# ---- repr ----


def test_repr_of_get_tells_its_state(run, q, peer):
    get = q.get()
    texts = [repr(get)]

    async def main():
        task = asyncio.create_task(get)
        await asyncio.sleep(0)
        texts.append(repr(get))
        peer.put(q, 7)
        await task
        texts.append(repr(get))

    run(main())
    assert texts == [
        "<get on queue q of device bus>",
        "<get on queue q of device bus, waiting>",
        "<get on queue q of device bus, finished>",
    ]


def test_repr_of_queue_tells_its_state(q, peer, loop_class):
    peer.put(q, 7)
    assert repr(q) == "<Queue q of bus, 1 of 16384 pending>"
    q.close()
    assert repr(q) == "<Queue q of bus, 1 of 16384 pending, closed>"
