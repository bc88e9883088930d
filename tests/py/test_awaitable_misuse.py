"""What must not be done ends in an error, never in a crash."""

from __future__ import annotations

import asyncio

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


# ---- awaited twice ----


def test_awaited_again_after_its_end_is_a_runtime_error():
    async def main():
        aw = with_result(ready(42))
        assert await aw == 42
        with pytest.raises(RuntimeError):
            await aw

    asyncio.run(main())


def test_awaited_again_after_a_failure_is_a_runtime_error():
    async def main():
        aw = awaiting(ready(), "fail")
        with pytest.raises(ValueError):
            await aw
        with pytest.raises(RuntimeError):
            await aw

    asyncio.run(main())


def test_awaited_by_a_second_task_leaves_the_first_unharmed():
    async def main():
        gate = asyncio.get_running_loop().create_future()
        aw = with_result(gate)

        async def wait():
            return await aw

        first = asyncio.create_task(wait())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            await wait()
        gate.set_result(42)
        return await first

    assert asyncio.run(main()) == 42


def test_awaited_by_a_second_step_of_another_is_a_runtime_error():
    inner = with_result(ready(42))
    log = []
    outer = awaiting(inner, noting(log))
    probe.add_await(outer, inner, noting(log))
    with pytest.raises(RuntimeError):
        finish(outer)
    assert log == [42]


def test_coroutine_that_another_awaits_is_a_runtime_error():
    async def inner():
        return await pause("yielded")

    async def outer(coro):
        return await coro

    coro = inner()
    first = outer(coro)
    assert first.send(None) == "yielded"
    with pytest.raises(RuntimeError):
        awaiting(coro).send(None)
    with pytest.raises(StopIteration) as stop:
        first.send("unharmed")
    assert stop.value.value == "unharmed"


# ---- cycles and re-entry ----


def test_cycle_of_two_is_an_error():
    one, two = probe.new(), probe.new()
    probe.add_await(one, two)
    probe.add_await(two, one)
    with pytest.raises((RuntimeError, ValueError)):
        finish(one)


def test_cycle_through_a_coroutine_is_an_error():
    async def inner():
        return await aw

    aw = awaiting(inner())
    with pytest.raises((RuntimeError, ValueError)):
        finish(aw)


def test_cycle_closed_while_it_runs_is_an_error():
    def callback(aw, _):
        probe.add_await(aw, with_result(aw))

    aw = awaiting(ready(), callback)
    with pytest.raises((RuntimeError, ValueError)):
        finish(aw)


@pytest.mark.parametrize(
    "enter",
    [
        lambda aw: aw.send(None),
        lambda aw: aw.throw(KeyError()),
        lambda aw: aw.close(),
        lambda aw: next(aw.__await__()),
        lambda aw: probe.send_by_slot(aw, None),
    ],
    ids=["send", "throw", "close", "next", "am_send"],
)
def test_reentry_from_what_it_awaits_is_an_error(enter):
    seen = []

    async def inner():
        with pytest.raises((ValueError, RuntimeError)) as raised:
            enter(aw)
        seen.append(raised.type)
        return "unharmed"

    aw = with_result(inner())
    assert finish(aw) == "unharmed"
    assert len(seen) == 1


@pytest.mark.parametrize("place", ["callback", "error", "defer", "step"])
def test_reentry_from_a_callback_is_an_error(place):
    seen = []

    def enter(aw, *_):
        with pytest.raises((ValueError, RuntimeError)):
            aw.send(None)
        seen.append(place)

    aw = probe.new()
    if place == "callback":
        probe.add_await(aw, ready(), enter)
    elif place == "error":
        probe.add_await(aw, awaiting(ready(), "fail"), None, enter)
    elif place == "defer":
        probe.defer_await(aw, enter)
    else:
        probe.set_step(aw, enter)
    finish(aw)
    assert seen == [place]


def test_chain_too_deep_is_a_recursion_error():
    """Each awaits the one before it: too deep for the stack, in C or not."""
    aw = with_result(ready(42))
    for _ in range(200_000):
        aw = with_result(aw)
    with pytest.raises(RecursionError):
        finish(aw)


def test_chain_too_deep_is_dropped_without_a_crash():
    aw = probe.new()
    probe.cancel(aw)
    for _ in range(200_000):
        aw = awaiting(aw)
    finish_warnings = pytest.warns(ResourceWarning)
    with finish_warnings:
        del aw


def test_chain_of_a_hundred_works():
    aw = with_result(pause("yielded"))
    for _ in range(99):
        aw = with_result(aw)
    assert aw.send(None) == "yielded"
    with pytest.raises(StopIteration) as stop:
        aw.send(42)
    assert stop.value.value == 42


# ---- nonsense from __await__ ----


@pytest.mark.parametrize(
    "nonsense", [None, 5, "text", [], (), object(), int, ValueError()],
    ids=repr,
)
def test_await_that_returns_no_iterator_is_a_type_error(nonsense):
    aw = probe.new()
    with pytest.raises(TypeError):
        probe.add_await(aw, Iterated(nonsense))
        finish(aw)
    probe.cancel(aw)


def test_await_that_returns_a_generator_of_types_coroutine_is_a_type_error():
    aw = awaiting(Iterated(ready()))
    with pytest.raises(TypeError, match="returned a coroutine"):
        finish(aw)


def test_await_that_returns_a_coroutine_is_a_type_error():
    """As `await` has it."""
    coro = logged([], 1)
    aw = probe.new()
    with pytest.raises(TypeError):
        probe.add_await(aw, Iterated(coro))
        finish(aw)
    coro.close()
    probe.cancel(aw)


def test_await_that_raises_is_the_steps_exception():
    class Bad:
        def __await__(self):
            raise KeyError("await")

    log = []
    aw = probe.new()
    try:
        probe.add_await(aw, Bad(), None, noting(log))
    except KeyError:
        log.append(KeyError("await"))
    finish(aw)
    assert [repr(it) for it in log] == ["KeyError('await')"]


def test_await_whose_iterator_loses_next_is_an_error():
    class Iterator:
        def __iter__(self):
            return self

        def __next__(self):
            return 1

    aw = awaiting(Iterated(Iterator()))
    aw.send(None)
    del Iterator.__next__
    with pytest.raises((TypeError, AttributeError)):
        aw.send(None)


@pytest.mark.parametrize("name", ["throw", "close"])
def test_attribute_that_raises_is_passed_on(name):
    """AttributeError alone means that there is none."""

    class Iterator:
        def __iter__(self):
            return self

        def __next__(self):
            return 1

    def bad(self):
        raise KeyError(name)

    setattr(Iterator, name, property(bad))
    aw = awaiting(Iterated(Iterator()))
    aw.send(None)
    with pytest.raises(KeyError):
        aw.throw(ValueError()) if name == "throw" else aw.close()


# ---- a wrong object as `aw` ----

CALLS = {
    "add_await": lambda it: probe.add_await(it, ready()),
    "add_expr": lambda it: probe.add_expr(it, ready()),
    "add_await_result": lambda it: probe.add_await_result(it, ready()),
    "insert_await": lambda it: probe.insert_await(it, ready()),
    "defer_await": lambda it: probe.defer_await(it, print),
    "async_with": lambda it: probe.async_with(it, asyncio.Lock()),
    "set_result": lambda it: probe.set_result(it, 1),
    "set_name": lambda it: probe.set_name(it, "name"),
    "cancel": probe.cancel,
    "save_values": lambda it: probe.save_values(it, 1, 2),
    "unpack_values": probe.unpack_values,
    "get_value": lambda it: probe.get_value(it, 0),
    "set_value": lambda it: probe.set_value(it, 0, 1),
    "save_arb_values": lambda it: probe.save_arb_values(it, 1, 2),
    "unpack_arb_values": probe.unpack_arb_values,
    "get_arb_value": lambda it: probe.get_arb_value(it, 0),
    "set_arb_value": lambda it: probe.set_arb_value(it, 0, 1),
    "set_step": lambda it: probe.set_step(it, print),
    "step_await": lambda it: probe.step_await(it, ready(), 1),
    "parse_args": lambda it: probe.parse_args(it, (1, 2, 3, 4)),
    "unpack_args": probe.unpack_args,
}

WRONG = [None, object(), 5, ready(), ValueError(), type]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda it: type(it).__name__)
def test_wrong_object_is_a_type_error(call, wrong):
    with pytest.raises(TypeError):
        call(wrong)


def test_null_as_the_awaitable_is_an_error():
    with pytest.raises((TypeError, ValueError)):
        probe.add_to_nothing(None)


def test_null_as_the_awaitable_keeps_the_exception_that_is_set():
    with pytest.raises(KeyError):
        probe.add_to_nothing(KeyError())


def test_wrong_object_in_a_callback_propagates():
    """The slip of a well-known example: the exception in the awaitable's
    place."""
    slip = lambda aw, error: probe.set_result(error, False)  # noqa: E731
    aw = awaiting(awaiting(ready(), "fail"), None, slip)
    with pytest.raises(TypeError):
        finish(aw)


def test_step_await_outside_a_step_function_is_an_error():
    aw = probe.new()
    with pytest.raises(RuntimeError):
        probe.step_await(aw, ready(), 1)
    probe.cancel(aw)


def test_subclass_cannot_be_made():
    with pytest.raises(TypeError):
        type("Sub", (probe.get_type(),), {})


def test_type_is_not_writable():
    with pytest.raises(TypeError):
        probe.get_type().send = None
