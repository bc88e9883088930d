"""Cancellation, throw() and close(): they reach what is awaited."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from coroutines import (
    Iterated,
    awaiting,
    finish,
    logged,
    noting,
    pause,
    probe,
    ready,
    with_result,
)

pytestmark = pytest.mark.extension


class Mine(Exception):
    pass


# ---- throw ----


def test_throw_reaches_the_inner():
    seen = []

    async def inner():
        try:
            await pause()
        except Mine as error:
            seen.append(error)
            return "caught"

    aw = with_result(inner())
    aw.send(None)
    error = Mine()
    with pytest.raises(StopIteration) as stop:
        aw.throw(error)
    assert seen == [error]
    assert stop.value.value == "caught"


def test_throw_that_the_inner_lets_pass_comes_out():
    aw = awaiting(pause())
    aw.send(None)
    error = Mine()
    with pytest.raises(Mine) as raised:
        aw.throw(error)
    assert raised.value is error


def test_throw_lets_the_inner_suspend_again():
    async def inner():
        try:
            await pause("first")
        finally:
            await pause("cleaning up")

    aw = awaiting(inner())
    assert aw.send(None) == "first"
    assert aw.throw(Mine()) == "cleaning up"
    with pytest.raises(Mine):
        aw.send(None)


def test_throw_runs_the_inners_async_finally_to_its_end_first():
    log = []

    async def inner():
        try:
            await pause()
        finally:
            await pause()
            log.append("inner finally")

    aw = awaiting(inner(), None, lambda aw, _: log.append("err") or -1)
    aw.send(None)
    aw.throw(Mine())
    assert log == []
    with pytest.raises(Mine):
        aw.send(None)
    assert log == ["inner finally", "err"]


def test_throw_gives_the_error_callback_the_exception():
    log = []
    aw = awaiting(pause(), None, noting(log))
    aw.send(None)
    error = Mine()
    with pytest.raises(StopIteration):
        aw.throw(error)
    assert log == [error]


def test_throw_that_is_dealt_with_goes_on():
    log = []
    aw = awaiting(pause(), None, noting([]))
    probe.add_await(aw, pause("next step"), noting(log))
    aw.send(None)
    assert aw.throw(Mine()) == "next step"
    with pytest.raises(StopIteration):
        aw.send("value")
    assert log == ["value"]


def test_throw_before_the_start_raises_and_ends_it():
    log = []
    aw = awaiting(logged(log, 1), noting(log), noting(log))
    with pytest.raises(Mine):
        aw.throw(Mine())
    with pytest.raises(RuntimeError):
        aw.send(None)
    assert log == []


def test_throw_before_the_start_closes_what_was_added():
    coro = logged([], 1)
    aw = awaiting(coro)
    with pytest.raises(Mine):
        aw.throw(Mine())
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_throw_after_the_end_is_a_runtime_error():
    aw = probe.new()
    finish(aw)
    with pytest.raises(RuntimeError):
        aw.throw(Mine())


def test_throw_at_an_iterator_without_throw_raises_it_here():
    aw = awaiting(Iterated(iter([1, 2, 3])))
    aw.send(None)
    with pytest.raises(Mine):
        aw.throw(Mine())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_throw_takes_the_old_signature():
    for arguments in [(Mine,), (Mine, Mine("x")), (Mine, "x", None)]:
        aw = awaiting(pause())
        aw.send(None)
        with pytest.raises(Mine):
            aw.throw(*arguments)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (1,),
        ("x",),
        (Mine, 1, None, 2),
        (Mine(), "a separate value"),
        (Mine, None, "no traceback"),
    ],
)
def test_throw_of_what_cannot_be_raised_is_a_type_error(arguments):
    aw = awaiting(pause())
    aw.send(None)
    with pytest.raises(TypeError):
        aw.throw(*arguments)
    aw.close()


def test_throw_of_stop_iteration_is_not_the_end():
    aw = awaiting(pause())
    aw.send(None)
    with pytest.raises(RuntimeError):
        aw.throw(StopIteration("not the end"))


def test_throw_keeps_the_traceback_of_the_inner():
    async def where_it_waits():
        await pause()

    aw = awaiting(where_it_waits(), None, "-1")
    aw.send(None)
    with pytest.raises(Mine) as raised:
        aw.throw(Mine())
    assert "where_it_waits" in [entry.name for entry in raised.traceback]


def test_throw_reaches_through_two_awaitables():
    seen = []
    inner = awaiting(pause(), None, noting(seen, -1))
    outer = awaiting(inner, None, noting(seen, -1))
    outer.send(None)
    error = Mine()
    with pytest.raises(Mine):
        outer.throw(error)
    assert seen == [error, error]


# ---- a cancelled task ----


def test_cancelled_task_runs_the_inners_async_finally_first():
    log = []

    async def inner():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0)
            log.append("inner")

    async def main():
        task = asyncio.create_task(awaiting(inner()))
        task.add_done_callback(lambda _: log.append("outer"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())
    assert log == ["inner", "outer"]


def test_cancelled_task_shows_the_error_callback_the_cancelled_error():
    log = []

    async def main():
        task = asyncio.create_task(
            awaiting(asyncio.sleep(1000), None, noting(log, -1))
        )
        await asyncio.sleep(0)
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert [(type(it), it.args) for it in log] == [
        (asyncio.CancelledError, ("why",))
    ]


def test_cancelled_task_whose_error_callback_returns_0_goes_on():
    async def main():
        aw = awaiting(asyncio.sleep(1000), None, "go_on")
        probe.add_await(aw, ready("went on"), "set_result")
        task = asyncio.create_task(aw)
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) == "went on"


def test_cancelled_before_its_first_turn_runs_nothing():
    log = []

    async def main():
        task = asyncio.create_task(awaiting(logged(log, 1)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log == []


def test_cancelled_future_inside_is_seen():
    """What is awaited is cancelled, not the task."""
    log = []

    async def main():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(awaiting(future, None, noting(log)))
        await asyncio.sleep(0)
        future.cancel()
        await task

    asyncio.run(main())
    assert [type(it) for it in log] == [asyncio.CancelledError]


def test_task_group_cancels_and_waits_for_it():
    log = []

    async def inner():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0)
            log.append("cleaned up")

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(awaiting(inner()))
            group.create_task(awaiting(asyncio.sleep(0), "fail"))

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(main())
    assert [str(it) for it in raised.value.exceptions] == ["in C"]
    assert log == ["cleaned up"]


@pytest.mark.parametrize("as_task", [False, True])
def test_timeout_around_it(as_task):
    log = []

    async def main():
        aw = awaiting(asyncio.sleep(1000), None, noting(log, -1))
        async with asyncio.timeout(0.001):
            await (asyncio.create_task(aw) if as_task else aw)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert [type(it) for it in log] == [asyncio.CancelledError]


@pytest.mark.parametrize("as_task", [False, True])
def test_timeout_inside_what_it_awaits(as_task):
    log = []

    async def inner():
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1000)

    async def main():
        aw = awaiting(inner(), None, noting(log))
        await (asyncio.create_task(aw) if as_task else aw)

    asyncio.run(main())
    assert [type(it) for it in log] == [TimeoutError]


@pytest.mark.parametrize("as_task", [False, True])
def test_wait_for_around_it(as_task):
    async def main():
        aw = awaiting(asyncio.sleep(1000))
        awaited = asyncio.create_task(aw) if as_task else aw
        await asyncio.wait_for(awaited, 0.001)

    with pytest.raises(TimeoutError):
        asyncio.run(main())


# ---- close ----


def test_close_closes_the_inner():
    log = []

    async def inner():
        try:
            await pause()
        except GeneratorExit:
            log.append("closed")
            raise

    coro = inner()
    aw = awaiting(coro)
    aw.send(None)
    assert aw.close() is None
    assert log == ["closed"]
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_close_shows_the_error_callback_generator_exit():
    log = []
    aw = awaiting(pause(), None, noting(log, -1))
    aw.send(None)
    aw.close()
    assert [type(it) for it in log] == [GeneratorExit]


def test_close_closes_what_was_added_behind():
    coro = logged([], 1)
    aw = awaiting(pause())
    probe.add_await(aw, coro)
    aw.send(None)
    aw.close()
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_close_before_the_start_closes_what_was_added():
    coro = logged([], 1)
    aw = awaiting(coro)
    aw.close()
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_close_twice_is_harmless():
    aw = awaiting(pause())
    aw.send(None)
    aw.close()
    aw.close()


def test_close_after_the_end_is_harmless():
    aw = probe.new()
    finish(aw)
    aw.close()


def test_close_ends_it():
    aw = awaiting(pause())
    aw.send(None)
    aw.close()
    with pytest.raises(RuntimeError):
        aw.send(None)


def test_close_of_an_inner_that_will_not_end_is_a_runtime_error():
    async def inner():
        try:
            await pause()
        except GeneratorExit:
            await pause()

    aw = awaiting(inner())
    aw.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        aw.close()


def test_close_that_the_error_callback_ignores_is_a_runtime_error():
    aw = awaiting(pause(), None, "go_on")
    probe.add_await(aw, pause())
    aw.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        aw.close()
    aw.close()


def test_close_passes_on_what_the_inner_raises():
    async def inner():
        try:
            await pause()
        finally:
            raise Mine

    aw = awaiting(inner())
    aw.send(None)
    with pytest.raises(Mine):
        aw.close()


def test_close_of_an_iterator_without_close():
    aw = awaiting(Iterated(iter([1, 2])))
    aw.send(None)
    aw.close()
    with pytest.raises(RuntimeError):
        aw.send(None)


def test_dropped_while_it_waits_closes_the_inner():
    log = []

    async def inner():
        try:
            await pause()
        finally:
            log.append("closed")

    aw = awaiting(inner())
    aw.send(None)
    del aw
    assert log == ["closed"]


# ---- send ----


def test_send_reaches_the_inner():
    seen = []

    async def inner():
        seen.append(await pause())

    aw = awaiting(inner())
    aw.send(None)
    with pytest.raises(StopIteration):
        aw.send("value")
    assert seen == ["value"]


def test_send_of_a_value_before_the_start_is_a_type_error():
    aw = awaiting(ready(42), "set_result")
    with pytest.raises(TypeError):
        aw.send("too early")
    assert finish(aw) == 42


def test_send_of_a_value_to_an_iterator_without_send_is_an_error():
    aw = awaiting(Iterated(iter([1, 2])))
    aw.send(None)
    with pytest.raises(AttributeError):
        aw.send("value")
