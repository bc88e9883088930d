"""The coroutine API, function by function: an awaitable and its steps."""

from __future__ import annotations

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


# ---- Init, GetType, New ----


def test_init_may_be_repeated():
    probe.init()
    probe.init()
    assert finish(awaiting(ready(1))) is None


def test_type_is_that_of_a_new_awaitable():
    aw = probe.new()
    assert type(aw) is probe.get_type()
    assert finish(aw) is None


def test_type_cannot_be_called():
    """What awaits is made in C: nothing half-made comes from Python."""
    with pytest.raises(TypeError):
        probe.get_type()()


def test_awaitable_without_steps_gives_none():
    assert finish(probe.new()) is None


# ---- AddAwait ----


def test_add_await_runs_nothing_before_it_is_awaited():
    log = []
    aw = awaiting(logged(log, "ran"))
    assert log == []
    finish(aw)
    assert log == ["ran"]


def test_add_await_runs_steps_in_order():
    log = []
    aw = probe.new()
    for name in "abcdefghijklmnop":  # more than fit into any first block
        probe.add_await(aw, logged(log, name))
    finish(aw)
    assert log == list("abcdefghijklmnop")


def test_add_await_calls_each_callback_before_the_next_step():
    log = []
    aw = probe.new()
    note = lambda aw, value: log.append(f"got {value}")  # noqa: E731
    probe.add_await(aw, logged(log, "one"), note)
    probe.add_await(aw, logged(log, "two"))
    finish(aw)
    assert log == ["one", "got one", "two"]


def test_add_await_discards_the_value_without_a_callback():
    assert finish(awaiting(ready(42))) is None


def test_add_await_gives_the_callback_the_awaitable_and_the_value():
    seen = []
    aw = awaiting(ready(42), lambda *arguments: seen.append(arguments))
    finish(aw)
    assert seen == [(aw, 42)]


def test_add_await_gives_the_error_callback_the_awaitable_and_the_exception():
    seen = []
    error = ValueError()
    aw = awaiting(failing(error), None, lambda *them: seen.append(them))
    finish(aw)
    assert seen == [(aw, error)]


def test_add_await_does_not_call_the_error_callback_of_a_success():
    log = []
    finish(awaiting(ready(1), None, noting(log)))
    assert log == []


def test_add_await_does_not_call_the_result_callback_of_a_failure():
    log = []
    finish(awaiting(failing(ValueError()), noting(log), noting([])))
    assert log == []


def test_add_await_propagates_an_exception_without_an_error_callback():
    error = ValueError()
    with pytest.raises(ValueError) as raised:
        finish(awaiting(failing(error)))
    assert raised.value is error


def test_add_await_propagates_before_the_steps_behind():
    log = []
    aw = awaiting(failing(ValueError()))
    probe.add_await(aw, ready(), noting(log))
    with pytest.raises(ValueError):
        finish(aw)
    assert log == []


def test_add_await_from_a_callback_comes_last():
    log = []
    aw = probe.new()
    late = lambda aw, _: probe.add_await(aw, logged(log, "late"))  # noqa: E731
    probe.add_await(aw, logged(log, "one"), late)
    probe.add_await(aw, logged(log, "two"))
    finish(aw)
    assert log == ["one", "two", "late"]


def test_add_await_from_the_last_callback_still_runs():
    log = []

    def again(aw, value):
        log.append(value)
        if value < 5:
            probe.add_await(aw, ready(value + 1), again)

    finish(awaiting(ready(0), again))
    assert log == [0, 1, 2, 3, 4, 5]


def test_add_await_from_an_error_callback_runs():
    log = []
    recover = lambda aw, _: probe.add_await(aw, logged(log, "on"))  # noqa: E731
    finish(awaiting(failing(ValueError()), None, recover))
    assert log == ["on"]


def test_add_await_takes_another_awaitable():
    inner = with_result(pause("yielded"))
    outer = awaiting(inner, "set_result")
    assert outer.send(None) == "yielded"
    with pytest.raises(StopIteration) as stop:
        outer.send("sent")
    assert stop.value.value == "sent"


@pytest.mark.parametrize("what", [1, None, "text", object(), len, (), int])
def test_add_await_of_what_cannot_be_awaited_is_a_type_error(what):
    aw = probe.new()
    with pytest.raises(TypeError):
        probe.add_await(aw, what)
    assert finish(aw) is None


def test_add_await_of_a_generator_is_a_type_error():
    """As `await` has it: a plain generator is no coroutine."""
    aw = probe.new()
    with pytest.raises(TypeError):
        probe.add_await(aw, (x for x in ()))
    finish(aw)


@pytest.mark.parametrize("by", ["add", "insert", "result", "defer", "set"])
def test_null_is_a_value_error(by):
    aw = probe.new()
    with pytest.raises(ValueError):
        probe.add_nothing(aw, by)
    assert finish(aw) is None


@pytest.mark.parametrize(
    "add", [probe.add_await, probe.add_expr, probe.insert_await,
            probe.add_await_result]
)
def test_itself_is_a_value_error(add):
    aw = probe.new()
    with pytest.raises(ValueError):
        add(aw, aw)
    assert finish(aw) is None


@pytest.mark.parametrize(
    "add", [probe.add_await, probe.add_expr, probe.insert_await,
            probe.add_await_result]
)
def test_adding_after_the_end_is_a_runtime_error(add):
    aw = probe.new()
    finish(aw)
    with pytest.raises(RuntimeError):
        add(aw, ready())


# ---- AddExpr ----


def test_add_expr_awaits_what_a_call_returned():
    aw = probe.new()
    probe.add_expr(aw, ready(42), "set_result")
    assert finish(aw) == 42


def test_add_expr_of_null_keeps_the_exception_of_the_call():
    aw = probe.new()
    error = ValueError()
    with pytest.raises(ValueError) as raised:
        probe.add_failed_expr(aw, error)
    assert raised.value is error
    assert finish(aw) is None


# ---- AddAwaitResult ----


def test_add_await_result_is_return_await():
    assert finish(with_result(ready(42))) == 42


def test_add_await_result_propagates_the_exception():
    with pytest.raises(ValueError):
        finish(with_result(failing(ValueError())))


def test_add_await_result_lets_later_steps_run():
    log = []
    aw = with_result(ready(42))
    probe.add_await(aw, logged(log, "later"))
    assert finish(aw) == 42
    assert log == ["later"]


# ---- InsertAwait ----


def test_insert_await_is_the_next_step():
    log = []
    aw = awaiting(logged(log, "last"))
    probe.insert_await(aw, logged(log, "first"))
    finish(aw)
    assert log == ["first", "last"]


def test_insert_await_from_a_callback_precedes_what_waits():
    log = []
    aw = awaiting(
        logged(log, 1),
        lambda aw, _: probe.insert_await(aw, logged(log, "next")),
    )
    probe.add_await(aw, logged(log, 2))
    finish(aw)
    assert log == [1, "next", 2]


def test_insert_await_twice_puts_the_second_in_front():
    log = []
    aw = probe.new()
    probe.insert_await(aw, logged(log, "a"))
    probe.insert_await(aw, logged(log, "b"))
    finish(aw)
    assert log == ["b", "a"]


def test_insert_await_behind_a_hundred_steps_run():
    """The list's front has moved by then."""
    log = []
    aw = probe.new()
    for number in range(100):
        probe.add_await(aw, logged(log, number))

    def insert(aw, _):
        for name in "cba":
            probe.insert_await(aw, logged(log, name))

    probe.add_await(aw, ready(), insert)
    probe.add_await(aw, logged(log, "end"))
    finish(aw)
    assert log == [*range(100), "a", "b", "c", "end"]


def test_insert_await_has_callbacks():
    aw = probe.new()
    probe.insert_await(aw, ready(42), "set_result")
    assert finish(aw) == 42
    aw = probe.new()
    probe.insert_await(aw, failing(ValueError()), None, lambda aw, _: 0)
    assert finish(aw) is None


# ---- DeferAwait ----


def test_defer_await_calls_it_in_its_turn():
    log = []
    aw = awaiting(logged(log, "one"))
    probe.defer_await(aw, lambda aw: log.append("deferred"))
    probe.add_await(aw, logged(log, "two"))
    assert log == []
    finish(aw)
    assert log == ["one", "deferred", "two"]


def test_defer_await_gives_it_the_awaitable():
    seen = []
    aw = probe.new()
    probe.defer_await(aw, lambda aw: seen.append(aw))
    finish(aw)
    assert seen == [aw]


def test_defer_await_that_fails_ends_the_awaitable():
    log = []
    aw = probe.new()
    probe.defer_await(aw, lambda aw: (-1, ValueError("deferred")))
    probe.add_await(aw, logged(log, "not run"))
    with pytest.raises(ValueError, match="deferred"):
        finish(aw)
    assert log == []


def test_defer_await_may_add_steps():
    aw = probe.new()
    probe.defer_await(
        aw, lambda aw: probe.add_await(aw, ready(42), "set_result")
    )
    assert finish(aw) == 42


# ---- SetResult, SetName ----


def test_set_result_before_it_is_awaited():
    aw = probe.new()
    probe.set_result(aw, 42)
    assert finish(aw) == 42


def test_set_result_counts_the_last_one():
    aw = awaiting(ready(2), "set_result")
    probe.set_result(aw, 1)
    assert finish(aw) == 2


def test_set_result_does_not_end_the_steps():
    log = []
    aw = awaiting(ready(1), "set_result")
    probe.add_await(aw, logged(log, "after"))
    assert finish(aw) == 1
    assert log == ["after"]


def test_set_result_of_an_awaitable_that_fails_is_not_given():
    aw = awaiting(failing(ValueError()))
    probe.set_result(aw, 1)
    with pytest.raises(ValueError):
        finish(aw)


def test_set_name_copies_the_text():
    aw = probe.new()
    name = "".join(["Sensor", ".", "wärmer"])
    probe.set_name(aw, name)
    del name
    assert aw.__qualname__ == "Sensor.wärmer"
    finish(aw)


# ---- whatever can be awaited ----


def test_add_await_takes_a_generator_of_types_coroutine():
    aw = with_result(pause("yielded"))
    assert aw.send(None) == "yielded"
    with pytest.raises(StopIteration) as stop:
        aw.send(5)
    assert stop.value.value == 5


def test_add_await_takes_an_object_with_await():
    class Object:
        def __await__(self):
            got = yield 1
            return got

    aw = with_result(Object())
    assert aw.send(None) == 1
    with pytest.raises(StopIteration) as stop:
        aw.send("sent")
    assert stop.value.value == "sent"


def test_add_await_takes_an_iterator_without_send():
    class Object:
        def __await__(self):
            return iter([1, 2])

    aw = with_result(Object())
    assert [aw.send(None), aw.send(None)] == [1, 2]
    assert finish(aw) is None


def test_a_million_ready_steps_do_not_recurse():
    aw = probe.new()
    probe.add_await_result(aw, ready("first"))
    for _ in range(1_000_000):
        probe.add_await(aw, ready())
    assert finish(aw) == "first"


def test_a_million_steps_that_add_each_other_do_not_recurse():
    left = 1_000_000

    def again(aw, _):
        nonlocal left
        left -= 1
        if left:
            probe.add_await(aw, ready(), again)

    finish(awaiting(ready(), again))
    assert left == 0
