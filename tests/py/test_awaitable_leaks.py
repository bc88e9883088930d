"""Nothing leaks, in any path: shown by reference counts, and by what the
interpreter has allocated."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest
from coroutines import (
    awaiting,
    failing,
    finish,
    pause,
    probe,
    ready,
    with_result,
)

pytestmark = pytest.mark.extension


# ---- reference counts ----


def count_of(value, use):
    """How many references to the value using it leaves behind."""
    before = sys.getrefcount(value)
    use(value)
    gc.collect()
    return sys.getrefcount(value) - before


def test_references_of_a_result():
    assert count_of(object(), lambda it: finish(with_result(ready(it)))) == 0


def test_references_of_a_result_that_is_replaced():
    def use(value):
        aw = probe.new()
        probe.set_result(aw, value)
        probe.set_result(aw, 1)
        finish(aw)

    assert count_of(object(), use) == 0


def test_references_of_an_exception_that_propagates():
    def use(error):
        with pytest.raises(ValueError):
            finish(awaiting(failing(error), None, "-1"))
        error.__traceback__ = None

    assert count_of(ValueError(), use) == 0


def test_references_of_an_exception_that_is_dealt_with():
    def use(error):
        finish(awaiting(failing(error), None, "go_on"))
        error.__traceback__ = None

    assert count_of(ValueError(), use) == 0


def test_references_of_an_exception_that_is_replaced():
    def use(error):
        with pytest.raises(KeyError):
            finish(
                awaiting(failing(error), None, lambda aw, _: (-2, KeyError()))
            )
        error.__traceback__ = None

    assert count_of(ValueError(), use) == 0


class Awaited:
    """Awaited at once, and more than once."""

    def __await__(self):
        return iter(())


def add_in_vain(add):
    def use(value):
        aw = probe.new()
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            add(aw, value)
        finish(aw)

    return use


@pytest.mark.parametrize(
    "add", [probe.add_await, probe.add_expr, probe.insert_await,
            probe.add_await_result, probe.async_with],
)
def test_references_of_what_is_refused(add):
    assert count_of(object(), add_in_vain(add)) == 0


@pytest.mark.parametrize(
    "add", [probe.add_await, probe.add_expr, probe.insert_await,
            probe.add_await_result],
)
def test_references_of_what_is_awaited(add):
    def use(value):
        aw = probe.new()
        add(aw, value)
        finish(aw)

    assert count_of(Awaited(), use) == 0


@pytest.mark.parametrize(
    "add", [probe.add_await, probe.add_expr, probe.insert_await,
            probe.add_await_result],
)
def test_references_of_what_is_cancelled(add):
    def use(value):
        aw = probe.new()
        add(aw, value)
        probe.cancel(aw)

    assert count_of(Awaited(), use) == 0


def test_references_of_what_is_refused_by_an_ended_awaitable():
    aw = probe.new()
    finish(aw)

    def use(value):
        with pytest.raises(RuntimeError):
            probe.add_expr(aw, value)

    assert count_of(Awaited(), use) == 0


def test_references_of_what_a_wrong_object_is_given():
    def use(value):
        with pytest.raises(TypeError):
            probe.add_expr(None, value)

    assert count_of(Awaited(), use) == 0


def test_references_of_the_awaitable_in_a_callback():
    counts = []
    aw = awaiting(ready(), lambda aw, _: counts.append(sys.getrefcount(aw)))
    before = sys.getrefcount(aw)
    finish(aw)
    assert sys.getrefcount(aw) == before
    assert counts[0] > before


# ---- no leak in any path ----


def path_ready():
    finish(awaiting(ready(1), "set_result"))


def path_many_steps():
    aw = probe.new()
    for _ in range(20):
        probe.add_await(aw, ready(), "go_on")
    finish(aw)


def path_failing():
    with pytest.raises(ValueError):
        finish(awaiting(failing(ValueError()), None, "-1"))


def path_failing_callback():
    with pytest.raises(ValueError):
        finish(awaiting(ready(), "fail"))


def path_system_error():
    with pytest.raises(SystemError):
        finish(awaiting(ready(), "-2"))


def path_thrown_at():
    aw = awaiting(pause(), None, "go_on")
    aw.send(None)
    with pytest.raises(StopIteration):
        aw.throw(KeyError())


def path_thrown_at_unstarted():
    with pytest.raises(KeyError):
        awaiting(ready()).throw(KeyError())


def path_closed():
    aw = awaiting(pause())
    aw.send(None)
    aw.close()


def path_dropped():
    aw = awaiting(pause())
    aw.send(None)


def path_unawaited():
    awaiting(ready())


def path_cancelled():
    probe.cancel(awaiting(ready()))


def path_values():
    aw = probe.new()
    probe.save_values(aw, object(), object(), object())
    probe.set_value(aw, 1, object())
    probe.unpack_values(aw)
    probe.save_arb_values(aw, 1, 2)
    probe.unpack_arb_values(aw)
    with pytest.raises(IndexError):
        probe.get_value(aw, 5)
    finish(aw)


def path_arguments():
    aw = probe.new()
    probe.parse_args(aw, (1, 2, object(), object()))
    probe.unpack_args(aw)
    with pytest.raises(TypeError):
        probe.parse_args(aw, ())
    finish(aw)


def path_named():
    aw = probe.new()
    probe.set_name(aw, "One.two")
    probe.set_name(aw, "One.three")
    repr(aw), aw.__name__, aw.__qualname__
    finish(aw)


def path_step():
    def step(aw, state, value):
        if state < 3:
            probe.step_await(aw, ready(object()), state + 1)

    aw = probe.new()
    probe.set_step(aw, step)
    finish(aw)


def path_step_failing():
    def step(aw, state, value):
        if state == 0:
            return probe.step_await(aw, failing(ValueError()), 1, 2)
        return -1, KeyError()

    aw = probe.new()
    probe.set_step(aw, step)
    with pytest.raises(KeyError):
        finish(aw)


class Context:
    async def __aenter__(self):
        return object()

    async def __aexit__(self, *_):
        return True


def path_async_with():
    aw = probe.new()
    probe.async_with(aw, Context(), "set_result")
    finish(aw)


def path_async_with_failing():
    aw = probe.new()
    probe.async_with(aw, Context(), "fail")
    finish(aw)


def path_twice():
    aw = probe.new()
    finish(aw)
    with pytest.raises(RuntimeError):
        finish(aw)


def path_wrong():
    with pytest.raises(TypeError):
        probe.set_result(None, object())


def path_task():
    async def main():
        await asyncio.create_task(awaiting(asyncio.sleep(0), "set_result"))

    asyncio.run(main())


PATHS = [it for name, it in sorted(globals().items()) if name[:5] == "path_"]
ROUNDS = 100


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("path", PATHS, ids=lambda it: it.__name__[5:])
def test_nothing_leaks(path):
    def measure():
        for _ in range(ROUNDS):
            path()
            probe.release()
        gc.collect()
        return sys.getallocatedblocks(), len(gc.get_objects())

    counts = [measure() for _ in range(6)]
    # A leak shows in each measure; what else the interpreter keeps, in some.
    grown = [
        min(after - before for before, after in zip(them, them[1:]))
        for them in zip(*counts)
    ]
    assert max(grown) < ROUNDS // 4, counts


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_type_is_not_leaked_by_its_instances():
    def count():
        for _ in range(100):
            path_ready()
            path_unawaited()
            path_closed()
        gc.collect()
        return sys.getrefcount(probe.get_type())

    count()
    assert count() - count() == 0
