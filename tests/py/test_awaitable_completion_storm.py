"""Completion by threads, many at once, while tasks are cancelled at random."""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import threading

import awaitable_waits as waits
import pytest
import rig
from completions import every_value_is_freed  # noqa: F401

pytestmark = [pytest.mark.extension, rig.on_every_loop]


class Storm:
    """Awaits many completions, cancels some, and knows what each came to."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.taken = self.cancelled = self.abandoned = self.dropped = 0

    async def await_one(self, awaitable, number: int | None) -> None:
        try:
            result = await awaitable
        except asyncio.CancelledError:
            self.cancelled += 1
        except RuntimeError as error:
            assert number is None and "abandoned" in str(error)
            self.abandoned += 1
        else:
            assert result == number
            self.taken += 1

    async def batch(self, base: int, count: int) -> None:
        """One batch, every wait of which ends."""
        tasks = []
        for number in range(base, base + count):
            given = None if self.random.random() < 0.1 else number
            awaitable, handle = waits.completion()
            turns = self.random.choice((0, 0, 1, 3, 20))
            waits.pool_submit(handle, given, turns)
            if self.random.random() < 0.1:
                waits.cancel(awaitable)
                self.dropped += 1
                continue
            tasks.append(asyncio.create_task(self.await_one(awaitable, given)))
        # Some of them, one after the other, in the midst of it.
        doomed = [task for task in tasks if self.random.random() < 0.4]
        while any(not task.done() for task in tasks):
            if doomed and self.random.random() < 0.5:
                doomed.pop().cancel()
            await asyncio.sleep(0)
        for task in tasks:
            self.cancelled += task.cancelled()
            task.cancelled() or task.result()


def test_storm_loses_nothing_and_frees_nothing_twice(loop_class):
    """Several threads complete while tasks are cancelled at random."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    storm = Storm(seed)
    batches, size = 30, 50
    before = waits.counts()

    async def main():
        for index in range(batches):
            await storm.batch(index * size, size)

    assert waits.pool_start(4) == 4
    try:
        with asyncio.Runner(loop_factory=loop_class) as runner:
            runner.run(asyncio.wait_for(main(), 6 * rig.DEADLINE_S))
    finally:
        waits.pool_stop()
    gc.collect()
    rig.until(lambda: waits.counts()[0] == waits.counts()[2])
    made, converted, freed = (
        now - then for now, then in zip(waits.counts(), before, strict=True)
    )
    ended = storm.taken + storm.cancelled + storm.abandoned + storm.dropped
    assert ended == batches * size
    assert converted == storm.taken
    assert freed == made
    # Each thing that could happen did.
    assert min(storm.taken, storm.cancelled, storm.abandoned) > 0


def test_storm_on_several_loops_at_once(loop_class):
    seeds = [secrets.randbits(32) for _ in range(3)]
    print(f"seeds {seeds}")
    storms = [Storm(seed) for seed in seeds]
    failures = []

    def work(storm: Storm) -> None:
        async def main():
            for index in range(10):
                await storm.batch(index * 30, 30)

        try:
            with asyncio.Runner(loop_factory=loop_class) as runner:
                runner.run(asyncio.wait_for(main(), 6 * rig.DEADLINE_S))
        except BaseException as error:
            failures.append(error)

    assert waits.pool_start(3) == 3
    threads = [threading.Thread(target=work, args=(it,)) for it in storms]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(7 * rig.DEADLINE_S)
    finally:
        waits.pool_stop()
    assert failures == []
    for storm in storms:
        ended = storm.taken + storm.cancelled + storm.abandoned + storm.dropped
        assert ended == 10 * 30
