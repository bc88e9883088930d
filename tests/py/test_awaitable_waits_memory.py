"""The waits from C where memory is short: each allocation fails in turn, and
each time MemoryError is all that comes of it."""

from __future__ import annotations

import asyncio

import awaitable_waits as waits
import pytest
from poor_loop import run_poor

pytestmark = pytest.mark.extension


@pytest.fixture
def each_allocation_fails():
    """each_allocation_fails(make): make() with each of its allocations failing,
    until it has none left to fail; how many did."""
    testcapi = pytest.importorskip(
        "_testcapi", reason="this Python has no _testcapi to fail allocations"
    )

    def run(make) -> int:
        for failures in range(1000):
            testcapi.set_nomemory(failures, failures + 1)
            try:
                made = make()
            except MemoryError:
                continue
            finally:
                testcapi.remove_mem_hooks()
            end(made)
            return failures
        raise AssertionError("there is no end to it")

    return run


def end(made) -> None:
    """Ends what was made, without a word."""
    awaitable, handle = made if isinstance(made, tuple) else (made, None)
    waits.cancel(awaitable)
    if handle:
        waits.complete(handle, 1)


def test_completion_without_memory(each_allocation_fails):
    assert each_allocation_fails(waits.completion) > 0


def test_fd_without_memory(each_allocation_fails):
    assert each_allocation_fails(lambda: waits.fd(0, waits.READ)) > 0


def test_sleep_without_memory(each_allocation_fails):
    assert each_allocation_fails(lambda: waits.sleep(0)) > 0


def test_timeout_without_memory(each_allocation_fails):
    future = asyncio.new_event_loop().create_future()
    assert each_allocation_fails(lambda: waits.timeout(future, 1)) > 0
    future.get_loop().close()


def test_completion_awaited_without_memory():
    """It ends with MemoryError, and what comes later is freed."""
    testcapi = pytest.importorskip(
        "_testcapi", reason="this Python has no _testcapi to fail allocations"
    )

    def wait(failures: int) -> bool:
        awaitable, handle = waits.completion()
        send = awaitable.send
        testcapi.set_nomemory(failures, failures + 1)
        try:
            send(None)
        except MemoryError:
            testcapi.remove_mem_hooks()
            waits.complete(handle, 1)
            return False
        testcapi.remove_mem_hooks()
        awaitable.close()
        waits.complete(handle, 1)
        return True

    async def main() -> int:
        return next(count for count in range(1000) if wait(count))

    before = waits.counts()
    assert asyncio.run(main()) > 0
    made, _, freed = waits.counts()
    assert made - before[0] == freed - before[2] > 1


def test_completion_is_woken_when_there_is_memory_again():
    async def main(loop):
        awaitable, handle = waits.completion()
        task = asyncio.ensure_future(awaitable)
        await asyncio.sleep(0)
        loop.refusals = 2
        waits.complete(handle, 7)
        return await task

    assert run_poor(main) == 7
