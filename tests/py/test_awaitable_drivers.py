"""Whatever drives a coroutine drives a C awaitable: asyncio, uvloop, trio, and
send(None) by hand. And as a task it takes the turns that `async def` takes."""

from __future__ import annotations

import asyncio
import sys

import pytest
from coroutines import awaiting, finish, pause, probe, turns, with_result

pytestmark = pytest.mark.extension

DEBIANS_PYTHON = sys.version_info[:2] == (3, 11)


# ---- the drivers ----


class ByHand:
    """send(None) until it ends."""

    class Cancelled(BaseException):
        pass

    def run(self, function):
        return finish(function())

    async def checkpoint(self):
        await pause()

    async def cancelled(self, function):
        """Begin it, and cancel it where it waits; what comes out."""
        coro = function()
        coro.send(None)
        try:
            coro.throw(self.Cancelled())
            while True:
                coro.send(None)
        except (self.Cancelled, StopIteration) as error:
            return type(error)


class Asyncio(ByHand):
    Cancelled = asyncio.CancelledError
    loop_factory = asyncio.SelectorEventLoop

    def run(self, function):
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:

            async def main():
                return await function()

            return runner.run(main())

    async def checkpoint(self):
        await asyncio.sleep(0)

    async def cancelled(self, function):
        task = asyncio.create_task(function())
        for _ in range(2):
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as error:
            return type(error)
        return StopIteration


class Uvloop(Asyncio):
    @staticmethod
    def loop_factory():
        return pytest.importorskip("uvloop").new_event_loop()


class Trio(ByHand):
    def __init__(self):
        try:
            import trio
        except Exception as error:
            # Debian's own does not run on every later Python.
            if DEBIANS_PYTHON:
                raise
            pytest.skip(f"no trio for this Python: {error!r}")
        self.trio = trio
        self.Cancelled = trio.Cancelled

    def run(self, function):
        async def main():
            return await function()

        return self.trio.run(main)

    async def checkpoint(self):
        await self.trio.lowlevel.checkpoint()

    async def cancelled(self, function):
        seen = []

        async def watch():
            try:
                await function()
                seen.append(StopIteration)
            except self.Cancelled as error:
                seen.append(type(error))
                raise

        async with self.trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            for _ in range(3):
                await self.trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        return seen[0]


@pytest.fixture(params=[ByHand, Asyncio, Uvloop, Trio])
def driver(request):
    return request.param()


@pytest.mark.skipif(not DEBIANS_PYTHON, reason="Debian's own are for 3.11")
def test_trio_and_uvloop_are_among_the_drivers():
    import trio
    import uvloop

    assert trio.run and uvloop.new_event_loop


# ---- each of them ----


def test_awaits_steps_that_suspend(driver):
    log = []

    async def inner(name):
        for _ in range(3):
            await driver.checkpoint()
        log.append(name)
        return name

    def main():
        aw = probe.new()
        probe.add_await(aw, inner("one"))
        probe.add_await(aw, inner("two"), "set_result")
        return aw

    assert driver.run(main) == "two"
    assert log == ["one", "two"]


def test_hands_exceptions_to_the_error_callback(driver):
    async def inner():
        await driver.checkpoint()
        raise ValueError("inner")

    log = []
    note = lambda aw, error: log.append(str(error))  # noqa: E731
    driver.run(lambda: awaiting(inner(), None, note))
    assert log == ["inner"]


def test_enters_and_exits_a_context(driver):
    log = []

    class Context:
        async def __aenter__(self):
            await driver.checkpoint()
            log.append("enter")

        async def __aexit__(self, *_):
            await driver.checkpoint()
            log.append("exit")

    def main():
        aw = probe.new()
        probe.async_with(aw, Context(), lambda *_: log.append("body"))
        return aw

    driver.run(main)
    assert log == ["enter", "body", "exit"]


def test_cancels_what_is_awaited(driver):
    log = []

    async def inner():
        try:
            for _ in range(1000):
                await driver.checkpoint()
        finally:
            log.append("finally")

    def cancelled():
        return awaiting(inner(), None, lambda aw, e: log.append(type(e)) or -1)

    assert driver.run(lambda: driver.cancelled(cancelled)) is driver.Cancelled
    assert log == ["finally", driver.Cancelled]


def test_imports_no_event_loop(python):
    """The awaiting itself: what awaitd does besides may use asyncio."""
    process = python(
        """
        import sys, awaitable_probe as probe, types

        asyncio = sys.modules.pop("asyncio", None)
        sys.modules["asyncio"] = None  # importing it fails from now on

        @types.coroutine
        def pause():
            return (yield "paused")

        aw = probe.new()
        probe.add_await(aw, pause(), "set_result")
        print(aw.send(None))
        try:
            aw.send(42)
        except StopIteration as stop:
            print(stop.value)
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "paused\n42\n"


# ---- asyncio's own ways to run it ----


def test_is_a_coroutine_to_asyncio():
    aw = probe.new()
    assert asyncio.iscoroutine(aw)
    finish(aw)


@pytest.mark.parametrize(
    "run",
    [
        lambda aw: asyncio.gather(aw),
        lambda aw: asyncio.wait_for(aw, 10),
        lambda aw: asyncio.shield(aw),
        lambda aw: asyncio.ensure_future(aw),
        lambda aw: asyncio.create_task(aw),
        lambda aw: asyncio.create_task(aw, name="named"),
    ],
    ids=["gather", "wait_for", "shield", "ensure_future", "task", "named"],
)
def test_runs_wherever_a_coroutine_does(run):
    async def main():
        return await run(with_result(asyncio.sleep(0, "result")))

    assert asyncio.run(main()) in ("result", ["result"])


def test_runs_as_the_main_of_asyncio():
    async def inner():
        return await asyncio.sleep(0, 42)

    assert asyncio.run(with_result(inner())) == 42


def test_runs_in_a_task_group():
    async def main():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(with_result(asyncio.sleep(0, 42)))
        return task.result()

    assert asyncio.run(main()) == 42


def test_runs_from_another_thread():
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    future = asyncio.run_coroutine_threadsafe(
        with_result(asyncio.sleep(0, 42)), loop
    )
    assert future.result(10) == 42
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_context_variables_are_those_of_the_task():
    import contextvars

    variable = contextvars.ContextVar("variable", default="outside")
    seen = []

    async def inner():
        await asyncio.sleep(0)
        return variable.get()

    async def main():
        variable.set("inside")
        aw = awaiting(inner(), lambda aw, v: seen.extend([v, variable.get()]))
        await asyncio.create_task(aw)

    asyncio.run(main())
    assert seen == ["inside", "inside"]


# ---- turns ----


async def native(count):
    for _ in range(count):
        await pause()


def test_suspends_as_often_as_what_it_awaits():
    assert turns(native(7)) == 7
    assert turns(awaiting(native(7))) == 7


def test_does_not_suspend_for_a_callback_or_a_ready_step():
    aw = probe.new()
    for _ in range(10):
        probe.add_await(aw, native(0), "go_on", "go_on")
    probe.defer_await(aw, lambda aw: 0)
    assert turns(aw) == 0


def loop_turns(make):
    """Turns of asyncio's loop from a task's making to its end."""

    async def main():
        count = 0
        task = asyncio.create_task(make())

        def turn():
            nonlocal count
            if not task.done():
                count += 1
                loop.call_soon(turn)

        loop = asyncio.get_running_loop()
        loop.call_soon(turn)
        await task
        return count

    return asyncio.run(main())


@pytest.mark.parametrize("sleeps", [0, 1, 5])
def test_task_takes_no_more_turns_than_async_def(sleeps):
    async def inner():
        for _ in range(sleeps):
            await asyncio.sleep(0)

    async def outer():
        await inner()

    assert loop_turns(lambda: awaiting(inner())) == loop_turns(outer)


def test_task_of_many_steps_takes_no_more_turns_than_async_def():
    async def outer():
        for _ in range(10):
            await asyncio.sleep(0)

    def make():
        aw = probe.new()
        for _ in range(10):
            probe.add_await(aw, asyncio.sleep(0), "go_on")
        return aw

    assert loop_turns(make) == loop_turns(outer)


# ---- the two slots ----


def test_slot_of_tasks_yields_and_ends():
    aw = with_result(pause("yielded"))
    assert probe.send_by_slot(aw, None) == (1, "yielded")
    assert probe.send_by_slot(aw, "sent") == (0, "sent")


def test_slot_of_later_pythons_yields_and_ends():
    aw = awaiting(pause("yielded"))
    assert probe.next_by_slot(aw) == "yielded"
    try:
        assert probe.next_by_slot(aw) == "end"
    except StopIteration as stop:
        assert stop.value is None
