"""Leases: frames on trial, delivered at the end or pending again."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
import rig
from rig import ids

import awaitd

pytestmark = [pytest.mark.extension, rig.on_every_loop]
wakeup = rig.every_wakeup


class Mine(Exception):
    pass


async def fail_in(lease) -> list[int]:
    """The frames of a lease whose block fails."""
    numbers = []
    with pytest.raises(Mine):
        async with lease as frames:
            numbers = ids(frames)
            raise Mine
    return numbers


def test_lease_that_ends_well_delivers(run, q, peer):
    peer.put(q, 1, 2, 3)

    async def main():
        async with q.lease(2) as frames:
            held = q.stats()
            return ids(frames), held, q.qsize()

    numbers, held, left = run(main())
    assert (numbers, left) == ([1, 2], 1)
    assert (held.pending, held.delivered) == (3, 0)
    stats = q.stats()
    assert (stats.pending, stats.delivered) == (1, 2)


def test_lease_that_fails_gives_back_in_order(run, q, peer):
    peer.put(q, 1, 2, 3)

    async def main():
        first = await fail_in(q.lease(2))
        return first, [(await q.get()).arbitration_id for _ in range(3)]

    assert run(main()) == ([1, 2], [1, 2, 3])
    assert rig.exact(q.stats())


def test_repeated_frame_has_its_seq(run, q, peer):
    peer.put(q, 1)

    async def main():
        async def once():
            async with q.lease() as (frame,):
                seqs.append(frame.seq)
                raise Mine

        seqs = []
        for _ in range(2):
            with pytest.raises(Mine):
                await once()
        return seqs

    first, second = run(main())
    assert first == second


def test_h08_lease_cancelled_inside_gives_back(run, q, peer):
    peer.put(q, 1, 2)

    async def main():
        entered = asyncio.Event()

        async def hold():
            async with q.lease(2):
                entered.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(hold())
        await entered.wait()
        assert q.qsize() == 0
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ids(await q.get_many(9))

    assert run(main()) == [1, 2]


def test_cancelled_while_waiting_takes_nothing(run, q, peer):
    async def main():
        task = asyncio.create_task(q.lease().__aenter__())
        await asyncio.sleep(0)
        peer.put(q, 7)
        asyncio.get_running_loop().hold_until_woken()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ids([await q.get()])

    assert run(main()) == [7]


def test_lease_waits_for_a_frame(run, q, peer):
    async def main():
        async def take():
            async with q.lease(5) as frames:
                return ids(frames)

        task = asyncio.create_task(take())
        await asyncio.sleep(0)
        peer.put(q, 7)
        return await task

    assert run(main()) == [7]


def test_lease_without_a_frame_times_out(run, q):
    async def main():
        for timeout in (0, 0.001):
            with pytest.raises(TimeoutError, match="no frame on queue q"):
                async with q.lease(timeout=timeout):
                    pass

    run(main())


def test_lease_of_a_closed_queue_raises(run, q, peer):
    peer.put(q, 1)
    q.close()

    async def main():
        async with q.lease(4) as frames:
            assert ids(frames) == [1]
        with pytest.raises(awaitd.QueueClosed):
            async with q.lease():
                pass

    run(main())


def test_queue_closed_inside_a_lease_keeps_its_frames(run, q, peer):
    peer.put(q, 1, 2)

    async def main():
        with pytest.raises(Mine):
            async with q.lease(2):
                q.close()
                raise Mine
        return ids(await q.get_many(5))

    assert run(main()) == [1, 2]


def test_others_take_on_while_a_lease_is_held(run, q, peer):
    peer.put(q, 1, 2)

    async def main():
        async with q.lease(1) as frames:
            other = await q.get()
            peer.put(q, 3)
            third = await q.get()
        return ids([*frames, other, third])

    assert run(main()) == [1, 2, 3]
    assert rig.exact(q.stats())


def test_frames_given_back_wake_a_waiter(run, q, peer):
    peer.put(q, 7)

    async def main():
        with pytest.raises(Mine):
            async with q.lease():
                waiter = asyncio.create_task(q.get())
                await asyncio.sleep(0)
                raise Mine
        return ids([await waiter])

    assert run(main()) == [7]


def test_frames_given_back_wake_a_recv(run, q, peer):
    peer.put(q, 7)
    got = []
    thread = threading.Thread(target=lambda: got.append(q.recv(rig.DEADLINE_S)))

    async def main():
        lease = q.lease()
        await lease.__aenter__()
        thread.start()
        await asyncio.sleep(0.02)  # it may or may not block by now
        await lease.__aexit__(Mine, Mine(), None)

    run(main())
    thread.join(rig.DEADLINE_S)
    assert ids(got) == [7]


def test_dropped_lease_gives_back_and_wakes(run, q, peer):
    peer.put(q, 7)

    async def main():
        lease = q.lease()
        await lease.__aenter__()
        waiter = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        del lease
        gc.collect()
        return ids([await waiter])

    assert run(main()) == [7]


def test_lease_is_used_once(run, q, peer):
    peer.put(q, 1, 2)

    async def main():
        lease = q.lease()
        async with lease:
            with pytest.raises(RuntimeError, match="used once"):
                await lease.__aenter__()
        with pytest.raises(RuntimeError, match="used once"):
            async with lease:
                pass

    run(main())
    assert q.qsize() == 1


def test_exit_without_frames_raises(q, loop_class):
    with pytest.raises(RuntimeError, match="holds no frames"):
        q.lease().__aexit__(None, None, None)


def test_too_many_leases_are_refused(run, q, peer):
    peer.put(q, *range(40))

    async def main():
        leases = [q.lease() for _ in range(31)]
        for lease in leases[:30]:
            await lease.__aenter__()
        with pytest.raises(awaitd.Error, match="30 leases"):
            await leases[30].__aenter__()
        # Others take on.
        assert (await q.get()).arbitration_id == 30
        for lease in leases[:30]:
            await lease.__aexit__(Mine, Mine(), None)
        return ids(await q.get_many(30))

    assert run(main()) == list(range(30))
    assert rig.exact(q.stats())


def test_interleaved_leases_give_back_in_order(run, q, peer):
    """The odd ones fail, in any order: what is left is in order."""
    peer.put(q, *range(10))

    async def main():
        leases = [q.lease() for _ in range(10)]
        for lease in leases:
            await lease.__aenter__()
        for number in (7, 2, 9, 0, 1, 3, 8, 5, 4, 6):
            error = Mine if number % 2 else None
            await leases[number].__aexit__(error, None, None)
        left = []
        while q.qsize():
            left += ids(await q.get_many(10))
        return left

    assert run(main()) == [1, 3, 5, 7, 9]
    stats = q.stats()
    assert (stats.delivered, stats.pending) == (10, 0)


@pytest.mark.parametrize("overflow", ["drop-oldest", "latest"])
def test_lease_holds_under_every_policy(run, bus, peer, overflow):
    queue = bus.queue(depth=4, overflow=overflow)
    peer.send(bus, *rig.cans([1, 2, 3, 4]))
    rig.looked_at(queue, 4)

    async def main():
        with pytest.raises(Mine):
            async with queue.lease(2) as frames:
                peer.send(bus, *rig.cans([1, 2, 3, 4] * 3))
                rig.looked_at(queue, 16)
                assert ids(frames) == [1, 2]
                raise Mine
        return ids(await queue.get_many(2))

    assert run(main()) == [1, 2]
    assert rig.exact(queue.stats())


@pytest.mark.parametrize("n", [0, -1])
def test_lease_of_nothing_is_refused(q, loop_class, n):
    with pytest.raises(ValueError, match="at least 1"):
        q.lease(n)


def test_lease_after_the_script_ended_is_harmless(run, bus, peer):
    queue = bus.queue()
    peer.put(queue, 1)

    async def main():
        async with queue.lease():
            queue._retire()

    run(main())
