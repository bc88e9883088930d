"""Losses in the stream: Gap objects and lost_before."""

from __future__ import annotations

import asyncio
import pickle

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension
wakeup = rig.every_wakeup

DEPTH = 4


@pytest.fixture
def gappy(bus, wakeup):
    return bus.queue(name="gappy", depth=DEPTH, gaps=True, wakeup=wakeup)


@pytest.fixture
def lossy(gappy, peer):
    """Frames 0 to 3, three lost, then 7 and 8."""
    peer.send(gappy.device, *rig.cans(range(DEPTH + 3)))
    rig.looked_at(gappy, DEPTH + 3)
    assert gappy.stats().dropped_overflow == 3
    frames = [gappy.get_nowait() for _ in range(DEPTH)]
    assert rig.ids(frames) == [0, 1, 2, 3]
    peer.put(gappy, 7, 8)
    return gappy


def check_gap(gap: awaitd.Gap, behind: awaitd.CanFrame) -> None:
    assert isinstance(gap, awaitd.Gap)
    assert (gap.device, gap.lost, gap.cause) == ("bus", 3, "overflow")
    assert gap.seq == behind.seq == 7
    assert gap.timestamp_ns == behind.timestamp_ns
    assert (behind.lost_before, behind.arbitration_id) == (3, 7)


def test_gap_comes_before_the_frame_behind_it(lossy):
    gap, behind, last = (lossy.get_nowait() for _ in range(3))
    check_gap(gap, behind)
    assert last.arbitration_id == 8
    with pytest.raises(awaitd.QueueEmpty):
        lossy.get_nowait()


def test_gap_takes_no_slot(lossy):
    lossy.get_nowait()
    stats = lossy.stats()
    assert (stats.pending, stats.delivered) == (2, DEPTH)
    assert rig.exact(stats)


def test_gap_comes_with_get(run, lossy):
    async def main():
        return await lossy.get(), await lossy.get()

    check_gap(*run(main()))


def test_gap_comes_with_async_for(run, lossy):
    async def main():
        lossy.close()
        return [item async for item in lossy]

    gap, behind, last = run(main())
    check_gap(gap, behind)
    assert last.arbitration_id == 8


def test_gap_comes_with_get_many_besides_its_frames(run, lossy):
    async def main():
        return await lossy.get_many(2)

    gap, behind, last = run(main())
    check_gap(gap, behind)
    assert last.arbitration_id == 8


def test_gap_given_once_is_not_given_again_by_get_many(run, lossy):
    lossy.get_nowait()

    async def main():
        # The frame behind a Gap that was given lies by itself.
        return await lossy.get_many(10) + await lossy.get_many(10)

    assert rig.ids(run(main())) == [7, 8]


def test_gap_comes_with_recv(lossy):
    check_gap(lossy.recv(1), lossy.recv(1))


def test_cancelled_get_loses_neither_gap_nor_frame(run, gappy, peer):
    async def main():
        peer.send(gappy.device, *rig.cans(range(DEPTH + 3)))
        while gappy.stats().dropped_overflow < 3:
            await asyncio.sleep(0)
        await gappy.get_many(DEPTH)
        task = asyncio.create_task(gappy.get())
        await asyncio.sleep(0)
        peer.put(gappy, 7)
        asyncio.get_running_loop().hold_until_woken()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await gappy.get(), await gappy.get()

    gap, behind = run(main())
    assert (gap.lost, gap.cause, behind.arbitration_id) == (3, "overflow", 7)


def test_gap_meets_a_clear_and_the_next_is_given(gappy, peer, lossy):
    lossy.get_nowait()
    lossy.clear()
    peer.put(gappy, 9)
    assert gappy.get_nowait().arbitration_id == 9


def test_gap_is_not_given_unless_asked_for(bus, peer):
    queue = bus.queue(depth=1)
    peer.send(bus, *rig.cans(range(3)))
    rig.looked_at(queue, 3)
    assert queue.stats().dropped_overflow == 2
    assert queue.get_nowait().arbitration_id == 0
    peer.put(queue, 5)
    frame = queue.get_nowait()
    assert (frame.lost_before, frame.lost_cause) == (2, "overflow")


def test_gap_of_drop_oldest_counts_what_was_thrown_away(bus, peer):
    queue = bus.queue(depth=DEPTH, overflow="drop-oldest", gaps=True)
    peer.send(bus, *rig.cans(range(10)))
    rig.looked_at(queue, 10)
    gap = queue.get_nowait()
    frames = [queue.get_nowait() for _ in range(DEPTH)]
    assert (gap.lost, gap.cause, gap.seq) == (6, "overflow", 6)
    assert rig.ids(frames) == [6, 7, 8, 9]


def test_gap_prints_compares_and_pickles(lossy):
    gap = lossy.get_nowait()
    assert repr(gap).startswith("awaitd.Gap(device='bus', lost=3, ")
    assert pickle.loads(pickle.dumps(gap)) == gap
