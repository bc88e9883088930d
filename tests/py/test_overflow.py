"""What a full queue does: the policies drop-newest, drop-oldest and block."""

from __future__ import annotations

import asyncio

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension

DEPTH = 4


def taken(queue) -> list[int]:
    return ids(queue.get_nowait() for _ in range(queue.qsize()))


def test_drop_newest_keeps_the_oldest(bus, peer):
    queue = bus.queue(depth=DEPTH)
    peer.send(bus, *rig.cans(range(10)))
    rig.looked_at(queue, 10)
    assert taken(queue) == [0, 1, 2, 3]
    stats = queue.stats()
    assert (stats.dropped_overflow, stats.delivered) == (6, DEPTH)


def test_drop_oldest_keeps_the_newest(bus, peer):
    queue = bus.queue(depth=DEPTH, overflow="drop-oldest")
    peer.send(bus, *rig.cans(range(10)))
    rig.looked_at(queue, 10)
    assert (queue.overflow, queue.qsize()) == ("drop-oldest", DEPTH)
    assert taken(queue) == [6, 7, 8, 9]
    stats = queue.stats()
    assert (stats.dropped_overflow, stats.delivered) == (6, DEPTH)
    assert rig.exact(stats)


def test_drop_oldest_tells_what_it_dropped(bus, peer):
    queue = bus.queue(depth=DEPTH, overflow="drop-oldest")
    peer.send(bus, *rig.cans(range(6)))
    rig.looked_at(queue, 6)
    first = queue.get_nowait()
    assert (first.arbitration_id, first.lost_before) == (2, 2)
    assert first.lost_cause == "overflow"


def test_drop_oldest_under_a_busy_taker_loses_nothing_unseen(run, bus, peer):
    """Every frame is taken or told of in lost_before."""
    queue = bus.queue(depth=DEPTH, overflow="drop-oldest")
    count = 3000

    async def main():
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(
            None, lambda: peer.send(bus, *rig.cans(range(count)))
        )
        seen = last = 0
        while last < count - 1:
            frame = await queue.get()
            seen += 1 + frame.lost_before
            last = frame.arbitration_id
            assert seen == last + 1
        await sending

    run(main())
    assert rig.exact(queue.stats())


def test_block_loses_nothing_and_counts_its_stalls(bus, peer):
    queue = bus.queue(depth=DEPTH, overflow="block")
    count = 50
    peer.send(bus, *rig.cans(range(count)))
    rig.until(lambda: queue.stats().stalls)
    assert (queue.overflow, queue.qsize()) == ("block", DEPTH)
    got = ids(queue.recv(rig.DEADLINE_S) for _ in range(count))
    assert got == list(range(count))
    stats = queue.stats()
    assert (stats.received, stats.dropped) == (count, 0)
    assert rig.exact(stats)


def test_block_is_told_when_it_ends(bus, peer):
    """stalled_ns grows with each stall that is over."""
    queue = bus.queue(depth=1, overflow="block")
    peer.send(bus, rig.can(1), rig.can(2))
    rig.until(lambda: queue.stats().stalls >= 1)
    assert ids([queue.recv(rig.DEADLINE_S), queue.recv(rig.DEADLINE_S)]) == [1, 2]
    rig.until(lambda: queue.stats().stalled_ns > 0)
    assert queue.stats().dropped == 0


def test_queue_that_never_blocked_has_no_stalls(q, peer):
    peer.put(q, 1)
    assert (q.stats().stalls, q.stats().stalled_ns) == (0, 0)


@pytest.mark.parametrize(
    "options",
    [{"overflow": "drop"}, {"wakeup": "thread"}, {"budget_us": -1},
     {"budget_us": 10**9}],
    ids=str,
)
def test_unknown_option_is_refused(bus, options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        bus.queue(**options)
