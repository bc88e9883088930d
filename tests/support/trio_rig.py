"""What the tests of trio share: runs with a deadline, their wakes, and the ways
to give up a wait."""

from __future__ import annotations

import pytest
import rig

try:
    import trio
    import trio.testing
except Exception as error:  # Debian's 0.22 fails by TypeError on Python 3.13
    pytest.skip(f"trio is NOT tested: {error!r}", allow_module_level=True)

from awaitd import _trio


def run(main, *arguments, **options):
    """The result of a task of trio, within a deadline."""

    async def bounded():
        with trio.fail_after(rig.DEADLINE_S):
            return await main(*arguments)

    return trio.run(bounded, **options)


class Wakes(rig.Wakes):
    """Of a run of trio's."""

    def hold(self) -> None:
        """Keep the run from turning until a wake is scheduled on it."""
        assert self.woken.wait(rig.DEADLINE_S), "no wake came"
        self.woken.clear()


@pytest.fixture
def wakes(monkeypatch) -> Wakes:
    wakes = Wakes()
    plain = _trio.TrioLoop.call_soon_threadsafe

    def noted(self, *arguments, **options):
        wakes.note(lambda: plain(self, *arguments, **options))

    monkeypatch.setattr(_trio.TrioLoop, "call_soon_threadsafe", noted)
    return wakes


# ---- how ----
# Each waits for a frame in a task until it is given up, and keeps the numbers
# that it was given.


class Scoped:
    """A wait in a cancel scope, which can be given up from outside."""

    def __init__(self, nursery, queue):
        self.numbers = []
        self.over = trio.Event()
        self.scope = trio.CancelScope()
        nursery.start_soon(self._work, queue)

    async def _work(self, queue):
        try:
            await self.wait(queue)
        except (TimeoutError, trio.TooSlowError):
            pass
        self.over.set()

    def keep(self, frame):
        self.numbers.append(frame.arbitration_id)

    async def wait(self, queue):
        with self.scope:
            self.keep(await queue.get())

    def give_up(self):
        self.scope.cancel()


class MoveOn(Scoped):
    """trio.move_on_after, whose time is up"""

    async def wait(self, queue):
        with trio.move_on_after(60) as self.scope:
            self.keep(await queue.get())

    def give_up(self):
        self.scope.deadline = trio.current_time()


class FailAfter(MoveOn):
    """trio.fail_after, whose time is up"""

    async def wait(self, queue):
        with trio.fail_after(60) as self.scope:
            self.keep(await queue.get())


class AsyncFor(Scoped):
    """async for, cancelled"""

    async def wait(self, queue):
        with self.scope:
            async for frame in queue:
                self.keep(frame)
                return


class Lease(Scoped):
    """async with q.lease(), cancelled before it has any"""

    async def wait(self, queue):
        with self.scope:
            async with queue.lease() as frames:
                self.keep(frames[0])


class Native(Scoped):
    """get(timeout=), whose time is up"""

    async def wait(self, queue):
        self.get = queue.get(timeout=60)
        self.keep(await self.get)

    def give_up(self):
        self.get._expire()  # what the timer calls


HOW = [Scoped, MoveOn, FailAfter, AsyncFor, Lease, Native]
how = pytest.mark.parametrize("How", HOW, ids=lambda how: how.__name__)


async def settled() -> None:
    """Every task but this one waits."""
    await trio.testing.wait_all_tasks_blocked()


def rest(queue):
    """What is still there, after all."""
    numbers = []
    while queue.qsize():
        numbers.append(queue.get_nowait().arbitration_id)
    return numbers
