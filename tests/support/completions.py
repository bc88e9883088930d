"""What the tests of the waits from C share: tasks that have begun to wait, and
each value given by another thread is freed once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import awaitable_waits as waits
import pytest
import rig


async def turn(times: int = 1) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def start(awaitable) -> asyncio.Task:
    """A task that has begun to wait."""

    async def work():
        return await awaitable

    task = asyncio.create_task(work())
    await turn()
    assert not task.done()
    return task


async def end(task: asyncio.Task) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture(autouse=True)
def every_value_is_freed() -> Iterator[None]:
    """None is left behind, and none freed twice (which would abort)."""
    yield
    gc.collect()
    rig.until(lambda: waits.counts()[0] == waits.counts()[2])


# Each completes a handle with a number, or abandons it for None, and has done
# so when it returns: with the GIL; on another thread, while this one holds the
# GIL or does not.
WAYS = [waits.complete, waits.complete_holding, waits.complete_apart]
every_way = pytest.mark.parametrize("complete", WAYS)
