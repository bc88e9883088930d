"""Any object is a result: none of them is taken for something else on its way
through StopIteration."""

from __future__ import annotations

import asyncio

import pytest
from coroutines import awaiting, finish, noting, probe, ready, with_result

pytestmark = pytest.mark.extension

RESULTS = [
    None,
    42,
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    ValueError("an object"),
    ValueError,
    StopIteration(5),
    StopIteration(),
    StopIteration,
    StopAsyncIteration(),
    GeneratorExit(),
    asyncio.CancelledError(),
    (ValueError, ValueError("x"), None),
    NotImplemented,
    iter(()),
]

on_every_result = pytest.mark.parametrize(
    "value",
    RESULTS,
    ids=[f"{i}-{value!r:.20}" for i, value in enumerate(RESULTS)],
)


@on_every_result
def test_result_reaches_the_callback(value):
    log = []
    finish(awaiting(ready(value), noting(log)))
    assert len(log) == 1 and log[0] is value


@on_every_result
def test_result_of_an_async_def_reaches_the_callback(value):
    async def inner():
        return value

    log = []
    finish(awaiting(inner(), noting(log)))
    assert len(log) == 1 and log[0] is value


@on_every_result
def test_result_of_an_iterator_in_python_reaches_the_callback(value):
    class Iterator:
        def __iter__(self):
            return self

        def __await__(self):
            return self

        def __next__(self):
            # As an iterator must: a bare tuple would be its arguments.
            stop = StopIteration(value)
            raise stop

    log = []
    finish(awaiting(Iterator(), noting(log)))
    assert len(log) == 1 and log[0] is value


@on_every_result
def test_result_comes_out_of_send(value):
    assert finish(with_result(ready(value))) is value


@on_every_result
def test_result_comes_out_of_await(value):
    async def outer():
        return [await with_result(ready(value))]

    assert asyncio.run(outer())[0] is value


@on_every_result
def test_result_comes_out_of_the_slot_that_tasks_use(value):
    is_yield, result = probe.send_by_slot(with_result(ready(value)), None)
    assert not is_yield and result is value


@on_every_result
def test_result_comes_out_of_the_slot_of_later_pythons(value):
    try:
        assert probe.next_by_slot(with_result(ready(value))) == "end"
        assert value is None
    except StopIteration as stop:
        assert stop.value is value


@on_every_result
def test_result_comes_out_of_a_task(value):
    async def outer():
        task = asyncio.create_task(with_result(ready(value)))
        await asyncio.wait([task])
        return [task.result()]

    assert asyncio.run(outer())[0] is value


@on_every_result
def test_result_goes_through_two_awaitables(value):
    assert finish(with_result(with_result(ready(value)))) is value


@on_every_result
def test_result_that_was_set_comes_out(value):
    aw = probe.new()
    probe.set_result(aw, value)
    assert finish(aw) is value


def test_exception_that_was_stop_iteration_becomes_a_runtime_error():
    """As PEP 479 has it for `async def`: it must not be taken for the end."""

    def stop(aw, value):
        return -1, StopIteration("not the end")

    with pytest.raises(RuntimeError) as raised:
        finish(awaiting(ready(), stop))
    assert isinstance(raised.value.__cause__, StopIteration)
