"""get_batch(): many frames in one object, for numpy and for candump."""

from __future__ import annotations

import asyncio
import weakref

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension
wakeup = rig.every_wakeup

try:
    import numpy
except ImportError:
    numpy = None

needs_numpy = pytest.mark.skipif(
    numpy is None, reason="numpy is not installed: arrays are NOT checked"
)


@pytest.fixture
def batch_of(run):
    """batch_of(queue, n, **options): what get_batch() gives."""

    def take(queue, n, **options):
        async def main():
            return await queue.get_batch(n, **options)

        return run(main())

    return take


def test_batch_holds_the_oldest_frames(q, peer, batch_of):
    peer.put(q, *range(10))
    batch = batch_of(q, 4)
    assert len(batch) == 4
    assert ids(batch) == [0, 1, 2, 3]
    assert (batch.device, batch.lost) == ("bus", 0)
    assert q.qsize() == 6
    assert q.stats().delivered == 4


def test_batch_is_indexed_from_both_ends(q, peer, batch_of):
    peer.put(q, *range(3))
    batch = batch_of(q, 9)
    assert ids([batch[0], batch[2], batch[-1], batch[-3]]) == [0, 2, 2, 0]
    for index in (3, -4):
        with pytest.raises(IndexError):
            batch[index]
    assert batch[1].device == "bus"
    assert batch[1].data == rig.can(1).data


def test_batch_survives_the_wrap_of_the_ring(bus, peer, batch_of):
    queue = bus.queue(depth=8)
    for first in range(0, 60, 6):
        peer.put(queue, *range(first, first + 6))
        assert ids(batch_of(queue, 8)) == list(range(first, first + 6))


def test_batch_is_its_own_copy(bus, peer, batch_of):
    queue = bus.queue(depth=4)
    peer.put(queue, 1, 2, 3, 4)
    batch = batch_of(queue, 4)
    before = bytes(batch)
    peer.put(queue, 5, 6, 7, 8)
    assert bytes(batch) == before


def test_batch_waits_for_its_minimum(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get_batch(10, min=3))
        await asyncio.sleep(0)
        for number in range(3):
            assert not task.done()
            peer.put(q, number)
            await asyncio.sleep(0.005)
        return ids(await task)

    assert run(main()) == [0, 1, 2]


def test_waiting_batch_resumes_no_task_before_its_minimum(run, q, peer):
    """Fewer frames wake the bridge, not the loop."""

    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(q.get_batch(5, min=5))
        await asyncio.sleep(0)
        wakes = loop.wakes
        for number in range(4):
            peer.put(q, number)
        await asyncio.sleep(0.01)
        assert (loop.wakes, task.done()) == (wakes, False)
        peer.put(q, 4)
        return ids(await task)

    assert run(main()) == [0, 1, 2, 3, 4]


def test_exact_batch_leaves_the_rest(q, peer, batch_of):
    peer.put(q, *range(7))
    assert ids(batch_of(q, 5, min=5)) == [0, 1, 2, 3, 4]
    assert q.qsize() == 2


def test_batch_at_its_timeout_is_what_there_is(run, q, peer):
    async def main():
        assert len(await q.get_batch(5, timeout=0)) == 0
        assert len(await q.get_batch(5, timeout=0.001)) == 0
        peer.put(q, 1, 2)
        return ids(await q.get_batch(5, min=5, timeout=0.001))

    assert run(main()) == [1, 2]


def test_batch_of_an_ended_queue_is_what_is_left(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get_batch(5, min=5))
        await asyncio.sleep(0)
        peer.put(q, 1, 2)
        q.close()
        left = ids(await task)
        with pytest.raises(awaitd.QueueClosed):
            await q.get_batch(5)
        return left

    assert run(main()) == [1, 2]


def test_cancelled_batch_takes_nothing(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get_batch(2, min=2))
        await asyncio.sleep(0)
        peer.put(q, 1, 2)
        asyncio.get_running_loop().hold_until_woken()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ids(await q.get_many(5))

    assert run(main()) == [1, 2]


def test_waiters_are_served_in_order(run, q, peer):
    async def main():
        first = asyncio.create_task(q.get_batch(3, min=3))
        await asyncio.sleep(0)
        second = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 1, 2, 3, 4)
        return ids(await first), ids([await second])

    assert run(main()) == ([1, 2, 3], [4])


def test_batch_takes_what_leases_gave_back(run, q, peer):
    """Stretches that are not one claim are one batch."""
    peer.put(q, *range(6))

    async def main():
        leases = [q.lease() for _ in range(4)]
        for lease in leases:
            await lease.__aenter__()
        for number in (2, 0):
            await leases[number].__aexit__(KeyError, None, None)
        batch = await q.get_batch(4, min=4)
        for number in (1, 3):
            await leases[number].__aexit__(None, None, None)
        return ids(batch)

    assert run(main()) == [0, 2, 4, 5]
    assert rig.exact(q.stats())


@pytest.mark.parametrize(
    "arguments", [(0,), (-1,), (3, 4), (3, 0), (100, 9)], ids=str
)
def test_impossible_batch_is_refused(bus, arguments):
    queue = bus.queue(depth=8)
    with pytest.raises(ValueError, match="get_batch"):
        queue.get_batch(*arguments)


def test_batch_counts_its_losses(bus, peer, batch_of):
    queue = bus.queue(depth=2)
    peer.send(bus, *rig.cans(range(5)))
    rig.until(lambda: queue.stats().dropped_overflow == 3)
    assert batch_of(queue, 2).lost == 0
    peer.put(queue, 7)
    assert batch_of(queue, 2).lost == 3


def test_batch_can_be_referred_to_weakly(q, peer, batch_of):
    peer.put(q, 1)
    batch = batch_of(q, 1)
    weak = weakref.ref(batch)
    assert weak() is batch
    assert repr(batch) == "<Batch of 1 frame of device bus>"
    del batch
    assert weak() is None


# ---- candump ----


def test_candump_writes_a_line_a_frame(bus, q, peer, batch_of):
    peer.send(bus, awaitd.CanFrame(0x123, b"\x01\x02"),
              awaitd.CanFrame(0x18FEF100, b""))
    rig.until(lambda: q.qsize() == 2)
    batch = batch_of(q, 2)
    stamps = [
        f"({f.timestamp_ns // 10**9}.{f.timestamp_ns // 1000 % 10**6:06})"
        for f in batch
    ]
    assert batch.candump() == (
        f"{stamps[0]} bus 123#0102\n{stamps[1]} bus 18FEF100#\n"
    )


def test_candump_of_many_frames_is_whole(bus, peer, batch_of):
    queue = bus.queue()
    peer.put(queue, *range(1000))
    lines = batch_of(queue, 1000).candump().splitlines()
    assert [int(line.split("#")[1], 16) for line in lines] == list(range(1000))


def test_candump_of_bytes_is_refused(peer, batch_of):
    with awaitd.open({"driver": "virtual", "kind": "bytes"}) as device:
        queue = device.queue()
        peer.send(device, awaitd.Frame(b"x"))
        rig.until(queue.qsize)
        with pytest.raises(ValueError, match="not a CAN frame"):
            batch_of(queue, 1).candump()


# ---- the buffer ----


def test_buffer_is_read_only_and_counts_its_bytes(q, peer, batch_of):
    peer.put(q, 1, 2)
    batch = batch_of(q, 2)
    view = memoryview(batch)
    assert view.readonly
    assert (view.shape, view.nbytes) == ((2,), batch.nbytes)
    assert len(bytes(batch)) == batch.nbytes == 2 * view.itemsize


@needs_numpy
@pytest.mark.parametrize("overflow", ["drop-newest", "drop-oldest", "latest"])
def test_numpy_reads_every_field(bus, peer, batch_of, overflow):
    queue = bus.queue(depth=4, overflow=overflow)
    peer.send(bus, *rig.cans([1, 2, 3]))
    rig.until(lambda: queue.stats().received == 3)
    batch = batch_of(queue, 3, min=3)
    frames = list(batch)
    arrays = [
        numpy.frombuffer(batch, dtype=batch.dtype),
        numpy.asarray(batch),
        batch.__array__(),
    ]
    for array in arrays:
        assert array.dtype == batch.dtype
        assert array.dtype.itemsize * 3 == batch.nbytes
        for name in ("timestamp_ns", "monotonic_ns", "seq", "lost_before"):
            expected = [getattr(frame, name) for frame in frames]
            assert array[name].tolist() == expected
        assert array["id"].tolist() == ids(frames)
        assert array["length"].tolist() == [4, 4, 4]
        data = [frame.data.ljust(array["data"].shape[1], b"\0")
                for frame in frames]
        assert [bytes(row) for row in array["data"]] == data


@needs_numpy
def test_numpy_sees_no_older_frames_bytes(bus, peer, batch_of):
    """A slot is used again for a shorter frame."""
    queue = bus.queue(depth=1)
    for data in (b"\xff" * 8, b"\x01"):
        peer.send(bus, awaitd.CanFrame(1, data))
        rig.until(queue.qsize)
        batch = batch_of(queue, 1)
    assert bytes(numpy.asarray(batch)["data"][0]).rstrip(b"\0") == b"\x01"


@needs_numpy
def test_numpy_array_of_an_empty_batch_is_empty(q, batch_of):
    batch = batch_of(q, 1, timeout=0)
    assert len(numpy.asarray(batch)) == len(batch.__array__()) == 0
    assert batch.__array__().dtype == batch.dtype


@needs_numpy
def test_numpy_array_keeps_the_batch(q, peer, batch_of):
    peer.put(q, 1, 2)
    batch = batch_of(q, 2)
    array = numpy.asarray(batch)
    del batch
    assert array["id"].tolist() == [1, 2]


@needs_numpy
def test_numpy_copy_is_one(q, peer, batch_of):
    peer.put(q, 1)
    batch = batch_of(q, 1)
    array = batch.__array__(copy=True)
    array["id"] = 9
    assert batch[0].arbitration_id == 1


@needs_numpy
def test_numpy_reads_bytes(peer, batch_of):
    with awaitd.open({"driver": "virtual", "kind": "bytes"}) as device:
        queue = device.queue()
        peer.send(device, awaitd.Frame(b"abc"))
        rig.until(queue.qsize)
        array = numpy.asarray(batch_of(queue, 1))
    assert bytes(array["data"][0][:3]) == b"abc"
