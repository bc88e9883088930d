"""One step function with a state, for those who would write a `switch`."""

from __future__ import annotations

import gc

import pytest
from coroutines import (
    failing,
    finish,
    logged,
    pause,
    probe,
    ready,
)

pytestmark = pytest.mark.extension


def stepping(step):
    aw = probe.new()
    probe.set_step(aw, step)
    return aw


def test_step_is_not_called_before_it_is_awaited():
    log = []
    aw = stepping(lambda *arguments: log.append(arguments))
    assert log == []
    finish(aw)


def test_step_is_first_called_with_state_0_and_none():
    log = []
    aw = stepping(lambda *arguments: log.append(arguments))
    finish(aw)
    assert log == [(aw, 0, None)]


def test_step_that_awaits_is_called_with_the_next_state_and_the_result():
    log = []

    def step(aw, state, value):
        log.append((state, value))
        if state < 3:
            probe.step_await(aw, ready(state * 10), state + 1)

    finish(stepping(step))
    assert log == [(0, None), (1, 0), (2, 10), (3, 20)]


def test_step_may_name_any_state():
    log = []

    def step(aw, state, value):
        log.append(state)
        if state == 0:
            probe.step_await(aw, ready(), 1000)

    finish(stepping(step))
    assert log == [0, 1000]


def test_step_may_name_its_own_state_again():
    left = 5

    def step(aw, state, value):
        nonlocal left
        left -= 1
        if left:
            probe.step_await(aw, ready(), 0)

    finish(stepping(step))
    assert left == 0


def test_step_sets_the_result():
    def step(aw, state, value):
        if state == 0:
            return probe.step_await(aw, ready(42), 1)
        return probe.set_result(aw, value)

    assert finish(stepping(step)) == 42


def test_step_suspends_where_what_it_awaits_does():
    def step(aw, state, value):
        if state == 0:
            return probe.step_await(aw, pause("yielded"), 1)
        return probe.set_result(aw, value)

    aw = stepping(step)
    assert aw.send(None) == "yielded"
    with pytest.raises(StopIteration) as stop:
        aw.send("sent")
    assert stop.value.value == "sent"


def test_step_minus_1_ends_with_its_exception():
    error = ValueError()
    with pytest.raises(ValueError) as raised:
        finish(stepping(lambda aw, state, value: (-1, error)))
    assert raised.value is error


def test_step_minus_1_with_nothing_set_is_a_system_error():
    with pytest.raises(SystemError):
        finish(stepping(lambda aw, state, value: -1))


def test_step_without_an_error_state_lets_exceptions_propagate():
    log = []
    error = ValueError()

    def step(aw, state, value):
        log.append(state)
        probe.step_await(aw, failing(error), 1, -1)

    with pytest.raises(ValueError) as raised:
        finish(stepping(step))
    assert raised.value is error
    assert log == [0]


def test_step_in_an_error_state_gets_the_exception():
    log = []
    error = ValueError()

    def step(aw, state, value):
        log.append((state, value))
        if state == 0:
            probe.step_await(aw, failing(error), 1, 2)

    finish(stepping(step))
    assert log == [(0, None), (2, error)]


def test_step_in_an_error_state_that_returns_0_has_dealt_with_it():
    def step(aw, state, value):
        if state == 0:
            return probe.step_await(aw, failing(ValueError()), 1, 2)
        return probe.set_result(aw, "dealt with")

    assert finish(stepping(step)) == "dealt with"


def test_step_in_an_error_state_may_await_on():
    log = []

    def step(aw, state, value):
        log.append(state)
        if state == 0:
            probe.step_await(aw, failing(ValueError()), 1, 2)
        elif state == 2:
            probe.step_await(aw, ready("again"), 3)
        else:
            probe.set_result(aw, value)

    assert finish(stepping(step)) == "again"
    assert log == [0, 2, 3]


def test_step_await_of_null_keeps_the_exception_of_the_call():
    error = ValueError()

    def step(aw, state, value):
        probe.step_await_failed(aw, error)

    with pytest.raises(ValueError) as raised:
        finish(stepping(step))
    assert raised.value is error


def test_step_await_of_what_cannot_be_awaited_is_a_type_error():
    with pytest.raises(TypeError):
        finish(stepping(lambda aw, state, value: probe.step_await(aw, 5, 1)))


def test_step_await_twice_is_refused():
    """Which result would the next call get?"""

    def step(aw, state, value):
        probe.step_await(aw, ready(), 1)
        probe.step_await(aw, ready(), 2)

    with pytest.raises(RuntimeError):
        finish(stepping(step))


def test_step_await_after_the_last_call_is_refused():
    aw = probe.new()
    probe.set_step(aw, lambda aw, state, value: 0)
    probe.defer_await(aw, lambda aw: probe.step_await(aw, ready(), 1))
    with pytest.raises(RuntimeError, match="step function"):
        finish(aw)


def test_second_step_function_is_refused():
    aw = stepping(lambda aw, state, value: 0)
    with pytest.raises(RuntimeError):
        probe.set_step(aw, print)
    finish(aw)


def test_step_mixes_with_other_steps():
    log = []

    def step(aw, state, value):
        log.append(state)
        if state == 0:
            probe.step_await(aw, logged(log, "awaited"), 1)

    aw = stepping(step)
    probe.add_await(aw, logged(log, "added"))
    finish(aw)
    assert log == [0, "awaited", 1, "added"]


def test_step_argument_is_freed_at_the_end():
    freed = probe.freed()
    aw = stepping(lambda aw, state, value: 0)
    assert probe.freed() == freed
    finish(aw)
    del aw
    assert probe.freed() == freed + 1


def test_step_argument_is_freed_after_a_failure():
    freed = probe.freed()
    aw = stepping(lambda aw, state, value: (-1, ValueError()))
    with pytest.raises(ValueError):
        finish(aw)
    del aw
    gc.collect()
    assert probe.freed() == freed + 1


def test_step_argument_is_freed_if_it_was_never_awaited():
    freed = probe.freed()
    aw = stepping(lambda aw, state, value: 0)
    probe.cancel(aw)
    del aw
    assert probe.freed() == freed + 1


def test_step_argument_is_freed_when_closed():
    freed = probe.freed()
    aw = stepping(lambda aw, state, value: probe.step_await(aw, pause(), 1))
    aw.send(None)
    aw.close()
    del aw
    assert probe.freed() == freed + 1


def test_step_without_an_argument_gets_null():
    aw = probe.new()
    probe.set_bare_step(aw)
    assert finish(aw) == 42


def test_step_is_cancelled_in_its_error_state():
    log = []

    def step(aw, state, value):
        log.append((state, type(value)))
        if state == 0:
            probe.step_await(aw, pause(), 1, 2)

    aw = stepping(step)
    aw.send(None)
    with pytest.raises(StopIteration):
        aw.throw(KeyError())
    assert log == [(0, type(None)), (2, KeyError)]


def test_million_states_do_not_recurse():
    def step(aw, state, value):
        if state < 1_000_000:
            probe.step_await(aw, ready(), state + 1)
        else:
            probe.set_result(aw, state)

    assert finish(stepping(step)) == 1_000_000
