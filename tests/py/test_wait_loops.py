"""A queue and its event loop: one at a time, closed ones, dropped ones."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import warnings
import weakref

import pytest
import rig
from rig import ids

pytestmark = [
    pytest.mark.extension,
    rig.on_every_loop,
    rig.on_every_wakeup,
]


async def receive(queue, count: int = 1):
    return ids([await queue.get() for _ in range(count)])


def wait_for_ever(queue, loop):
    """Leaves a task waiting on `queue` behind, on a loop that is then closed."""

    async def main():
        task = asyncio.ensure_future(queue.get(timeout=1000))
        await asyncio.sleep(0)
        # Nobody is to be told of a task that is left pending on purpose.
        task._log_destroy_pending = False
        return task

    return loop.run_until_complete(main())


def test_h27_uvloop_is_among_the_loops(loop_class, wakeup):
    pytest.importorskip("uvloop")
    assert len(rig.on_every_loop.args[1]) == 2


# ---- one after the other ----


def test_sequential_runs_take_turns(q, peer, loop_class):
    for number in range(5):
        with asyncio.Runner(loop_factory=loop_class) as runner:
            loop = runner.get_loop()
            loop.call_soon(peer.send, q.device, rig.can(number))
            assert runner.run(receive(q)) == [number]


def test_sequential_runs_in_different_threads_take_turns(q, peer, loop_class):
    results = []

    def work(number: int) -> None:
        with asyncio.Runner(loop_factory=loop_class) as runner:
            runner.get_loop().call_soon(
                peer.send, q.device, rig.can(number)
            )
            results.extend(runner.run(receive(q)))

    for number in range(3):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join(rig.DEADLINE_S)
    assert results == [0, 1, 2]


def test_frames_between_two_runs_are_kept(q, peer, loop_class):
    with asyncio.Runner(loop_factory=loop_class) as runner:
        runner.get_loop().call_soon(peer.send, q.device, rig.can(1))
        assert runner.run(receive(q)) == [1]
    peer.put(q, 2, 3)
    with asyncio.Runner(loop_factory=loop_class) as runner:
        assert runner.run(receive(q, 2)) == [2, 3]


# ---- two at once ----


def test_h26_second_live_loop_is_refused_naming_both(run, q, loop_class):
    first = loop_class()
    try:
        task = wait_for_ever(q, first)

        async def main():
            loop = asyncio.get_running_loop()
            with pytest.raises(RuntimeError) as error:
                await q.get()
            return repr(loop), str(error.value)

        second, text = run(main())
        assert "queue q of device bus belongs to" in text
        # Running or not is no part of a name.
        plain = re.sub(r"running=\w+", "", text)
        for loop in (repr(first), second):
            assert re.sub(r"running=\w+", "", loop) in plain
        assert "open a queue for each loop" in text
        task.cancel()
        first.run_until_complete(asyncio.gather(task, return_exceptions=True))
    finally:
        first.close()


def test_second_live_loop_in_another_thread_is_refused(run, q, peer):
    errors = []

    def work() -> None:
        try:
            asyncio.run(q.get())
        except RuntimeError as error:
            errors.append(str(error))

    async def main():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.001)
        peer.put(q, 7)
        return ids([await task])

    assert run(main()) == [7]
    assert len(errors) == 1 and "belongs to" in errors[0]


def test_second_live_loop_may_take_what_is_there(q, peer, loop_class):
    """A frame that is there needs no loop, and so any loop will do."""
    first, second = loop_class(), loop_class()
    try:
        peer.put(q, 1, 2)
        assert first.run_until_complete(receive(q)) == [1]
        assert second.run_until_complete(receive(q)) == [2]
    finally:
        first.close()
        second.close()


def test_two_loops_with_a_queue_each(bus, peer, loop_class, wakeup):
    queues = [bus.queue(wakeup=wakeup), bus.queue(wakeup=wakeup)]
    results = {}
    ready = threading.Barrier(3)

    def work(index: int) -> None:
        async def main():
            task = asyncio.ensure_future(receive(queues[index], 100))
            await asyncio.sleep(0)
            ready.wait(rig.DEADLINE_S)
            return await task

        with asyncio.Runner(loop_factory=loop_class) as runner:
            results[index] = runner.run(main())

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    ready.wait(rig.DEADLINE_S)
    peer.send(bus, *rig.cans(range(100)))
    for thread in threads:
        thread.join(rig.DEADLINE_S)
    assert results == {0: list(range(100)), 1: list(range(100))}


# ---- closed loops ----


def test_loop_closed_while_waiting_leaves_the_queue_usable(
    q, peer, loop_class, capfd
):
    loop = loop_class()
    task = wait_for_ever(q, loop)
    loop.close()
    peer.put(q, 1, 2)
    with asyncio.Runner(loop_factory=loop_class) as runner:
        assert runner.run(receive(q, 2)) == [1, 2]
    del task
    gc.collect()
    assert capfd.readouterr().err == ""


def test_loop_closed_while_waiting_does_not_stop_the_bridge(
    bus, q, peer, loop_class, capfd, wakeup
):
    """The wake of the closed loop fails; that of another queue goes through."""
    loop = loop_class()
    task = wait_for_ever(q, loop)
    loop.close()
    other = bus.queue(wakeup=wakeup)

    async def main():
        waiting = asyncio.ensure_future(other.get())
        await asyncio.sleep(0)
        peer.put(q, 7)
        return ids([await waiting])

    with asyncio.Runner(loop_factory=loop_class) as runner:
        assert runner.run(main()) == [7]
    assert q.qsize() == 1
    assert capfd.readouterr().err == ""
    del task


def test_loops_closed_while_frames_arrive_make_no_noise(
    bus, peer, loop_class, capfd, wakeup
):
    """Again and again, at whatever moment of the wake's way."""
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            peer.send(bus, *rig.cans(range(20)))

    feeder = threading.Thread(target=flood)
    feeder.start()
    try:
        for _ in range(60):
            queue = bus.queue(depth=4, wakeup=wakeup)
            loop = loop_class()
            wait_for_ever(queue, loop)
            loop.close()
            del queue
    finally:
        stop.set()
        feeder.join(rig.DEADLINE_S)
    gc.collect()
    # The one line that says a queue of four frames overflows is due.
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if "loses frames" not in line] == []


def test_loop_stopped_while_waiting_goes_on_later(q, peer, loop_class):
    loop = loop_class()
    try:
        task = wait_for_ever(q, loop)
        peer.put(q, 7)
        loop.hold_until_woken()
        assert ids([loop.run_until_complete(task)]) == [7]
    finally:
        loop.close()


def test_send_whose_loop_was_closed_makes_no_noise(
    bus, q, loop_class, capfd
):
    loop = loop_class()

    async def main():
        task = asyncio.ensure_future(bus.send(rig.can(7)))
        await asyncio.sleep(0)
        task._log_destroy_pending = False

    loop.run_until_complete(main())
    loop.close()
    rig.until(lambda: q.qsize() == 1)
    gc.collect()
    assert capfd.readouterr().err == ""


# ---- dropped while waited on ----


def test_everything_dropped_while_waiting_is_collected(
    bus, peer, loop_class, wakeup
):
    """Loop, timers, tasks, waiters and queue are one heap of garbage."""

    class Forgotten(loop_class):
        def __del__(self):
            """Does not close: its sockets may have gone before it."""

    queue = bus.queue(wakeup=wakeup)
    weak = weakref.ref(queue)
    loop = Forgotten()

    async def main():
        for _ in range(3):
            task = asyncio.ensure_future(queue.get(timeout=1000))
            task._log_destroy_pending = False
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    del queue
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del loop
        for _ in range(3):
            gc.collect()
    # (uvloop keeps a loop that was never closed.)
    if loop_class is rig.AsyncioLoop:
        assert weak() is None
    peer.send(bus, rig.can(1))


def test_queue_dropped_by_the_script_lives_while_it_is_waited_on(
    run, bus, peer, wakeup
):
    async def main():
        queue = bus.queue(wakeup=wakeup)
        weak = weakref.ref(queue)
        task = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        del queue
        gc.collect()
        assert weak() is not None
        peer.send(bus, rig.can(7))
        return ids([await task])

    assert run(main()) == [7]


def test_get_kept_after_its_loop_was_closed_ends_quietly(
    q, peer, loop_class
):
    """Its future calls call_soon when it is thrown at: on a closed loop."""
    loop = loop_class()

    async def main():
        get = q.get(timeout=1000)
        get.send(None)
        return get

    get = loop.run_until_complete(main())
    loop.close()
    peer.put(q, 7)
    get.close()
    del get
    gc.collect()
    assert q.qsize() == 1
