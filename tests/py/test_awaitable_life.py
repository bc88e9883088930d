"""Dropped without being awaited; seen by the collector; nothing leaks."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
import weakref

import pytest
from coroutines import (
    awaiting,
    failing,
    finish,
    logged,
    noting,
    pause,
    probe,
    ready,
    with_result,
)

pytestmark = pytest.mark.extension


# ---- dropped without being awaited ----


def test_dropped_unawaited_warns():
    aw = awaiting(ready())
    with pytest.warns(ResourceWarning) as caught:
        del aw
    assert len(caught) == 1


def test_dropped_unawaited_warns_with_its_name():
    aw = awaiting(ready())
    probe.set_name(aw, "Sensor.read")
    with pytest.warns(ResourceWarning, match=r"Sensor\.read.*never awaited"):
        del aw


def test_dropped_unawaited_closes_what_was_added():
    """No second warning from the coroutine inside."""
    aw = awaiting(logged([], 1))
    with pytest.warns(ResourceWarning) as caught:
        del aw
        gc.collect()
    assert [it.category for it in caught] == [ResourceWarning]


def test_dropped_after_its_end_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aw = awaiting(ready())
        finish(aw)
        del aw


def test_dropped_after_a_failure_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aw = awaiting(failing(ValueError()))
        with pytest.raises(ValueError):
            finish(aw)
        del aw


def test_dropped_while_it_waits_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aw = awaiting(pause())
        aw.send(None)
        del aw


@pytest.mark.parametrize("end", [lambda it: it.close(), probe.cancel])
def test_dropped_after_close_or_cancel_is_silent(end):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aw = awaiting(logged([], 1))
        end(aw)
        del aw


def test_dropped_unawaited_leaves_the_exception_that_is_set():
    error = ValueError()
    with pytest.warns(ResourceWarning), pytest.raises(ValueError) as raised:
        probe.drop_while_raising(error)
    assert raised.value is error


def test_dropped_unawaited_leaves_it_where_warnings_are_errors(monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    error = ValueError()
    with warnings.catch_warnings(), pytest.raises(ValueError) as raised:
        warnings.simplefilter("error")
        probe.drop_while_raising(error)
    assert raised.value is error
    assert [it.exc_type for it in unraisable] == [ResourceWarning]


def test_dropped_unawaited_where_warnings_are_errors(monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aw = awaiting(ready())
        del aw
    assert [it.exc_type for it in unraisable] == [ResourceWarning]


def test_dropped_at_the_interpreters_exit_does_not_crash(python):
    process = python(
        """
        import awaitable_probe as probe, types

        @types.coroutine
        def ready():
            return 1
            yield

        kept = probe.new()
        probe.add_await(kept, ready())
        cycle = probe.new()
        probe.add_await(cycle, ready())
        probe.save_values(cycle, cycle)
        print("end")
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "end\n"


# ---- the collector ----


def refers(aw, it):
    return any(found is it for found in gc.get_referents(aw))


def test_collector_sees_its_type():
    aw = probe.new()
    assert refers(aw, probe.get_type())
    finish(aw)


def test_collector_sees_what_waits_in_every_place():
    coros = [ready(number) for number in range(50)]
    aw = probe.new()
    for coro in coros:
        probe.add_await(aw, coro)
    assert all(refers(aw, coro) for coro in coros)
    finish(aw)


def test_collector_sees_what_is_awaited():
    coro = pause()
    aw = awaiting(coro)
    aw.send(None)
    assert refers(aw, coro)
    aw.close()


def test_collector_sees_the_result():
    result = ["result"]
    aw = probe.new()
    probe.set_result(aw, result)
    assert refers(aw, result)
    finish(aw)


def test_collector_sees_the_context_manager():
    context = asyncio.Lock()
    aw = probe.new()
    probe.async_with(aw, context)

    def reached(it, depth=3):
        return it is context or (
            depth > 0
            and any(reached(below, depth - 1) for below in gc.get_referents(it))
        )

    assert any(reached(it) for it in gc.get_referents(aw))
    probe.cancel(aw)


class Marker:
    """Can be referred to weakly."""


def cycle_by_values(aw):
    marker = Marker()
    marker.aw = aw
    probe.save_values(aw, marker)
    return marker


def cycle_by_result(aw):
    marker = Marker()
    marker.aw = aw
    probe.set_result(aw, marker)
    return marker


def cycle_by_arguments(aw):
    marker = Marker()
    marker.aw = aw
    probe.parse_args(aw, (1, 2, marker, None))
    return marker


def cycle_by_step(aw):
    marker = Marker()

    async def inner():
        return aw, marker

    marker.coro = inner()
    probe.add_await(aw, marker.coro)
    return marker


def cycle_by_awaited(aw):
    marker = Marker()

    async def inner():
        await pause()
        return aw, marker

    probe.add_await(aw, inner())
    aw.send(None)
    return marker


@pytest.mark.parametrize(
    "make",
    [cycle_by_values, cycle_by_result, cycle_by_arguments, cycle_by_step,
     cycle_by_awaited],
)
def test_cycle_is_collected(make):
    aw = probe.new()
    marker = weakref.ref(make(aw))
    probe_ref = weakref.ref(aw)
    assert marker() is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del aw
        gc.collect()
    assert marker() is None and probe_ref() is None


def test_cycle_that_was_never_awaited_warns_when_collected():
    aw = probe.new()
    cycle_by_values(aw)
    with pytest.warns(ResourceWarning):
        del aw
        gc.collect()


def test_ended_awaitable_keeps_nothing_of_its_steps():
    coro = ready()
    ref = weakref.ref(coro)
    aw = awaiting(coro)
    del coro
    finish(aw)
    assert ref() is None


def test_awaited_step_is_let_go_before_its_callback_is_over():
    """As `x = await coro`: the coroutine is gone when x is there."""
    coro = ready()
    ref = weakref.ref(coro)
    seen = []
    aw = awaiting(coro, lambda aw, _: seen.append(None))
    probe.add_await(aw, ready(), lambda aw, _: seen.append(ref()))
    del coro
    finish(aw)
    assert seen == [None, None]


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
