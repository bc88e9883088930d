"""wakeup="fd": a queue woken by an fd that its loop watches.

That it loses nothing is in test_wait_*.py, which run with both ways.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref

import pytest
import rig
from rig import ids

import awaitd

pytestmark = [pytest.mark.extension, rig.on_every_loop]


@pytest.fixture
def by_fd(bus):
    return bus.queue(name="by_fd", wakeup="fd")


async def wait_once(queue, peer):
    """A get() that has to wait."""
    task = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    peer.put(queue, 7)
    return ids([await task])


def test_fd_wakes_without_the_bridge(run, by_fd, peer):
    async def main():
        numbers = await wait_once(by_fd, peer)
        return numbers, asyncio.get_running_loop().wakes

    numbers, wakes = run(main())
    assert numbers == [7]
    assert wakes == 0  # no call_soon_threadsafe


def test_fd_is_silent_once_it_was_answered(run, by_fd, peer):
    """Or the loop would turn for ever."""

    async def main():
        await wait_once(by_fd, peer)
        return asyncio.get_running_loop().doorbell_rings()

    assert not run(main())


def test_fd_wakes_each_of_many_waiters(run, by_fd, peer):
    async def main():
        tasks = [asyncio.create_task(by_fd.get()) for _ in range(20)]
        await asyncio.sleep(0)
        for number in range(20):
            peer.send(by_fd.device, rig.can(number))
        return ids(await asyncio.gather(*tasks))

    assert run(main()) == list(range(20))
    assert rig.exact(by_fd.stats())


def test_fd_of_a_batch_waits_for_its_minimum(run, by_fd, peer):
    async def main():
        task = asyncio.create_task(by_fd.get_batch(3, min=3))
        await asyncio.sleep(0)
        for number in range(3):
            peer.put(by_fd, number)
            await asyncio.sleep(0.002)
        return ids(await task)

    assert run(main()) == [0, 1, 2]


def test_fd_given_back_by_a_lease_wakes(run, by_fd, peer):
    peer.put(by_fd, 7)

    async def main():
        with pytest.raises(KeyError):
            async with by_fd.lease():
                waiter = asyncio.create_task(by_fd.get())
                await asyncio.sleep(0)
                raise KeyError
        return ids([await waiter])

    assert run(main()) == [7]


def test_loops_take_turns_with_an_fd(by_fd, peer, loop_class):
    for _ in range(3):
        with asyncio.Runner(loop_factory=loop_class) as runner:
            assert runner.run(wait_once(by_fd, peer)) == [7]


def count_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_dropped_queue_leaves_its_loop(run, bus, peer):
    """Its doorbell goes out of the loop's selector, and is closed."""

    async def main():
        loop = asyncio.get_running_loop()
        queue = bus.queue(wakeup="fd")
        await wait_once(queue, peer)
        (fd,) = loop._watched
        weak = weakref.ref(queue)
        del queue
        await asyncio.sleep(0)  # the task that got the frame goes as well
        gc.collect()
        assert weak() is None
        async with asyncio.timeout(rig.DEADLINE_S):
            while loop._watched:
                await asyncio.sleep(0.001)
        assert not loop.remove_reader(fd)

    run(main())


def test_queues_come_and_go_without_leaking_fds(run, bus, peer):
    async def once():
        queue = bus.queue(wakeup="fd")
        await wait_once(queue, peer)
        del queue
        gc.collect(1)  # it is young; all of pytest is not
        await asyncio.sleep(0.002)

    async def main():
        for _ in range(3):
            await once()
        before = count_fds()
        for _ in range(20):
            await once()
        return count_fds() - before

    assert run(main()) <= 2


def test_dropped_after_its_loop_was_closed_is_harmless(bus, peer, loop_class):
    queue = bus.queue(wakeup="fd")
    with asyncio.Runner(loop_factory=loop_class) as runner:
        runner.run(wait_once(queue, peer))
    del queue
    gc.collect()


def test_loop_without_add_reader_says_so(by_fd, loop_class):
    """As asyncio's proactor loop has none."""

    class Poor(loop_class):
        def add_reader(self, *arguments):
            raise NotImplementedError

    async def main():
        with pytest.raises(
            RuntimeError, match='add_reader.*wakeup="bridge"'
        ) as caught:
            await by_fd.get()
        assert isinstance(caught.value.__cause__, NotImplementedError)

    with asyncio.Runner(loop_factory=Poor) as runner:
        runner.run(main())


def test_recv_of_a_queue_woken_by_fd(by_fd, peer, loop_class):
    got = []
    thread = threading.Thread(
        target=lambda: got.append(by_fd.recv(rig.DEADLINE_S))
    )
    thread.start()
    peer.send(by_fd.device, rig.can(7))
    thread.join(rig.DEADLINE_S)
    assert ids(got) == [7]


def test_device_says_how_its_queues_wake(run, peer):
    options = {"driver": "virtual", "kind": "can", "wakeup": "fd"}
    with awaitd.open(options) as device:

        async def main(queue):
            await wait_once(queue, peer)
            return asyncio.get_running_loop().wakes

        assert run(main(device.queue())) == 0
        assert run(main(device.queue(wakeup="bridge"))) == 1
