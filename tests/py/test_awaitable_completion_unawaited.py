"""Completion by threads that know nothing of Python, of what no loop awaits."""

from __future__ import annotations

import awaitable_waits as waits
import pytest
from completions import every_value_is_freed, every_way  # noqa: F401

pytestmark = pytest.mark.extension


@every_way
def test_completed_before_it_does_not_suspend(complete):
    """It is there without a loop, too."""
    awaitable, handle = waits.completion()
    complete(handle, 7)
    with pytest.raises(StopIteration) as stop:
        awaitable.send(None)
    assert stop.value.value == 7


@every_way
def test_completed_after_the_awaitable_is_gone(complete):
    awaitable, handle = waits.completion()
    waits.cancel(awaitable)
    del awaitable
    before = waits.counts()
    complete(handle, 7)
    assert waits.counts()[2] - before[2] == 1


def test_abandoned_after_the_awaitable_is_gone(recwarn):
    awaitable, handle = waits.completion()
    waits.cancel(awaitable)
    del awaitable
    waits.complete_apart(handle, None)
    assert not list(recwarn)


def test_awaitable_gone_after_it_was_completed():
    awaitable, handle = waits.completion()
    waits.complete_apart(handle, 7)
    before = waits.counts()
    waits.cancel(awaitable)
    del awaitable
    assert waits.counts()[2] - before[2] == 1


def test_awaitable_dropped_unawaited_says_so(recwarn):
    awaitable, handle = waits.completion()
    del awaitable
    assert [it.category for it in recwarn] == [ResourceWarning]
    waits.complete_apart(handle, 7)


def test_awaited_where_no_loop_runs_is_an_error():
    awaitable, handle = waits.completion()
    with pytest.raises(RuntimeError, match="no running event loop"):
        awaitable.send(None)
    waits.complete_apart(handle, 7)
