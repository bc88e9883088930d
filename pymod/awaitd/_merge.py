"""One stream out of several queues, in order of time."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Generic, TypeVar

from _awaitd import (
    DeviceLost,
    Event,
    Frame,
    Gap,
    Queue,
    QueueClosed,
    QueueEmpty,
)

_F = TypeVar("_F", bound=Frame | Gap | Event)


class Merge(Generic[_F]):
    """What merge() gives: an asynchronous iterator.

    Frames stay in their queues until they are given, so that cancelling loses
    none and each queue's ledger holds. The oldest of each is held there from
    the first look on: no overflow policy throws it away or replaces it.
    """

    def __init__(self, queues: tuple[Queue[_F], ...], wait: float) -> None:
        self._queues = list(queues)
        self._wait_ns = int(wait * 1e9)
        self._lost: DeviceLost | None = None

    def __aiter__(self) -> Merge[_F]:
        return self

    async def __anext__(self) -> _F:
        while True:
            heads = {}
            empty = []
            for queue in self._queues:
                # Closed first: what it still holds then is all there will be.
                closed = queue.closed
                head = queue._head()
                if head:
                    heads[queue] = head
                elif closed:
                    self._drop(queue)
                else:
                    empty.append(queue)
            self._queues = [*heads, *empty]
            oldest = min(heads, key=lambda queue: heads[queue], default=None)
            if oldest is None:
                self._check_end(empty)
            left_ns = self._left_ns(heads[oldest][1]) if oldest else None
            if oldest and (not empty or left_ns == 0):
                try:
                    return oldest.get_nowait()
                except QueueEmpty:
                    continue  # another task was faster
            await _any_ready(empty, left_ns)

    def _left_ns(self, came_ns: int) -> int:
        """How long a frame may still wait. One that was stamped ahead of its
        time waits no longer than one that comes now."""
        age_ns = max(0, time.monotonic_ns() - came_ns)
        return max(0, self._wait_ns - age_ns)

    def _drop(self, queue: Queue[_F]) -> None:
        """It has ended; a loss is kept until what is pending was given."""
        try:
            queue.get_nowait()
        except DeviceLost as error:
            self._lost = self._lost or error
        except QueueClosed:
            pass

    def _check_end(self, empty: list[Queue[_F]]) -> None:
        if self._lost:
            lost, self._lost = self._lost, None
            raise lost
        if not empty:
            raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the stream. The queues stay open, with what they hold."""
        self._queues = []
        self._lost = None

    async def __aenter__(self) -> Merge[_F]:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self.aclose()


async def _any_ready(queues: list[Queue[_F]], left_ns: int | None) -> None:
    """Return when one of them has a frame or has ended, or the time is up."""
    timeout = None if left_ns is None else left_ns / 1e9
    if not asyncio._get_running_loop():
        raise RuntimeError("merge() can wait only on a loop of asyncio")
    tasks = [asyncio.create_task(queue._ready(None)) for queue in queues]
    try:
        done, _ = await asyncio.wait(
            tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()  # a queue of another loop says so


def merge(*queues: Queue[_F], wait: float = 0.05) -> Merge[_F]:
    """One stream over ``queues``, of any devices, in order of timestamps.

    The oldest frame is given when every other open queue has one as well, or
    when it is ``wait`` seconds old: so long the slower ones are waited for. A
    frame that comes later than that is given late, out of order. A queue that
    has ended drops out; the stream ends with the last one. DeviceLost is raised
    when nothing is pending any more; the others can be read on after it.
    """
    if not wait >= 0:
        raise ValueError(f"wait is in seconds, 0 or more, not {wait!r}")
    if len(set(queues)) < len(queues):
        raise ValueError("a queue can be merged only once")
    return Merge(queues, wait)
