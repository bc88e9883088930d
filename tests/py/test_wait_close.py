"""How a queue ends: for those who wait, and for what is still in it."""

from __future__ import annotations

import asyncio
import errno
import gzip

import pytest
import rig
from rig import ids

import awaitd

pytestmark = [
    pytest.mark.extension,
    rig.on_every_loop,
    rig.on_every_wakeup,
]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def lease_one(queue):
    async with queue.lease() as frames:
        return frames


# However it is waited, the end is the same.
every_way = pytest.mark.parametrize(
    "wait",
    [
        lambda queue: queue.get(),
        lambda queue: queue.get(timeout=60),
        lambda queue: queue.get_many(3),
        lambda queue: queue.get_many(3, timeout=60),
        lambda queue: queue.get_batch(3, min=2),
        lambda queue: queue.get_batch(3, timeout=60),
        lease_one,
    ],
    ids=["get", "get timeout", "get_many", "get_many timeout", "get_batch",
         "get_batch timeout", "lease"],
)


async def started(wait, queue):
    """Three that wait."""

    async def one():
        return await wait(queue)

    tasks = [asyncio.create_task(one()) for _ in range(3)]
    await turns()
    return tasks


@pytest.fixture
def damaged_log(tmp_path):
    """A gzipped log of 30,000 frames that was cut off: reading it fails."""
    path = tmp_path / "cut.log.gz"
    lines = "".join(
        f"(1700000000.{i:06}) can0 {i % 2048:03X}#{i:08X}\n"
        for i in range(30000)
    )
    whole = gzip.compress(lines.encode())
    path.write_bytes(whole[: len(whole) // 2])
    return path


def open_damaged(path) -> awaitd.Device:
    return awaitd.open(
        {"name": "log", "driver": "replay", "path": path, "speed": "max"}
    )


# ---- closed by the script ----


@every_way
def test_close_wakes_every_waiter(run, q, wait):
    async def main():
        tasks = await started(wait, q)
        q.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    errors = run(main())
    assert [type(error) for error in errors] == [awaitd.QueueClosed] * 3
    assert {error.reason for error in errors} == {"closed"}


def test_close_leaves_what_is_pending(run, q, peer):
    peer.put(q, 1, 2, 3)
    q.close()

    async def main():
        numbers = ids([await q.get(), q.get_nowait(), *await q.get_many(9)])
        with pytest.raises(awaitd.QueueClosed):
            await q.get()
        return numbers

    assert run(main()) == [1, 2, 3]


def test_close_with_frames_and_waiters_serves_both(run, q, peer):
    """Two frames, three waiters: two frames and one QueueClosed."""

    async def main():
        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(q.get()) for _ in range(3)]
        await turns()
        peer.put(q, 1, 2)
        loop.hold_until_woken()
        q.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = run(main())
    assert ids([first, second]) == [1, 2]
    assert isinstance(third, awaitd.QueueClosed)


def test_close_gives_a_batch_that_waits_for_more_what_there_is(run, q, peer):
    """Two frames of five: the first batch gets them, the second the end."""

    async def main():
        tasks = [asyncio.create_task(q.get_batch(5, min=5)) for _ in range(2)]
        await turns()
        peer.put(q, 1, 2)
        await turns()
        assert not any(task.done() for task in tasks)
        q.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second = run(main())
    assert ids(first) == [1, 2]
    assert isinstance(second, awaitd.QueueClosed)


def test_close_inside_a_lease_leaves_it_its_frames(run, q, peer):
    """Failed, it gives them back, and they can still be taken."""
    peer.put(q, 1, 2)

    async def main():
        with pytest.raises(KeyError):
            async with q.lease(2):
                q.close()
                with pytest.raises(awaitd.QueueClosed):
                    await q.get()
                raise KeyError
        async with q.lease(2) as frames:
            return ids(frames)

    assert run(main()) == [1, 2]
    stats = q.stats()
    assert (stats.delivered, stats.pending) == (2, 0)


def test_close_ends_a_merge_that_waits(run, bus, q, wakeup):
    other = bus.queue(wakeup=wakeup)

    async def main():
        async def consume():
            return [frame async for frame in awaitd.merge(q, other)]

        task = asyncio.create_task(consume())
        await turns()
        q.close()
        await turns()
        assert not task.done()
        other.close()
        return await task

    assert run(main()) == []


def test_close_stops_the_stream(q, peer, loop_class):
    q.close()
    assert q.closed
    peer.send(q.device, rig.can(1))
    with pytest.raises(awaitd.QueueClosed):
        q.get_nowait()
    assert q.stats().received == 0


def test_close_twice_is_harmless(q, loop_class):
    q.close()
    q.close()
    assert q.closed


def test_context_manager_closes(bus, loop_class, wakeup):
    with bus.queue(wakeup=wakeup) as queue:
        assert not queue.closed
    assert queue.closed


@pytest.mark.parametrize(
    "take",
    [
        lambda q: q.get().send(None),
        lambda q: q.get(timeout=0).send(None),
        lambda q: q.get_many(3).send(None),
        lambda q: q.get_many(3, timeout=0).send(None),
        lambda q: q.get_batch(3).send(None),
        lambda q: q.get_batch(3, min=2, timeout=0).send(None),
        lambda q: q.lease().__aenter__().send(None),
        lambda q: q.lease(3, timeout=0).__aenter__().send(None),
        lambda q: q.get_nowait(),
        lambda q: q.recv(),
        lambda q: q.recv(timeout=0),
    ],
)
def test_closed_queue_says_so_however_it_is_asked(q, loop_class, take):
    q.close()
    with pytest.raises(awaitd.QueueClosed, match="its script closed it") as e:
        take(q)
    assert e.value.reason == "closed"


def test_close_ends_async_for(run, q, peer):
    async def main():
        numbers = []
        peer.put(q, 1, 2, 3)
        async for frame in q:
            numbers.append(frame.arbitration_id)
            if len(numbers) == 2:
                q.close()
        return numbers

    assert run(main()) == [1, 2, 3]


def test_close_ends_an_async_for_that_waits(run, q):
    async def main():
        async def consume():
            return [frame async for frame in q]

        task = asyncio.create_task(consume())
        await turns()
        q.close()
        return await task

    assert run(main()) == []


# ---- the device is closed ----


@every_way
def test_device_close_wakes_every_waiter(run, bus, q, wait):
    async def main():
        tasks = await started(wait, q)
        bus.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    errors = run(main())
    assert [type(error) for error in errors] == [awaitd.QueueClosed] * 3
    assert {error.reason for error in errors} == {"stopped"}


def test_device_close_leaves_what_is_pending(run, bus, q, peer):
    peer.put(q, 1, 2)
    bus.close()

    async def main():
        return [frame.arbitration_id async for frame in q]

    assert run(main()) == [1, 2]
    with pytest.raises(awaitd.QueueClosed) as error:
        q.get_nowait()
    assert error.value.reason == "stopped"


def test_queue_closed_before_its_device_stays_closed(bus, q, loop_class):
    q.close()
    bus.close()
    with pytest.raises(awaitd.QueueClosed) as error:
        q.get_nowait()
    assert error.value.reason == "closed"


# ---- the device is lost ----


def take_all(queue):
    """Frames until what ends them."""
    numbers = []
    try:
        while True:
            numbers += ids([queue.recv(timeout=rig.DEADLINE_S)])
    except awaitd.Error as error:
        return numbers, error


def test_lost_device_gives_what_came_then_raises(
    damaged_log, loop_class, wakeup
):
    with open_damaged(damaged_log) as device:
        numbers, error = take_all(device.queue(wakeup=wakeup))
    assert len(numbers) > 1000
    assert numbers == [i % 2048 for i in range(len(numbers))]
    assert type(error) is awaitd.DeviceLost
    assert (error.device, error.errno) == ("log", errno.EIO)


def test_lost_device_ends_async_for_with_device_lost(
    run, damaged_log, wakeup
):
    async def main():
        count = 0
        with open_damaged(damaged_log) as device:
            with pytest.raises(awaitd.DeviceLost):
                async for _ in device.queue(wakeup=wakeup):
                    count += 1
        return count

    assert run(main()) > 1000


@every_way
def test_lost_device_wakes_every_waiter(run, damaged_log, wakeup, wait):
    async def main():
        with open_damaged(damaged_log) as device:
            # Being full, the first holds the log up until it is drained.
            full = device.queue(depth=64, wakeup=wakeup)
            queue = device.queue(
                filters=[{"can_id": 1, "can_mask": 0x7FF}], wakeup=wakeup
            )

            async def drain():
                return [frame async for frame in full]

            async def take():
                while True:
                    await wait(queue)

            tasks = [asyncio.create_task(take()) for _ in range(3)]
            tasks.append(asyncio.create_task(drain()))
            return await asyncio.gather(*tasks, return_exceptions=True)

    results = run(main())
    assert [type(result) for result in results] == [awaitd.DeviceLost] * 4


def test_queue_on_a_lost_device_is_refused(damaged_log, loop_class, wakeup):
    with open_damaged(damaged_log) as device:
        take_all(device.queue())
        with pytest.raises(awaitd.DeviceLost):
            device.queue(wakeup=wakeup)
