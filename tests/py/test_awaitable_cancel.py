"""PyAwaitable_Cancel: from outside, from callbacks, before and after adding
steps, with an exception on its way."""

from __future__ import annotations

import inspect
import warnings

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
)

pytestmark = pytest.mark.extension


def test_cancel_drops_the_steps():
    log = []
    aw = awaiting(logged(log, 1))
    probe.add_await(aw, logged(log, 2))
    probe.cancel(aw)
    finish(aw)
    assert log == []


def test_cancel_closes_their_coroutines():
    coro = logged([], 1)
    aw = awaiting(coro)
    probe.cancel(aw)
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_cancel_calls_no_callback():
    log = []
    aw = awaiting(ready(), noting(log), noting(log))
    probe.defer_await(aw, log.append)
    probe.cancel(aw)
    finish(aw)
    assert log == []


def test_cancel_lets_steps_be_added_afterwards():
    log = []
    aw = awaiting(logged(log, "dropped"))
    probe.cancel(aw)
    probe.add_await(aw, logged(log, "added"), "set_result")
    assert finish(aw) == "added"
    assert log == ["added"]


def test_cancel_keeps_the_result():
    aw = awaiting(ready())
    probe.set_result(aw, 42)
    probe.cancel(aw)
    assert finish(aw) == 42


def test_cancel_keeps_the_values():
    aw = awaiting(ready())
    probe.save_values(aw, 1, 2, 3)
    probe.cancel(aw)
    assert probe.unpack_values(aw) == (1, 2, 3)
    finish(aw)


def test_cancel_twice_is_harmless():
    aw = awaiting(ready())
    probe.cancel(aw)
    probe.cancel(aw)
    finish(aw)


def test_cancel_after_the_end_is_harmless():
    aw = awaiting(ready())
    finish(aw)
    probe.cancel(aw)


def test_cancel_silences_the_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aw = awaiting(logged([], 1))
        probe.cancel(aw)
        del aw


def test_cancel_keeps_the_exception_that_is_set():
    log = []
    aw = awaiting(logged(log, 1))
    error = ValueError()
    with pytest.raises(ValueError) as raised:
        probe.cancel_while_raising(aw, error)
    assert raised.value is error
    finish(aw)
    assert log == []


class BadClose:
    """Its close() fails."""

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration

    def close(self):
        raise KeyError("close")


def test_cancel_keeps_the_exception_that_is_set_over_that_of_a_close():
    aw = awaiting(BadClose())
    with pytest.raises(ValueError), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", lambda _: None)
        probe.cancel_while_raising(aw, ValueError())
    finish(aw)


# ---- from a callback ----


def test_cancel_from_a_callback_drops_what_is_behind():
    log = []
    aw = awaiting(ready(), "cancel")
    probe.add_await(aw, logged(log, "behind"))
    finish(aw)
    assert log == []


def test_cancel_from_a_callback_keeps_the_result():
    aw = awaiting(ready(42), "set_result")
    probe.add_await(aw, ready(), "cancel")
    assert finish(aw) == 42


def test_cancel_from_an_error_callback_drops_what_is_behind():
    log = []
    aw = awaiting(failing(ValueError()), None, "cancel")
    probe.add_await(aw, logged(log, "behind"))
    finish(aw)
    assert log == []


def test_cancel_from_a_deferred_call_drops_what_is_behind():
    log = []
    aw = probe.new()
    probe.defer_await(aw, probe.cancel)
    probe.add_await(aw, logged(log, "behind"))
    finish(aw)
    assert log == []


def test_cancel_from_a_callback_before_adding_steps():
    log = []

    def callback(aw, _):
        probe.cancel(aw)
        probe.add_await(aw, logged(log, "added"))

    aw = awaiting(ready(), callback)
    probe.add_await(aw, logged(log, "behind"))
    finish(aw)
    assert log == ["added"]


def test_cancel_from_a_callback_after_adding_steps():
    log = []

    def callback(aw, _):
        probe.add_await(aw, logged(log, "added"))
        probe.cancel(aw)

    aw = awaiting(ready(), callback)
    probe.add_await(aw, logged(log, "behind"))
    finish(aw)
    assert log == []


def test_cancel_from_a_callback_that_fails_gives_its_exception():
    log = []
    aw = awaiting(ready(), "fail_and_cancel")
    probe.add_await(aw, logged(log, "behind"))
    with pytest.raises(ValueError, match="in C"):
        finish(aw)
    assert log == []


def test_cancel_from_a_callback_that_fails_leaves_its_error_callback():
    """The step has begun: what it raises is still its own affair."""
    log = []
    aw = awaiting(ready(), "fail_and_cancel", noting(log))
    finish(aw)
    assert [str(error) for error in log] == ["in C"]


def test_cancel_from_an_error_callback_that_fails_gives_its_exception():
    aw = awaiting(failing(KeyError()), None, "fail_and_cancel")
    probe.add_await(aw, ready())
    with pytest.raises(KeyError):  # -1: the same exception again
        finish(aw)


def test_cancel_while_a_step_waits_lets_it_end():
    """A step that has begun is not dropped."""
    log = []
    aw = awaiting(pause(), noting(log))
    probe.add_await(aw, logged(log, "behind"))
    aw.send(None)
    probe.cancel(aw)
    with pytest.raises(StopIteration):
        aw.send("resumed")
    assert log == ["resumed"]


def test_cancel_from_what_is_awaited():
    """As above, from the inside."""
    log = []

    async def inner():
        probe.cancel(aw)
        return "value"

    aw = awaiting(inner(), noting(log))
    probe.add_await(aw, logged(log, "behind"))
    finish(aw)
    assert log == ["value"]


def test_cancel_of_steps_whose_close_adds_steps():
    """A finaliser that runs in the middle of it finds the list in order."""
    log = []

    class Adding(BadClose):
        def close(self):
            probe.add_await(aw, logged(log, "added by close"))

    aw = awaiting(Adding())
    probe.add_await(aw, Adding())
    probe.cancel(aw)
    probe.cancel(aw)
    finish(aw)
    assert log == []
