"""merge(): several queues as one stream in order of time."""

from __future__ import annotations

import asyncio
import gzip

import pytest
import rig
from rig import ids

import awaitd

pytestmark = [pytest.mark.extension, rig.on_every_loop]
wakeup = rig.every_wakeup


@pytest.fixture
def two(bus, wakeup):
    """Queues of two buses, and how to send on either."""
    with awaitd.open({"name": "other", "driver": "virtual", "kind": "can"}) as o:
        yield (bus.queue(name="a", wakeup=wakeup),
               o.queue(name="b", wakeup=wakeup))


async def take(stream, count: int) -> list[int]:
    return ids([await anext(stream) for _ in range(count)])


def test_pending_frames_come_in_order_of_time(run, two, peer):
    a, b = two
    for number in range(1, 9):
        peer.put(two[number % 2], number)

    async def main():
        stream = awaitd.merge(a, b, wait=60)
        got = await take(stream, 7)
        # Nothing newer is known of the other: it would wait for that.
        task = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.01)
        assert not task.done()
        a.close()
        b.close()
        return got + ids([await task])

    assert run(main()) == list(range(1, 9))


def test_slower_queue_is_waited_for_so_long_only(run, two, peer):
    a, b = two
    peer.put(a, 1, 2, 3)

    async def main():
        return await take(awaitd.merge(a, b, wait=0.01), 3)

    assert run(main()) == [1, 2, 3]
    assert b.qsize() == 0


def test_slower_queue_that_comes_in_time_is_in_order(run, two, peer):
    a, b = two
    peer.put(a, 1)

    async def main():
        stream = awaitd.merge(a, b, wait=60)
        task = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        peer.put(b, 2)
        return ids([await task])

    assert run(main()) == [1]


def test_stream_ends_with_its_last_queue(run, two, peer):
    a, b = two
    peer.put(a, 1)
    peer.put(b, 2)
    a.close()
    b.close()

    async def main():
        return ids([frame async for frame in awaitd.merge(a, b)])

    assert run(main()) == [1, 2]


def test_queue_that_has_ended_is_not_waited_for(run, two, peer):
    a, b = two
    peer.put(a, 1, 2)
    b.close()

    async def main():
        return await take(awaitd.merge(a, b, wait=60), 2)

    assert run(main()) == [1, 2]


def test_queue_that_ends_while_waited_for_drops_out(run, two, peer):
    a, b = two
    peer.put(a, 1)

    async def main():
        task = asyncio.create_task(anext(awaitd.merge(a, b, wait=60)))
        await asyncio.sleep(0)
        b.close()
        return ids([await task])

    assert run(main()) == [1]


def test_cancelling_loses_nothing(run, two, peer):
    a, b = two
    peer.put(a, 1)

    async def main():
        stream = awaitd.merge(a, b, wait=60)
        for _ in range(3):
            task = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        peer.put(b, 2)
        a.close()
        b.close()
        return await take(stream, 2)

    assert run(main()) == [1, 2]
    assert rig.exact(a.stats())


def test_frame_that_another_task_took_is_not_missed(run, two, peer):
    a, b = two
    peer.put(a, 1)

    async def main():
        task = asyncio.create_task(anext(awaitd.merge(a, b, wait=0.05)))
        await asyncio.sleep(0)
        assert ids([a.get_nowait()]) == [1]
        peer.put(b, 2)
        return ids([await task])

    assert run(main()) == [2]


def test_frame_that_was_looked_at_is_held_under_drop_oldest(run, bus, q, peer):
    """The stream waits for `q`; the other's frame stays, beside the newest."""
    oldest = bus.queue(depth=4, overflow="drop-oldest")
    q.set_filters([{"can_id": 0x700, "can_mask": 0x7FF}])
    peer.put(oldest, 0)

    async def main():
        task = asyncio.create_task(anext(awaitd.merge(oldest, q, wait=60)))
        await asyncio.sleep(0)
        peer.send(bus, *rig.cans(range(1, 11)))
        rig.looked_at(oldest, 11)
        task.cancel()
        return ids([oldest.get_nowait() for _ in range(oldest.qsize())])

    assert run(main()) == [0, 7, 8, 9, 10]
    assert rig.exact(oldest.stats())


def test_closed_stream_leaves_its_queues(run, two, peer):
    a, b = two
    peer.put(a, 1)

    async def main():
        async with awaitd.merge(a, b) as stream:
            pass
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return ids([await a.get()])

    assert run(main()) == [1]


def test_gaps_keep_their_place(run, bus, peer):
    queue = bus.queue(depth=1, gaps=True, overflow="drop-oldest")
    peer.send(bus, *rig.cans([1, 2, 3]))
    rig.looked_at(queue, 3)

    async def main():
        stream = awaitd.merge(queue)
        return await anext(stream), await anext(stream)

    gap, frame = run(main())
    assert (gap.lost, frame.arbitration_id) == (2, 3)


def test_lost_device_is_told_after_what_is_pending(run, tmp_path, bus, peer):
    log = tmp_path / "cut.log.gz"
    lines = (f"({i}.000000) can0 {i % 2048:03X}#\n" for i in range(30000))
    whole = gzip.compress("".join(lines).encode())
    log.write_bytes(whole[: len(whole) // 2])
    queue = bus.queue()
    options = {"driver": "replay", "path": log, "speed": "max"}

    async def main():
        got = []
        with awaitd.open(options) as replay:
            stream = awaitd.merge(replay.queue(), queue, wait=0.001)
            peer.put(queue, 7)  # the newest of all
            with pytest.raises(awaitd.DeviceLost):
                async for frame in stream:
                    got.append(frame)
        peer.put(queue, 8)
        return got, ids([await anext(stream)])

    got, after = run(main())
    assert len(got) > 1000
    assert {frame.device for frame in got} == {"replay", "bus"}
    assert after == [8]


def test_wrong_arguments_are_refused(q, loop_class):
    with pytest.raises(ValueError, match="wait"):
        awaitd.merge(q, wait=-1)
    with pytest.raises(ValueError, match="only once"):
        awaitd.merge(q, q)


def test_merge_of_nothing_ends(run):
    async def main():
        return [frame async for frame in awaitd.merge()]

    assert run(main()) == []
