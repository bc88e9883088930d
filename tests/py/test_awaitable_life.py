"""Dropped without being awaited; seen by the collector."""

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
    pause,
    probe,
    ready,
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
