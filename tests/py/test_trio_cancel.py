"""Cancelling under trio never loses a frame, and never loses a wake.

The matrix is that of test_wait_cancel.py, by trio's means: how a waiter is given
up, and when. Each time the frame must end up with somebody, in order, and the
ledger must say so.
"""

from __future__ import annotations

import random
import threading

import pytest
import rig
from rig import ids
from trio_rig import Native, how, rest, run, settled, trio, wakes  # noqa: F401

pytestmark = pytest.mark.extension


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
