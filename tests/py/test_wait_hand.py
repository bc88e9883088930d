"""The awaitable of get(), driven by hand: send, throw, close, reuse."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest
from rig import DEADLINE_S, ids, until

pytestmark = pytest.mark.extension


class Mine(Exception):
    pass


async def start(get):
    """The get's first step, by hand; the future that it waits on."""
    future = get.send(None)
    # What a task does with it before it waits.
    assert future._asyncio_future_blocking
    future._asyncio_future_blocking = False
    return future


# ---- reuse ----


def test_awaiting_twice_raises(run, q, peer):
    peer.put(q, 1, 2)

    async def main():
        get = q.get()
        await get
        with pytest.raises(RuntimeError, match="already awaited"):
            await get
        return (await q.get()).arbitration_id

    assert run(main()) == 2


def test_awaiting_again_after_an_error_raises(run, q):
    async def main():
        get = q.get(timeout=0)
        with pytest.raises(TimeoutError):
            await get
        with pytest.raises(RuntimeError, match="already awaited"):
            await get

    run(main())


def test_awaiting_what_another_task_awaits_raises(run, q, peer):
    async def main():
        get = q.get()
        first = asyncio.create_task(get)
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is being awaited already"):
            await get
        peer.put(q, 7)
        return (await first).arbitration_id

    assert run(main()) == 7


# ---- close ----


def test_close_of_an_unused_get_finishes_it(q, peer):
    peer.put(q, 7)
    get = q.get()
    get.close()
    with pytest.raises(RuntimeError, match="already awaited"):
        get.send(None)
    assert q.qsize() == 1


def test_close_twice_is_harmless(q):
    get = q.get()
    get.close()
    get.close()


def test_close_while_waiting_passes_the_wake_on(run, q, peer):
    async def main():
        first = q.get()
        await start(first)
        second = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        first.close()
        peer.put(q, 7)
        return (await second).arbitration_id

    assert run(main()) == 7


def test_close_after_the_wake_passes_it_on(run, q, peer):
    async def main():
        first = q.get()
        future = await start(first)
        second = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 7)
        until(future.done)  # nothing is scheduled: no task waits for it
        await asyncio.sleep(0)
        assert not second.done()
        first.close()
        return (await second).arbitration_id

    assert run(main()) == 7


def test_forgotten_get_passes_the_wake_on(run, q, peer):
    """Nobody closes it: it is only dropped."""

    async def main():
        first = q.get()
        future = await start(first)
        second = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 7)
        until(future.done)  # nothing is scheduled: no task waits for it
        await asyncio.sleep(0)
        assert not second.done()
        del first
        return (await second).arbitration_id

    assert run(main()) == 7


# ---- throw ----


def test_throw_raises_what_is_thrown(run, q, peer):
    async def main():
        get = q.get()
        await start(get)
        with pytest.raises(Mine, match="text"):
            get.throw(Mine("text"))
        peer.put(q, 7)
        return ids([await q.get()])

    assert run(main()) == [7]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_throw_takes_the_old_signature(q):
    with pytest.raises(Mine):
        q.get().throw(Mine)
    with pytest.raises(Mine, match="text"):
        q.get().throw(Mine, Mine("text"))
    with pytest.raises(Mine, match="text"):
        q.get().throw(Mine, Mine("text"), None)
    with pytest.raises(Mine, match="text"):
        q.get().throw(Mine, "text")


@pytest.mark.parametrize("arguments", [(), (1,), ("x",), (Mine, 1, None, 2)])
def test_throw_of_what_cannot_be_raised_is_a_type_error(q, arguments):
    with pytest.raises(TypeError):
        q.get().throw(*arguments)


def test_throw_at_an_unused_get_finishes_it(q, peer):
    peer.put(q, 7)
    get = q.get()
    with pytest.raises(Mine):
        get.throw(Mine())
    with pytest.raises(RuntimeError, match="already awaited"):
        get.send(None)
    assert q.qsize() == 1


def test_throw_after_the_wake_passes_it_on(run, q, peer):
    async def main():
        first = q.get()
        future = await start(first)
        second = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 7)
        until(future.done)  # nothing is scheduled: no task waits for it
        await asyncio.sleep(0)
        with pytest.raises(Mine):
            first.throw(Mine())
        return (await second).arbitration_id

    assert run(main()) == 7


# ---- life ----


def test_get_keeps_its_queue(bus, peer):
    queue = bus.queue()
    peer.put(queue, 7)
    get = queue.get()
    del queue
    with pytest.raises(StopIteration) as stop:
        get.send(None)
    assert stop.value.value.arbitration_id == 7


def test_get_can_be_referred_to_weakly(q):
    get = q.get()
    weak = weakref.ref(get)
    assert weak() is get
    del get
    assert weak() is None


def test_dropped_queue_is_gone_at_once(run, bus, peer):
    """Also after it was waited on: its ring is memory that counts."""
    queue = bus.queue()

    async def main():
        task = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        peer.put(queue, 7)
        await task

    run(main())
    weak = weakref.ref(queue)
    gc.disable()
    try:
        del queue
        # The coroutine and the task that knew it are gone; no cycle is left.
        gone = weak() is None
    finally:
        gc.enable()
    assert gone


# ---- its future ----


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [((), {}), ((print, None), {}), ((print,), {"contexts": None}),
     ((print,), {"context": None, "more": None}), ((), {"context": None})],
)
def test_done_callback_with_other_arguments_is_a_type_error(
    run, q, arguments, keywords
):
    async def main():
        get = q.get()
        future = await start(get)
        with pytest.raises(TypeError, match="add_done_callback"):
            future.add_done_callback(*arguments, **keywords)
        get.close()

    run(main())


@pytest.mark.parametrize("keyword", ["context", "".join(["con", "text"])])
def test_done_callback_runs_in_the_context_given(run, q, peer, keyword):
    place = contextvars.ContextVar("place", default="here")
    there = contextvars.copy_context()
    there.run(place.set, "there")

    async def main():
        get = q.get()
        future = await start(get)
        seen = asyncio.get_running_loop().create_future()
        future.add_done_callback(
            lambda _: seen.set_result(place.get()), **{keyword: there})
        peer.put(q, 1)
        async with asyncio.timeout(DEADLINE_S):
            return await seen

    assert run(main()) == "there"


@pytest.mark.parametrize("keywords", [{}, {"context": None}])
def test_done_callback_without_a_context_runs_in_the_current_one(
    run, q, peer, keywords
):
    place = contextvars.ContextVar("place", default="there")

    async def main():
        place.set("here")
        get = q.get()
        future = await start(get)
        seen = asyncio.get_running_loop().create_future()
        future.add_done_callback(
            lambda _: seen.set_result(place.get()), **keywords)
        peer.put(q, 1)
        async with asyncio.timeout(DEADLINE_S):
            return await seen

    assert run(main()) == "here"
