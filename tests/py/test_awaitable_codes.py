"""What a callback's return code means."""

from __future__ import annotations

import sys
import traceback

import pytest
from coroutines import awaiting, failing, finish, noting, pause, probe, ready

pytestmark = pytest.mark.extension

MINE = ValueError("mine")


def raising(code, error):
    """A callback that returns the code with that exception set."""
    return lambda aw, value: (code, error)


# ---- result callbacks ----


def test_result_callback_0_goes_on():
    log = []
    aw = awaiting(ready(1), noting(log, 0))
    probe.add_await(aw, ready(2), noting(log, 0))
    finish(aw)
    assert log == [1, 2]


def test_result_callback_minus_1_gives_the_error_callback_its_exception():
    log = []
    error = ValueError()
    finish(awaiting(ready(), raising(-1, error), noting(log)))
    assert log == [error]


def test_result_callback_minus_1_handled_goes_on():
    log = []
    aw = awaiting(ready(), raising(-1, ValueError()), noting([], 0))
    probe.add_await(aw, ready("next"), noting(log))
    finish(aw)
    assert log == ["next"]


def test_result_callback_minus_1_propagates_without_an_error_callback():
    with pytest.raises(ValueError) as raised:
        finish(awaiting(ready(), raising(-1, MINE)))
    assert raised.value is MINE


def test_result_callback_minus_1_is_not_for_the_next_steps_error_callback():
    log = []
    aw = awaiting(ready(), raising(-1, MINE))
    probe.add_await(aw, ready(), None, noting(log))
    with pytest.raises(ValueError):
        finish(aw)
    assert log == []


def test_result_callback_minus_2_propagates_past_the_error_callback():
    log = []
    with pytest.raises(ValueError) as raised:
        finish(awaiting(ready(), raising(-2, MINE), noting(log)))
    assert raised.value is MINE
    assert log == []


def test_result_callback_minus_1_with_nothing_set_is_a_system_error():
    with pytest.raises(SystemError):
        finish(awaiting(ready(), "-1"))


def test_result_callback_minus_2_with_nothing_set_is_a_system_error():
    with pytest.raises(SystemError):
        finish(awaiting(ready(), "-2"))


def test_result_callback_minus_1_with_nothing_set_is_for_the_error_callback():
    log = []
    finish(awaiting(ready(), "-1", noting(log)))
    assert [type(error) for error in log] == [SystemError]


def test_result_callback_0_with_an_exception_set_is_a_system_error():
    with pytest.raises(SystemError):
        finish(awaiting(ready(), raising(0, ValueError())))


# ---- error callbacks ----


def test_error_callback_is_called_with_no_exception_set():
    """The probe refuses to call it with one."""
    log = []
    finish(awaiting(failing(MINE), None, noting(log)))
    assert log == [MINE]


def test_error_callback_is_called_with_none_set_after_a_failed_callback():
    log = []
    finish(awaiting(ready(), "fail", noting(log)))
    assert [str(error) for error in log] == ["in C"]


def test_error_callback_0_goes_on():
    log = []
    aw = awaiting(failing(ValueError()), None, noting([], 0))
    probe.add_await(aw, ready("next"), noting(log))
    finish(aw)
    assert log == ["next"]


def test_error_callback_0_leaves_the_result():
    aw = awaiting(failing(ValueError()), None, noting([], 0))
    assert finish(aw) is None


def test_error_callback_may_set_the_result():
    recover = lambda aw, _: probe.set_result(aw, "recovered")  # noqa: E731
    assert finish(awaiting(failing(ValueError()), None, recover)) == "recovered"


def test_error_callback_minus_1_raises_the_same_exception():
    error = ValueError()
    with pytest.raises(ValueError) as raised:
        finish(awaiting(failing(error), None, "-1"))
    assert raised.value is error


def test_error_callback_minus_1_keeps_cause_and_context():
    cause, context = KeyError(), IndexError()
    error = ValueError()
    error.__cause__, error.__context__ = cause, context
    with pytest.raises(ValueError) as raised:
        finish(awaiting(failing(error), None, "-1"))
    assert raised.value.__cause__ is cause
    assert raised.value.__context__ is context


def test_error_callback_minus_1_ends_the_steps():
    log = []
    aw = awaiting(failing(ValueError()), None, "-1")
    probe.add_await(aw, ready(), noting(log))
    with pytest.raises(ValueError):
        finish(aw)
    assert log == []


def test_error_callback_minus_2_raises_the_other_exception():
    other = KeyError()
    with pytest.raises(KeyError) as raised:
        finish(awaiting(failing(ValueError()), None, raising(-2, other)))
    assert raised.value is other


def test_error_callback_minus_2_has_the_first_exception_as_context():
    """As `except ValueError: raise KeyError` has it."""
    first, other = ValueError(), KeyError()
    with pytest.raises(KeyError) as raised:
        finish(awaiting(failing(first), None, raising(-2, other)))
    assert raised.value.__context__ is first


def test_error_callback_minus_2_with_nothing_set_is_a_system_error():
    with pytest.raises(SystemError):
        finish(awaiting(failing(ValueError()), None, "-2"))


def test_error_callback_0_with_an_exception_set_is_a_system_error():
    with pytest.raises(SystemError):
        finish(awaiting(failing(MINE), None, raising(0, KeyError())))


def test_error_callback_gets_base_exceptions_too():
    log = []
    finish(awaiting(failing(KeyboardInterrupt()), None, noting(log)))
    assert [type(error) for error in log] == [KeyboardInterrupt]


def test_error_callback_is_called_once_for_a_step():
    log = []
    with pytest.raises(ValueError):
        finish(awaiting(failing(MINE), None, noting(log, -1)))
    assert log == [MINE]


def test_error_callback_sees_the_exception_handled_no_more_afterwards():
    """sys.exc_info() of what runs later is clean, as after `except:`."""
    seen = []
    aw = awaiting(failing(ValueError()), None, noting([], 0))
    probe.add_await(aw, ready(), lambda aw, _: seen.append(sys.exc_info()))
    finish(aw)
    assert seen == [(None, None, None)]


# ---- tracebacks ----


async def where_it_happened():
    raise ValueError("deep")


def names(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_traceback_survives_without_an_error_callback():
    with pytest.raises(ValueError) as raised:
        finish(awaiting(where_it_happened()))
    assert "where_it_happened" in names(raised.value)


def test_traceback_survives_minus_1():
    with pytest.raises(ValueError) as raised:
        finish(awaiting(where_it_happened(), None, "-1"))
    assert names(raised.value)[-1] == "where_it_happened"


def test_traceback_of_the_callbacks_exception_survives_minus_1():
    def callback(aw, value):
        raise KeyError("in the callback")

    with pytest.raises(KeyError) as raised:
        finish(awaiting(ready(), callback, "-1"))
    assert names(raised.value)[-1] == "callback"


def test_traceback_survives_two_awaitables_around_it():
    inner = awaiting(where_it_happened(), None, "-1")
    with pytest.raises(ValueError) as raised:
        finish(awaiting(inner, None, "-1"))
    assert names(raised.value)[-1] == "where_it_happened"


def test_traceback_is_there_for_the_error_callback():
    seen = []
    finish(
        awaiting(
            where_it_happened(), None, lambda aw, e: seen.append(names(e))
        )
    )
    assert seen and seen[0][-1] == "where_it_happened"


async def handled_after(aw, seen):
    await aw
    seen.append(sys.exc_info()[1])
    await pause()
    seen.append(sys.exc_info()[1])


def test_error_callback_leaves_nothing_handled_in_the_awaiting_coroutine():
    seen = []
    outer = handled_after(awaiting(failing(MINE), None, noting([])), seen)
    try:
        raise KeyError("of who resumes it first")
    except KeyError as error:
        outer.send(None)
        first = error
    finish(outer)
    assert seen == [first, None]


async def raises_again(aw):
    try:
        raise MINE
    except ValueError:
        await aw
        raise


def test_error_callback_leaves_what_the_awaiting_coroutine_handles():
    aw = awaiting(failing(KeyError()), None, noting([]))
    with pytest.raises(ValueError, match="mine"):
        finish(raises_again(aw))
