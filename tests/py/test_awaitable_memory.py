"""No memory: MemoryError, whichever allocation it is that fails.

Each scenario is run with one allocation that succeeds, with two, and so on,
until it has all that it wants. Before that it ends in MemoryError, each time.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings

import pytest
from coroutines import Iterated, awaiting, failing, finish, pause, probe, ready

pytestmark = pytest.mark.extension


def new():
    probe.cancel(probe.new())


def add_await():
    return finish(awaiting(ready(1), "set_result", "-1"))


def many_steps():
    aw = probe.new()
    for _ in range(40):
        probe.add_await(aw, ready(), "go_on")
    return finish(aw)


def insert_await():
    aw = probe.new()
    for _ in range(40):
        probe.insert_await(aw, ready(), "go_on")
    return finish(aw)


def add_expr():
    aw = probe.new()
    probe.add_expr(aw, ready(), "go_on")
    return finish(aw)


def await_result():
    aw = probe.new()
    probe.add_await_result(aw, ready(5))
    return finish(aw)


def deferred(aw):
    return 0


def defer_await():
    aw = probe.new()
    probe.defer_await(aw, deferred)
    return finish(aw)


def values():
    aw = probe.new()
    for _ in range(10):
        probe.save_values(aw, 1, 2, 3)
    probe.save_arb_values(aw, 1, 2)
    return finish(aw)


ARGUMENTS = (1, 2, None, None)


def arguments():
    aw = probe.new()
    probe.parse_args(aw, ARGUMENTS)
    probe.unpack_args(aw)
    return finish(aw)


def name():
    aw = probe.new()
    probe.set_name(aw, "Sensor.read")
    repr(aw)
    return finish(aw)


def step(aw, state, value):
    if state < 3:
        probe.step_await(aw, ready(), state + 1, 5)


def step_function():
    aw = probe.new()
    probe.set_step(aw, step)
    return finish(aw)


class Context:
    """Without coroutines that would complain of being dropped."""

    def __aenter__(self):
        return ready(5)

    def __aexit__(self, *_):
        return ready(True)


CONTEXT = Context()


def async_with():
    aw = probe.new()
    probe.async_with(aw, CONTEXT, "go_on", "-1")
    return finish(aw)


def async_with_that_fails():
    aw = probe.new()
    probe.async_with(aw, CONTEXT, "fail", "-1")
    return finish(aw)


def iterator():
    return finish(awaiting(Iterated(iter(())), "set_result"))


def waiting():
    aw = awaiting(pause(), "set_result")
    aw.send(None)
    return finish(aw)


def closed():
    aw = awaiting(pause(), "set_result")
    aw.send(None)
    aw.close()


def error_handled():
    return finish(awaiting(failing(ERROR), None, "go_on"))


ERROR = ValueError("made beforehand")

SCENARIOS = [
    new, add_await, many_steps, insert_await, add_expr, await_result,
    defer_await, values, arguments, name, step_function, async_with,
    async_with_that_fails, iterator, waiting, closed, error_handled,
]


def until_it_succeeds(scenario, ends=(), most=3000):
    """Its outcomes, with 0 allocations, 1, …; the last is no MemoryError."""
    for after in range(most):
        # Each with the same state of caches and free lists.
        gc.collect()
        try:
            return after, probe.call_without_memory(after, scenario)
        except MemoryError:
            continue
        except ends as error:
            return after, error
    raise AssertionError("MemoryError, however much memory there is")


@pytest.fixture(autouse=True)
def quiet():
    """What was begun is dropped, and must not be a second complaint."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: it.__name__)
def test_without_memory_it_is_a_memory_error(scenario):
    expected = scenario()
    after, result = until_it_succeeds(scenario)
    assert result == expected
    assert after > 0, "nothing was allocated"


def test_new_allocates_each_time():
    """No free list: the first allocation is that of the object."""
    for _ in range(3):
        new()
        with pytest.raises(MemoryError):
            probe.call_without_memory(0, probe.new)


# ---- where the message of another error cannot be made ----


def refused():
    aw = probe.new()
    try:
        probe.add_await(aw, 5)
    finally:
        probe.cancel(aw)


def itself():
    aw = probe.new()
    try:
        probe.add_await(aw, aw)
    finally:
        probe.cancel(aw)


def awaited_twice():
    aw = probe.new()
    finish(aw)
    aw.send(None)


def no_value():
    aw = probe.new()
    probe.cancel(aw)
    probe.get_value(aw, 7)


def no_values():
    aw = probe.new()
    probe.cancel(aw)
    probe.unpack_values(aw)


def no_exception_set():
    finish(awaiting(ready(), "-2"))


def no_exception_set_by_err():
    finish(awaiting(failing(ERROR), None, "-2"))


def no_iterator():
    finish(awaiting(Iterated(5)))


def wrong_object():
    probe.set_result(5, None)


def no_context_manager():
    aw = probe.new()
    try:
        probe.async_with(aw, 5)
    finally:
        probe.cancel(aw)


def wrong_arguments():
    aw = probe.new()
    probe.cancel(aw)
    probe.parse_args(aw, ())


ERRORS = {
    refused: TypeError,
    itself: ValueError,
    awaited_twice: RuntimeError,
    no_value: IndexError,
    no_values: RuntimeError,
    no_exception_set: SystemError,
    no_exception_set_by_err: SystemError,
    no_iterator: TypeError,
    wrong_object: TypeError,
    no_context_manager: TypeError,
    wrong_arguments: TypeError,
}


@pytest.mark.parametrize(
    ("scenario", "kind"), ERRORS.items(),
    ids=[it.__name__ for it in ERRORS],
)
def test_without_memory_for_its_message_it_is_a_memory_error(scenario, kind):
    _, error = until_it_succeeds(scenario, ends=kind)
    assert type(error) is kind
    assert str(error) != ""


# ---- what was begun is put away ----


class Step:
    """Awaited at once, and more than once."""

    def __await__(self):
        return iter(())


def test_without_memory_what_was_added_is_let_go():
    """What could not be added has taken nothing; what could, is let go."""
    step = Step()
    before = sys.getrefcount(step)
    aw = probe.new()

    def add():
        while True:
            probe.add_expr(aw, step)

    with pytest.raises(MemoryError):
        probe.call_without_memory(3, add)
    probe.cancel(aw)
    del add
    assert sys.getrefcount(step) == before


def test_without_memory_an_awaitable_stays_usable():
    aw = awaiting(ready("first"), "set_result")
    step = Step()

    def add():
        while True:
            probe.add_await(aw, step)

    with pytest.raises(MemoryError):
        probe.call_without_memory(3, add)
    assert finish(aw) == "first"


def test_without_memory_a_dropped_awaitable_does_not_crash():
    """Its warning cannot be made."""

    def drop():
        aw = probe.new()
        del aw

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda *_: None
        for after in range(60):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("sys.unraisablehook", lambda _: None)
                try:
                    probe.call_without_memory(after, drop)
                except MemoryError:
                    pass


def test_task_works_after_all_that():
    async def main():
        return await asyncio.create_task(awaiting(ready(5), "set_result"))

    assert asyncio.run(main()) == 5
