"""What it costs to await a coroutine by way of another awaitable, in C or not.

The thread's processor time is taken: whatever else the machine does is not in
it.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from common import no_garbage_collection, program

AWAITS = 10_000
TASKS = 2_000

DIRECT = "the coroutine itself"
ASYNC_DEF = "async def, awaiting it"

Coro = Coroutine[Any, Any, int]
Make = Callable[[Coro], Coroutine[Any, Any, object]]


async def finished() -> int:
    return 1


async def by_async_def(coroutine: Coro) -> int:
    return await coroutine


def contenders() -> dict[str, Make | None]:
    sys.path.insert(0, str(program("")))
    c = importlib.import_module("coroutines_c")

    return {
        DIRECT: None,
        ASYNC_DEF: by_async_def,
        "C by hand, tp_iternext": c.by_iternext,
        "C by hand, am_send": c.by_send,
        "awaitd's API": c.by_api,
        "awaitd's API, with a callback": c.by_api_with_callback,
        "awaitd's API, AddAwaitResult": c.by_api_result,
    }


@dataclass
class Times:
    """Nanoseconds, round by round."""

    awaited: list[float] = field(default_factory=list)
    as_task: list[float] = field(default_factory=list)


async def time_awaits(make: Make | None) -> float:
    begin = time.thread_time_ns()
    if make:
        for _ in range(AWAITS):
            await make(finished())
    else:
        for _ in range(AWAITS):
            await finished()
    return (time.thread_time_ns() - begin) / AWAITS


async def time_tasks(make: Make | None) -> float:
    create = asyncio.get_running_loop().create_task
    begin = time.thread_time_ns()
    if make:
        for _ in range(TASKS):
            await create(make(finished()))
    else:
        for _ in range(TASKS):
            await create(finished())
    return (time.thread_time_ns() - begin) / TASKS


async def time_all(rounds: int) -> dict[str, Times]:
    makes = contenders()
    times = {name: Times() for name in makes}
    for _ in range(rounds):
        for name, make in makes.items():
            with no_garbage_collection():
                times[name].awaited.append(await time_awaits(make))
                times[name].as_task.append(await time_tasks(make))
    return times


@dataclass
class Row:
    """Medians over the rounds."""

    name: str
    await_ns: float
    above_ns: float  # the coroutine itself
    await_ratio: float  # to async def
    task_ns: float
    task_ratio: float


def measure(rounds: int) -> list[Row]:
    times = asyncio.run(time_all(rounds))
    awaited = {name: statistics.median(t.awaited) for name, t in times.items()}
    as_task = {name: statistics.median(t.as_task) for name, t in times.items()}
    return [
        Row(
            name,
            awaited[name],
            awaited[name] - awaited[DIRECT],
            awaited[name] / awaited[ASYNC_DEF],
            as_task[name],
            as_task[name] / as_task[ASYNC_DEF],
        )
        for name in times
    ]
