"""What the tests of queues share: a peer that sends, loops that tell of their
wakes, and waits with a deadline.

The peer sends from a thread of its own, so that a test can let frames arrive
while its own event loop does not turn.
"""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import awaitd

DEADLINE_S = 30.0


def until(condition: Callable[[], object]) -> None:
    """Wait for what no event tells of; not for use on a loop that it needs."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        pause.wait(0.0005)


def can(number: int) -> awaitd.CanFrame:
    """A frame that can be told from others."""
    return awaitd.CanFrame(number, number.to_bytes(4, "big"))


def cans(numbers: Iterable[int]) -> list[awaitd.CanFrame]:
    return [can(number) for number in numbers]


def ids(frames: Iterable[awaitd.CanFrame]) -> list[int]:
    return [frame.arbitration_id for frame in frames]


def exact(stats: awaitd.QueueStats) -> bool:
    """The ledger's promise."""
    dropped = (
        stats.dropped_kernel
        + stats.dropped_overflow
        + stats.dropped_cleared
        + stats.dropped_closed
    )
    return (
        stats.dropped == dropped
        and stats.received
        == stats.filtered + stats.delivered + stats.dropped + stats.pending
    )


def looked_at(queue: awaitd.Queue[Any], received: int) -> None:
    """Wait until so many frames have been received or lost, and those that the
    queue kept can be taken. Its ledger is published ahead of them: but stats()
    is answered by the reader, so that another one comes behind both."""
    until(lambda: queue.stats().received == received)
    queue.stats()


def drain(queue: awaitd.Queue[Any], received: int) -> list[Any]:
    """Takes all there is, until so many frames have been received or lost."""
    frames = []

    def drained() -> bool:
        while (frame := queue.recv(0.001)) is not None:
            frames.append(frame)
        queue.device.stats()  # asks the kernel for what it has lost
        stats = queue.stats()
        return stats.received >= received and stats.pending == 0

    until(drained)
    return frames


class Peer:
    """Sends, whatever the test's own thread and loop are at."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def send(self, device: awaitd.Device[Any], *frames: awaitd.Frame) -> None:
        """Send all of them, in order."""

        async def work() -> None:
            for frame in frames:
                await device.send(frame)

        future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        future.result(DEADLINE_S)

    def put(self, queue: awaitd.Queue[Any], *numbers: int) -> None:
        """Send CAN frames; returns when they lie in `queue`, which lets them
        pass, has room for them, and is not taken from meanwhile."""
        pending = queue.qsize() + len(numbers)
        self.send(queue.device, *cans(numbers))
        until(lambda: queue.qsize() == pending)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()


class Wakes:
    """Tells when and how often something was scheduled from outside."""

    def __init__(self) -> None:
        self.woken = threading.Event()
        self._count = 0
        # Who is woken may run before the bridge comes to count the wake.
        self._counting = threading.RLock()

    def note(self, wake: Callable[[], Any]) -> Any:
        """What `wake`, which schedules it, returns."""
        with self._counting:
            result = wake()
            self._count += 1
            self.woken.set()
            return result

    @property
    def count(self) -> int:
        with self._counting:
            return self._count


def _watched(base: type[Any]) -> type[Any]:
    class Watched(base):
        """Tells when and how often something was scheduled from outside."""

        def __init__(self) -> None:
            super().__init__()
            self._noted = Wakes()
            self.woken = self._noted.woken
            self._doorbells = select.poll()
            self._watched: set[int] = set()

        def call_soon_threadsafe(self, *arguments: Any, **options: Any) -> Any:
            plain = super().call_soon_threadsafe
            return self._noted.note(lambda: plain(*arguments, **options))

        @property
        def wakes(self) -> int:
            return self._noted.count

        def add_reader(self, fd: int, *arguments: Any) -> None:
            super().add_reader(fd, *arguments)
            self._doorbells.register(fd, select.POLLIN)
            self._watched.add(fd)

        def remove_reader(self, fd: int) -> bool:
            if fd in self._watched:
                self._doorbells.unregister(fd)
                self._watched.remove(fd)
            return bool(super().remove_reader(fd))

        def doorbell_rings(self) -> bool:
            """Does a wake lie in wait for it in its selector?"""
            return bool(self._doorbells.poll(0))

        def hold_until_woken(self) -> None:
            """Keep the loop from turning until a wake is scheduled on it, or
            lies in wait for it in its selector."""
            deadline = time.monotonic() + DEADLINE_S
            while not self.woken.wait(0.0005) and not self.doorbell_rings():
                assert time.monotonic() < deadline, "no wake came"
            self.woken.clear()

    return Watched


AsyncioLoop = _watched(asyncio.SelectorEventLoop)

_loops = [pytest.param(AsyncioLoop, id="asyncio")]
try:
    import uvloop
except ImportError:
    pass  # test_wait_loops.py says so, once
else:
    _loops.append(pytest.param(_watched(uvloop.Loop), id="uvloop"))

# For a module whose queue `q` is to wake its loop in each of the ways.
on_every_wakeup = pytest.mark.parametrize("wakeup", ["bridge", "fd"])



# The same for a module in which not every test has to do with it, as its
# fixture `wakeup`.
@pytest.fixture(params=["bridge", "fd"])
def every_wakeup(request: pytest.FixtureRequest) -> Any:
    return request.param


# For a module whose tests are to run on every kind of loop.
on_every_loop = pytest.mark.parametrize("loop_class", _loops)
