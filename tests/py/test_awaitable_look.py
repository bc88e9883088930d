"""What shows where an awaitable waits: repr, names, cr_await, task dumps."""

from __future__ import annotations

import asyncio
import collections.abc
import inspect
import io
import weakref

import pytest
from coroutines import awaiting, finish, pause, probe, ready, with_result

pytestmark = pytest.mark.extension


@pytest.fixture
def aw():
    aw = probe.new()
    yield aw
    aw.close()


def test_repr_shows_the_name(aw):
    probe.set_name(aw, "Sensor.read")
    assert "Sensor.read" in repr(aw)


def test_repr_without_a_name(aw):
    assert repr(aw).startswith("<") and repr(aw).endswith(">")


def test_repr_tells_awaitables_apart(aw):
    other = probe.new()
    assert repr(aw) != repr(other)
    finish(other)


def test_repr_while_it_runs():
    seen = []
    aw = awaiting(ready(), lambda aw, _: seen.append(repr(aw)))
    finish(aw)
    assert len(seen) == 1


def test_repr_after_its_end(aw):
    finish(aw)
    assert repr(aw)


def test_name_is_the_last_part_of_the_qualified_one(aw):
    probe.set_name(aw, "Sensor.read")
    assert (aw.__name__, aw.__qualname__) == ("read", "Sensor.read")


def test_name_without_dots(aw):
    probe.set_name(aw, "read")
    assert (aw.__name__, aw.__qualname__) == ("read", "read")


def test_name_has_a_default(aw):
    assert isinstance(aw.__name__, str) and aw.__name__
    assert isinstance(aw.__qualname__, str) and aw.__qualname__


def test_name_can_be_set_again(aw):
    probe.set_name(aw, "one")
    probe.set_name(aw, "Two.three")
    assert aw.__qualname__ == "Two.three"


def test_cr_await_is_none_before_and_after():
    aw = awaiting(ready())
    assert aw.cr_await is None
    finish(aw)
    assert aw.cr_await is None


def test_cr_await_is_what_it_waits_for():
    async def inner():
        await pause()

    coro = inner()
    aw = awaiting(coro)
    aw.send(None)
    assert aw.cr_await is coro
    aw.close()


def test_cr_await_follows_the_steps():
    one, two = pause(), pause()
    aw = awaiting(one)
    probe.add_await(aw, two)
    aw.send(None)
    assert aw.cr_await is one
    aw.send(None)
    assert aw.cr_await is two
    aw.close()


def test_cr_await_leads_down_a_chain():
    inner = pause()
    middle = awaiting(inner)
    outer = awaiting(middle)
    outer.send(None)
    assert outer.cr_await is middle
    assert outer.cr_await.cr_await is inner
    outer.close()


def test_cr_running():
    seen = []
    aw = awaiting(ready(), lambda aw, _: seen.append(aw.cr_running))
    assert aw.cr_running is False
    finish(aw)
    assert seen == [True]
    assert aw.cr_running is False


def test_has_the_attributes_of_a_coroutine(aw):
    for name in ("cr_await", "cr_running", "cr_frame", "cr_code"):
        assert hasattr(aw, name)


def test_is_a_coroutine_to_the_abcs(aw):
    assert isinstance(aw, collections.abc.Coroutine)
    assert isinstance(aw, collections.abc.Awaitable)
    assert inspect.isawaitable(aw)


def test_can_be_referred_to_weakly():
    aw = probe.new()
    weak = weakref.ref(aw)
    assert weak() is aw
    finish(aw)
    del aw
    assert weak() is None


def test_weak_reference_is_called_back():
    gone = []
    aw = probe.new()
    weak = weakref.ref(aw, gone.append)
    finish(aw)
    del aw
    assert gone == [weak]


def test_type_has_a_name_and_a_docstring():
    kind = probe.get_type()
    assert kind.__module__ and kind.__name__
    assert kind.__doc__


def test_task_shows_its_name():
    async def main():
        aw = with_result(asyncio.sleep(0))
        probe.set_name(aw, "Sensor.read")
        task = asyncio.create_task(aw)
        text = repr(task)
        await task
        return text

    assert "Sensor.read" in asyncio.run(main())


def test_task_prints_a_stack_while_it_waits():
    async def main():
        task = asyncio.create_task(awaiting(asyncio.sleep(0)))
        await asyncio.sleep(0)
        shown = io.StringIO()
        task.print_stack(file=shown)
        await task
        return shown.getvalue()

    assert "Task" in asyncio.run(main())


def test_slow_callback_report_of_debug_mode_knows_it(caplog):
    """asyncio's debug mode formats the coroutine of each task."""

    async def main():
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 0
        aw = with_result(asyncio.sleep(0, 42))
        probe.set_name(aw, "Sensor.read")
        return await asyncio.create_task(aw)

    assert asyncio.run(main(), debug=True) == 42
    assert "Sensor.read" in caplog.text
