"""Completion by threads that know nothing of Python: every race, and that each
value is freed once."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import awaitable_waits as waits
import pytest
import rig
from completions import (  # noqa: F401
    end,
    every_value_is_freed,
    every_way,
    start,
    turn,
)

pytestmark = [pytest.mark.extension, rig.on_every_loop]


# ---- in time ----


@every_way
def test_completed_before_it_is_awaited(run, complete):
    awaitable, handle = waits.completion()
    complete(handle, 7)
    assert run(awaitable) == 7


@every_way
def test_completed_while_it_is_awaited(run, complete):
    async def main():
        awaitable, handle = waits.completion()
        task = await start(awaitable)
        complete(handle, 7)
        return await task

    assert run(main()) == 7


@every_way
def test_completed_while_the_loop_sleeps(run, complete):
    """The wake gets the loop out of its selector."""

    async def main():
        awaitable, handle = waits.completion()
        thread = threading.Timer(0.01, complete, (handle, 7))
        thread.start()
        result = await awaitable
        thread.join(rig.DEADLINE_S)
        return result

    assert run(main()) == 7


def test_completed_as_a_task(run):
    async def main():
        awaitable, handle = waits.completion()
        task = asyncio.create_task(awaitable)
        await turn()
        waits.complete_apart(handle, 7)
        return await task

    assert run(main()) == 7


def test_many_completed_in_one_batch(run):
    async def main():
        pairs = [waits.completion() for _ in range(100)]
        tasks = [await start(awaitable) for awaitable, _ in pairs]
        for number, (_, handle) in enumerate(pairs):
            waits.complete_holding(handle, number)
        return await asyncio.gather(*tasks)

    assert run(main()) == list(range(100))


def test_two_in_one_awaitable_are_awaited_in_turn(run):
    async def main():
        awaitable, first = waits.completion()
        _, second = waits.completion(aw=awaitable)
        waits.complete_apart(second, 2)
        task = await start(awaitable)
        waits.complete_apart(first, 1)
        return await task

    assert run(main()) == 2


def test_without_convert_the_result_is_none(run):
    awaitable, handle = waits.completion(plain=True)
    waits.complete(handle, None)
    with pytest.raises(RuntimeError):
        run(awaitable)


def test_value_is_converted_once_and_freed_when_it_is_awaited(run):
    before = waits.counts()
    awaitable, handle = waits.completion()
    waits.complete_apart(handle, 7)
    assert waits.counts()[1:] == before[1:]
    run(awaitable)
    made, converted, freed = waits.counts()
    assert (converted - before[1], freed - before[2]) == (1, 1)
    assert made - before[0] == 1


def test_value_that_cannot_be_converted_raises_and_is_freed(run):
    before = waits.counts()
    awaitable, handle = waits.completion()
    waits.complete_apart(handle, -1)
    with pytest.raises(ArithmeticError, match="-1 cannot be converted"):
        run(awaitable)
    assert waits.counts()[2] - before[2] == 1


# ---- abandoned ----


@every_way
def test_abandoned_before_it_is_awaited(run, complete):
    awaitable, handle = waits.completion()
    complete(handle, None)
    with pytest.raises(RuntimeError, match="abandoned"):
        run(awaitable)


@every_way
def test_abandoned_while_it_is_awaited(run, complete):
    async def main():
        awaitable, handle = waits.completion(catch=True)
        task = await start(awaitable)
        complete(handle, None)
        return await task

    error = run(main())
    assert type(error) is RuntimeError and "abandoned" in str(error)


# ---- too late ----


@every_way
def test_completed_after_cancellation_frees_the_value(run, complete):
    async def main():
        awaitable, handle = waits.completion()
        await end(await start(awaitable))
        before = waits.counts()
        complete(handle, 7)
        after = waits.counts()
        return after[1] - before[1], after[2] - before[2]

    assert run(main()) == (0, 1)


@every_way
def test_completed_and_cancelled_in_one_turn_ends_cancelled(run, complete):
    async def main():
        awaitable, handle = waits.completion()
        task = await start(awaitable)
        complete(handle, 7)
        await end(task)

    before = waits.counts()
    run(main())
    after = waits.counts()
    assert (after[1] - before[1], after[2] - before[2]) == (0, 1)


@every_way
def test_cancelled_after_the_wake_was_scheduled_ends_cancelled(
    run, loop_class, complete
):
    async def main():
        loop = asyncio.get_running_loop()
        awaitable, handle = waits.completion()
        task = await start(awaitable)
        loop.woken.clear()
        complete(handle, 7)
        loop.hold_until_woken()
        await end(task)

    run(main())


def test_closed_while_it_waits(run):
    async def main():
        awaitable, handle = waits.completion()
        awaitable.send(None)
        awaitable.close()
        before = waits.counts()
        waits.complete_apart(handle, 7)
        return waits.counts()[2] - before[2]

    assert run(main()) == 1


def test_task_that_nobody_holds_is_collected_while_it_waits(
    run, loop_class, caplog
):
    async def main():
        awaitable, handle = waits.completion()
        weak = weakref.ref(awaitable)
        task = await start(awaitable)
        task._log_destroy_pending = False
        del awaitable, task
        gc.collect()
        assert weak() is None
        waits.complete_apart(handle, 7)

    run(main())


# ---- loops that are gone ----


def leave_waiting(loop):
    """A task that waits on a loop that is then closed, and its handle."""

    async def main():
        awaitable, handle = waits.completion()
        task = await start(awaitable)
        task._log_destroy_pending = False
        return task, handle

    task, handle = loop.run_until_complete(main())
    loop.close()
    return task, handle


@every_way
def test_completed_after_the_loop_was_closed(loop_class, complete, capfd):
    task, handle = leave_waiting(loop_class())
    complete(handle, 7)
    assert not task.done()
    del task
    gc.collect()
    assert capfd.readouterr().err == ""


def test_closed_loop_does_not_stop_the_bridge(run, loop_class):
    task, lost = leave_waiting(loop_class())
    waits.complete_apart(lost, 1)

    async def main():
        awaitable, handle = waits.completion()
        waiting = await start(awaitable)
        waits.complete_apart(handle, 7)
        return await waiting

    assert run(main()) == 7
    del task


def test_task_of_a_closed_loop_gone_before_it_is_completed(loop_class):
    task, handle = leave_waiting(loop_class())
    del task
    gc.collect()
    waits.complete_apart(handle, 7)


# ---- misuse ----


def test_awaited_twice_is_refused(run):
    async def main():
        awaitable, handle = waits.completion()
        first = await start(awaitable)
        with pytest.raises(RuntimeError):
            await awaitable
        waits.complete_apart(handle, 7)
        return await first

    assert run(main()) == 7


def test_its_repr_says_that_it_waits(run):
    async def main():
        awaitable, handle = waits.completion()
        task = await start(awaitable)
        text = repr(awaitable.cr_await)
        waits.complete(handle, 1)
        await task
        return text

    assert run(main()) == "<CompletionWait, waiting>"


def test_no_reference_is_left(run):
    async def main(count):
        for _ in range(count):
            awaitable, handle = waits.completion()
            task = await start(awaitable)
            waits.complete_apart(handle, 7)
            await task

    def waits_alive():
        gc.collect()
        return sum(
            type(it).__name__ in ("CompletionWait", "Waiter")
            for it in gc.get_objects()
        )

    before = waits_alive()
    run(main(50))
    # The bridge may still be in the call that has woken the last task.
    rig.until(lambda: waits_alive() <= before)
