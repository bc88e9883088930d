"""What an await costs that finds a frame.

Nothing here sleeps, so it is the thread's processor time that is taken: on a
busy machine the other would tell who was interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import awaitd
from common import DEADLINE_S, ROOT, no_garbage_collection

LOG = ROOT / "examples" / "drive.log"
GETS = 10_000  # of the log's frames
MANY = 256

Timed = Callable[[], Awaitable[float]]  # nanoseconds for one frame


async def at_once() -> int:
    return 1


async def time_function() -> float:
    begin = time.thread_time_ns()
    for _ in range(GETS):
        await at_once()
    return (time.thread_time_ns() - begin) / GETS


async def time_asyncio_queue() -> float:
    queue: asyncio.Queue[object] = asyncio.Queue()
    for number in range(GETS):
        queue.put_nowait(number)
    begin = time.thread_time_ns()
    for _ in range(GETS):
        await queue.get()
    return (time.thread_time_ns() - begin) / GETS


@contextlib.asynccontextmanager
async def full_queue(
    log: Path = LOG, max_payload: int = 64
) -> AsyncIterator[awaitd.Queue[awaitd.CanFrame]]:
    """A queue in which the frames of the example drive wait, as a bus would
    have brought them: at speed=max the reader would wait for room, which each
    get() would have to look after."""
    count = len(log.read_bytes().splitlines())
    with awaitd.open({"driver": "replay", "path": log, "speed": 1000,
                      "max_payload": max_payload}) as drive:
        queue = drive.queue()
        async with asyncio.timeout(DEADLINE_S):
            while queue.qsize() < count:
                await asyncio.sleep(0)
        yield queue


async def time_get() -> float:
    async with full_queue() as queue:
        begin = time.thread_time_ns()
        for _ in range(GETS):
            await queue.get()
        return (time.thread_time_ns() - begin) / GETS


async def time_get_many() -> float:
    async with full_queue() as queue:
        rounds = GETS // MANY
        await queue.get_many(MANY)
        begin = time.thread_time_ns()
        for _ in range(rounds):
            await queue.get_many(MANY)
        return (time.thread_time_ns() - begin) / (rounds * MANY)


async def time_batches(queue: awaitd.Queue[awaitd.CanFrame]) -> float:
    """The first one, whose memory is new, is not counted: page faults."""
    rounds = GETS // MANY
    await queue.get_batch(MANY)
    begin = time.thread_time_ns()
    for _ in range(rounds):
        await queue.get_batch(MANY)
    return (time.thread_time_ns() - begin) / (rounds * MANY)


async def time_get_batch() -> float:
    async with full_queue() as queue:
        return await time_batches(queue)


async def time_get_batch_classic() -> float:
    """In slots as a queue has them on an interface for classic CAN."""
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        log.writelines(line for line in LOG.read_bytes().splitlines(True)
                       if b"##" not in line)
        log.flush()
        async with full_queue(Path(log.name), 8) as queue:
            return await time_batches(queue)


GETTERS: dict[str, Timed] = {
    "asyncio.Queue.get()": time_asyncio_queue,
    "async def, returning at once": time_function,
    "awaitd queue.get()": time_get,
    f"awaitd queue.get_many({MANY}), a frame": time_get_many,
    f"awaitd queue.get_batch({MANY}), a frame": time_get_batch,
    f"awaitd get_batch({MANY}), classic CAN": time_get_batch_classic,
}


async def time_all(rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in GETTERS}
    for _ in range(rounds):
        for name, timed in GETTERS.items():
            with no_garbage_collection():
                times[name].append(await timed())
    return {name: statistics.median(found) for name, found in times.items()}


def measure(rounds: int) -> dict[str, float]:
    return asyncio.run(time_all(rounds))
