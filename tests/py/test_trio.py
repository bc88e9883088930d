"""Queues and sends under trio.run().

The matrix is that of test_wait_cancel.py, by trio's means: how a waiter is given
up, and when. Each time the frame must end up with somebody, in order, and the
ledger must say so.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import sys
import threading
import weakref
from signal import SIGTERM

import pytest
import rig
from rig import ids

import awaitd
from awaitd._host.stop import Stop

try:
    import trio
    import trio.testing
except Exception as error:  # Debian's 0.22 fails by TypeError on Python 3.13
    pytest.skip(f"trio is NOT tested: {error!r}", allow_module_level=True)

from awaitd import _trio

pytestmark = pytest.mark.extension


def run(main, *arguments, **options):
    """The result of a task of trio, within a deadline."""

    async def bounded():
        with trio.fail_after(rig.DEADLINE_S):
            return await main(*arguments)

    return trio.run(bounded, **options)


class Wakes:
    """Tells when and how often a run was woken from outside."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self.count = 0

    def note(self) -> None:
        self.count += 1
        self._woken.set()

    def hold(self) -> None:
        """Keep the run from turning until a wake is scheduled on it."""
        assert self._woken.wait(rig.DEADLINE_S), "no wake came"
        self._woken.clear()


@pytest.fixture
def wakes(monkeypatch) -> Wakes:
    wakes = Wakes()
    plain = _trio.TrioLoop.call_soon_threadsafe

    def noted(self, *arguments, **options):
        plain(self, *arguments, **options)
        wakes.note()

    monkeypatch.setattr(_trio.TrioLoop, "call_soon_threadsafe", noted)
    return wakes


# ---- how ----
# Each waits for a frame in a task until it is given up, and keeps the numbers
# that it was given.


class Scoped:
    """A wait in a cancel scope, which can be given up from outside."""

    def __init__(self, nursery, queue):
        self.numbers = []
        self.over = trio.Event()
        self.scope = trio.CancelScope()
        nursery.start_soon(self._work, queue)

    async def _work(self, queue):
        try:
            await self.wait(queue)
        except (TimeoutError, trio.TooSlowError):
            pass
        self.over.set()

    def keep(self, frame):
        self.numbers.append(frame.arbitration_id)

    async def wait(self, queue):
        with self.scope:
            self.keep(await queue.get())

    def give_up(self):
        self.scope.cancel()


class MoveOn(Scoped):
    """trio.move_on_after, whose time is up"""

    async def wait(self, queue):
        with trio.move_on_after(60) as self.scope:
            self.keep(await queue.get())

    def give_up(self):
        self.scope.deadline = trio.current_time()


class FailAfter(MoveOn):
    """trio.fail_after, whose time is up"""

    async def wait(self, queue):
        with trio.fail_after(60) as self.scope:
            self.keep(await queue.get())


class AsyncFor(Scoped):
    """async for, cancelled"""

    async def wait(self, queue):
        with self.scope:
            async for frame in queue:
                self.keep(frame)
                return


class Lease(Scoped):
    """async with q.lease(), cancelled before it has any"""

    async def wait(self, queue):
        with self.scope:
            async with queue.lease() as frames:
                self.keep(frames[0])


class Native(Scoped):
    """get(timeout=), whose time is up"""

    async def wait(self, queue):
        self.get = queue.get(timeout=60)
        self.keep(await self.get)

    def give_up(self):
        self.get._expire()  # what the timer calls


HOW = [Scoped, MoveOn, FailAfter, AsyncFor, Lease, Native]
how = pytest.mark.parametrize("How", HOW, ids=lambda how: how.__name__)


async def settled() -> None:
    """Every task but this one waits."""
    await trio.testing.wait_all_tasks_blocked()


def rest(queue):
    """What is still there, after all."""
    numbers = []
    while queue.qsize():
        numbers.append(queue.get_nowait().arbitration_id)
    return numbers


# ---- when ----


@how
def test_given_up_before_arrival_leaves_the_frame(q, peer, How):
    async def main():
        async with trio.open_nursery() as nursery:
            waiter = How(nursery, q)
            await settled()
            waiter.give_up()
        peer.put(q, 7)
        return waiter.numbers, rest(q)

    assert run(main) == ([], [7])


def test_given_up_before_its_first_step_waits_for_nothing(q, peer):
    async def main():
        with trio.CancelScope() as scope:
            scope.cancel()
            await q.get()
        peer.put(q, 7)
        return scope.cancelled_caught, rest(q)

    assert run(main) == (True, [7])


def test_frame_that_is_there_is_had_in_a_cancelled_scope(q, peer):
    """A get() that does not wait is no checkpoint."""
    peer.put(q, 7)

    async def main():
        with trio.CancelScope() as scope:
            scope.cancel()
            return ids([await q.get()])

    assert run(main) == [7]


@how
def test_given_up_with_the_wake_on_its_way_leaves_the_frame(
    q, peer, wakes, How
):
    """The bridge has scheduled the wake; trio has not run it yet. A native
    get() whose time is up takes the frame that it finds."""

    async def main():
        async with trio.open_nursery() as nursery:
            waiter = How(nursery, q)
            await settled()
            peer.put(q, 7)
            wakes.hold()
            waiter.give_up()
        return waiter.numbers, rest(q)

    assert run(main) == (([7], []) if How is Native else ([], [7]))
    assert rig.exact(q.stats())


@how
def test_given_up_between_wake_and_resume_has_the_frame(q, peer, wakes, How):
    """Rescheduled, the task is beyond cancelling until its next checkpoint."""

    async def main():
        async with trio.open_nursery() as nursery:
            waiter = How(nursery, q)
            await settled()
            peer.put(q, 7)
            wakes.hold()
            # Behind the wake, and ahead of the task's next step.
            trio.lowlevel.current_trio_token().run_sync_soon(waiter.give_up)
        return waiter.numbers, rest(q)

    assert run(main) == ([7], [])
    assert rig.exact(q.stats())


@how
def test_given_up_after_it_has_the_frame_keeps_it(q, peer, How):
    async def main():
        async with trio.open_nursery() as nursery:
            waiter = How(nursery, q)
            await settled()
            peer.put(q, 7)
            await waiter.over.wait()
            waiter.give_up()
            await settled()
        return waiter.numbers, rest(q)

    assert run(main) == ([7], [])


# ---- the wake goes on ----


@how
@pytest.mark.parametrize("resumed", [False, True])
def test_wake_goes_on_to_the_second_waiter(q, peer, wakes, How, resumed):
    """A frame for two waiters; the first gives up with its wake on its way, or
    between wake and resume. If it takes the frame all the same, the second
    waits for the next."""

    async def main():
        async with trio.open_nursery() as nursery:
            first = How(nursery, q)
            await settled()
            second = How(nursery, q)
            await settled()
            peer.put(q, 7)
            wakes.hold()
            if resumed:
                token = trio.lowlevel.current_trio_token()
                token.run_sync_soon(first.give_up)
            else:
                first.give_up()
            await first.over.wait()
            if first.numbers:
                await settled()
                assert not second.over.is_set()
                peer.put(q, 8)
            await second.over.wait()
            return first.numbers + second.numbers, rest(q)

    taken = resumed or How is Native
    assert run(main) == ([7, 8] if taken else [7], [])


@how
def test_many_given_up_at_the_instant_lose_nothing(q, peer, wakes, How):
    """Twenty waiters, ten frames, and every other waiter gives up."""

    async def main():
        async with trio.open_nursery() as nursery:
            waiters = []
            for _ in range(20):
                waiters.append(How(nursery, q))
                await settled()
            peer.put(q, *range(10))
            wakes.hold()
            for waiter in waiters[::2]:
                waiter.give_up()
            await settled()
            for waiter in waiters:
                if not waiter.over.is_set():
                    waiter.give_up()
        numbers = [number for waiter in waiters for number in waiter.numbers]
        return sorted(numbers + rest(q))

    assert run(main) == list(range(10))
    assert rig.exact(q.stats())


@how
def test_frame_by_frame_given_up_at_the_instant_loses_nothing(
    q, peer, wakes, How
):
    """200 frames, each meeting a waiter that is given up as it comes."""

    async def main():
        token = trio.lowlevel.current_trio_token()
        numbers = []
        for number in range(200):
            async with trio.open_nursery() as nursery:
                waiter = How(nursery, q)
                await settled()
                peer.put(q, number)
                wakes.hold()
                if number % 2:
                    waiter.give_up()
                else:
                    token.run_sync_soon(waiter.give_up)
            numbers += waiter.numbers + rest(q)
        return numbers

    assert run(main) == list(range(200))
    stats = q.stats()
    assert (stats.received, stats.delivered) == (200, 200)


def test_sibling_that_fails_loses_no_frame(q, peer):
    async def main():
        async def fail():
            raise KeyError

        # Later versions of trio raise it in a group.
        with pytest.raises(Exception) as caught:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(q.get)
                await settled()
                nursery.start_soon(fail)
        assert "KeyError" in repr(caught.value)
        peer.put(q, 7)
        return rest(q)

    assert run(main) == [7]


def test_random_cancels_lose_nothing_and_keep_the_order(q, peer):
    count = 1000
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    def feed():
        for number in range(count):
            peer.send(q.device, rig.can(number))

    async def main():
        numbers = []
        feeder = threading.Thread(target=feed)
        feeder.start()
        while len(numbers) < count:
            with trio.move_on_after(chance.choice([0, 1e-5, 1e-4, 1e-3])):
                if chance.random() < 0.5:
                    numbers += ids([await q.get()])
                else:
                    numbers += ids(await q.get_many(3, timeout=1e-4))
        feeder.join(rig.DEADLINE_S)
        return numbers

    assert run(main) == list(range(count))
    stats = q.stats()
    assert (stats.received, stats.delivered, stats.pending) == (count, count, 0)


# ---- timeouts ----


def test_timeout_raises_the_builtin_timeout_error(q):
    async def main():
        before = trio.current_time()
        with pytest.raises(
            TimeoutError, match="no frame on queue q of device bus in time"
        ):
            await q.get(timeout=5)
        return trio.current_time() - before

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert run(main, clock=clock) == pytest.approx(5)


@pytest.mark.parametrize("timeout", [0, -5, 1e-9, 0.01])
def test_timeout_of_get_many_gives_an_empty_list(q, timeout):
    async def main():
        return await q.get_many(5, timeout=timeout)

    assert run(main) == []


def test_timeout_of_one_waiter_leaves_the_others(q, peer):
    async def main():
        async with trio.open_nursery() as nursery:
            first = Scoped(nursery, q)
            await settled()
            with pytest.raises(TimeoutError):
                await q.get(timeout=0.01)
            third = Scoped(nursery, q)
            await settled()
            peer.put(q, 1, 2)
        return first.numbers, third.numbers

    assert run(main) == ([1], [2])


def test_timeout_for_ever_waits(q, peer):
    async def main():
        frames = []

        async def wait():
            frames.append(await q.get(timeout=math.inf))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settled()
            peer.put(q, 7)
        return ids(frames)

    assert run(main) == [7]


def test_timeout_that_does_not_come_leaves_no_task(q, peer):
    def living():
        return trio.lowlevel.current_statistics().tasks_living

    async def main():
        before = living()
        for number in range(20):
            async with trio.open_nursery() as nursery:
                waiter = Native(nursery, q)
                await settled()
                peer.put(q, number)
            assert waiter.numbers == [number]
        await settled()
        return living() - before

    assert run(main) == 0


def test_waiter_that_finds_nothing_waits_on(q, peer, wakes):
    """Its frame is taken by somebody between wake and resume."""

    async def main():
        async with trio.open_nursery() as nursery:
            waiter = Native(nursery, q)
            await settled()
            peer.put(q, 1)
            wakes.hold()
            taken = rest(q)
            await settled()
            assert not waiter.over.is_set()
            peer.put(q, 2)
        return taken, waiter.numbers

    assert run(main) == ([1], [2])


# ---- all that can be awaited ----


async def waiting_for(get, peer, queue, *numbers):
    """The outcome of an awaitable that has to wait for these frames."""
    outcome = []

    async def wait():
        outcome.append(await get)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await settled()
        peer.put(queue, *numbers)
    return outcome[0]


def test_get_wakes_once(q, peer, wakes):
    async def main():
        return ids([await waiting_for(q.get(), peer, q, 7)])

    assert run(main) == [7]
    assert wakes.count == 1


def test_get_many_gives_what_is_there(q, peer):
    async def main():
        return ids(await waiting_for(q.get_many(10), peer, q, 1, 2, 3))

    assert run(main)[0] == 1


def test_get_batch_waits_for_its_minimum(q, peer):
    async def main():
        batch = await waiting_for(q.get_batch(3, min=3), peer, q, 1, 2, 3)
        return ids(batch)

    assert run(main) == [1, 2, 3]


def test_get_is_a_task_by_itself(q, peer):
    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(q.get)
            await settled()
            peer.put(q, 7)

    run(main)
    assert q.stats().delivered == 1


def test_async_for_ends_with_the_queue(q, peer):
    async def main():
        numbers = []

        async def consume():
            async for frame in q:
                numbers.append(frame.arbitration_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            await settled()
            peer.put(q, 1, 2)
            await settled()
            q.close()
        return numbers

    assert run(main) == [1, 2]


def test_close_from_another_thread_ends_every_waiter(q):
    async def main():
        ended = []

        async def wait():
            with pytest.raises(awaitd.QueueClosed):
                await q.get()
            ended.append(True)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(wait)
            await settled()
            await trio.to_thread.run_sync(q.close)
        return len(ended)

    assert run(main) == 20


def test_failed_lease_gives_its_frames_to_the_waiter(q, peer):
    peer.put(q, 7)

    async def main():
        async with trio.open_nursery() as nursery:
            with pytest.raises(KeyError):
                async with q.lease():
                    waiter = Scoped(nursery, q)
                    await settled()
                    raise KeyError
        return waiter.numbers

    assert run(main) == [7]


def test_lease_cancelled_inside_leaves_its_frames(q, peer):
    peer.put(q, 1, 2)

    async def main():
        with trio.CancelScope() as scope:
            async with q.lease(2):
                scope.cancel()
                await trio.sleep_forever()
        return rest(q)

    assert run(main) == [1, 2]


def test_send_is_awaited(bus, q):
    async def main():
        for number in range(3):
            await bus.send(rig.can(number))
        return ids(await q.get_many(3))

    assert run(main) == [0, 1, 2]


def test_send_given_up_is_sent_all_the_same(bus, q):
    async def main():
        with trio.CancelScope() as scope:
            scope.cancel()
            await bus.send(rig.can(7))
        assert scope.cancelled_caught
        return ids([await q.get()])

    assert run(main) == [7]


# ---- errors ----


def test_second_awaiter_of_a_get_is_refused_and_the_first_goes_on(q, peer):
    async def main():
        get = q.get()
        numbers = []

        async def wait():
            numbers.append((await get).arbitration_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settled()
            with pytest.raises(RuntimeError, match="being awaited already"):
                await get
            peer.put(q, 7)
        return numbers

    assert run(main) == [7]


OTHERS = {"trio": trio.run, "asyncio": lambda main: asyncio.run(main())}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_second_loop_is_refused_naming_the_first(q, peer, other):
    async def get():
        with pytest.raises(RuntimeError, match="belongs to <.*TrioLoop"):
            await q.get()

    async def main():
        async with trio.open_nursery() as nursery:
            waiter = Scoped(nursery, q)
            await settled()
            await trio.to_thread.run_sync(other, get)
            peer.put(q, 7)
        return waiter.numbers

    assert run(main) == [7]


def test_queue_of_an_asyncio_loop_is_refused(q):
    async def get():
        with pytest.raises(RuntimeError, match="EventLoop.*on <.*TrioLoop"):
            await q.get()

    async def main():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        await asyncio.to_thread(trio.run, get)
        task.cancel()

    asyncio.run(main())


def test_runs_of_both_kinds_take_turns(q, peer):
    async def main():
        return ids([await waiting_for(q.get(), peer, q, 7)])

    async def on_asyncio():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 8)
        return ids([await task])

    for _ in range(3):
        assert run(main) == [7]
        assert asyncio.run(on_asyncio()) == [8]


def test_outside_a_run_there_is_no_loop(q):
    with pytest.raises(RuntimeError, match="no running event loop"):
        q.get().send(None)


def test_recv_is_refused_in_a_run(q):
    async def main():
        with pytest.raises(RuntimeError, match="block the running event loop"):
            q.recv()

    run(main)


def test_wakeup_by_fd_is_refused_with_advice(bus):
    async def main():
        with pytest.raises(RuntimeError, match='add_reader.*wakeup="bridge"'):
            await bus.queue(wakeup="fd").get()

    run(main)


def test_merge_that_must_wait_is_refused(q):
    async def main():
        with pytest.raises(RuntimeError, match="merge.*asyncio"):
            await anext(awaitd.merge(q))

    run(main)


# ---- what is not touched ----


def test_get_that_finds_a_frame_needs_no_loop(q, peer):
    peer.put(q, 7)
    with pytest.raises(StopIteration) as found:
        q.get().send(None)
    assert ids([found.value.value]) == [7]


def test_trio_is_imported_by_nobody_else(python):
    process = python(
        """
        import asyncio, sys, awaitd
        async def main():
            with awaitd.open("virtual:can") as bus:
                queue = bus.queue()
                await queue.get_many(1, timeout=0.001)
                await bus.send(awaitd.CanFrame(7))
                await queue.get()
        asyncio.run(main())
        print([name for name in sys.modules if "trio" in name])
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "[]\n"


def test_frame_that_is_there_brings_no_loop(python):
    """Under trio: neither the stand-in for a loop nor a step of the run."""
    process = python(
        """
        import sys, trio, awaitd
        async def main(queue):
            for _ in range(100):
                await queue.get()
            print("awaitd._trio" in sys.modules)
        bus = awaitd.open("virtual:can")
        queue = bus.queue()
        import asyncio
        async def fill():
            for number in range(100):
                await bus.send(awaitd.CanFrame(number))
            while queue.qsize() < 100:
                await asyncio.sleep(0.001)
        asyncio.run(fill())
        trio.run(main, queue)
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "False\n"


def test_nothing_is_left_of_a_run(bus, peer):
    """Loop, tasks, waiters and their coroutines: the queue goes by itself."""
    queue = bus.queue()

    async def main():
        async with trio.open_nursery() as nursery:
            for How in HOW:
                How(nursery, queue)
            await settled()
            peer.put(queue, 7)
            await settled()
            nursery.cancel_scope.cancel()

    run(main)
    weak = weakref.ref(queue)
    del queue
    gc.collect()
    assert weak() is None


def test_get_left_in_its_sleep_is_collected(q):
    """Its task holds it, and it its task, by the coroutine it sleeps in."""

    async def main():
        get = q.get()
        get.send(None)
        trio.lowlevel.current_task().custom_sleep_data = get
        return weakref.ref(get)

    weak = run(main)
    gc.collect()
    assert weak() is None


def test_stop_of_a_script_without_asyncio_wants_no_bare_yield():
    """Which only asyncio takes for a turn of the loop."""
    assert Stop().ask(SIGTERM, again=False) is False
