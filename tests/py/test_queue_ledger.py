"""The ledger: received == filtered + delivered + dropped + pending, always."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
import time

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension

FIELDS = (
    "received",
    "filtered",
    "delivered",
    "dropped",
    "pending",
    "dropped_kernel",
    "dropped_overflow",
    "dropped_cleared",
    "dropped_closed",
    "high_water",
    "wakes",
    "stalls",
    "stalled_ns",
)


def nonzero(stats: awaitd.QueueStats) -> dict[str, int]:
    return {name: value for name, value in zip(FIELDS, stats) if value}


def test_stats_of_a_new_queue_are_zero(q):
    assert nonzero(q.stats()) == {}


def test_stats_have_names(q):
    stats = q.stats()
    assert isinstance(stats, awaitd.QueueStats)
    assert [getattr(stats, name) for name in FIELDS] == list(stats)


def test_stats_follow_a_frame(q, peer):
    peer.put(q, 1, 2, 3)
    assert nonzero(q.stats()) == {
        "received": 3,
        "pending": 3,
        "high_water": q.stats().high_water,
    }
    q.get_nowait()
    stats = q.stats()
    assert (stats.delivered, stats.pending) == (1, 2)


def test_delivered_counts_what_was_taken_however(run, q, peer):
    peer.put(q, *range(10))

    async def main():
        await q.get()
        await q.get_many(3)
        q.get_nowait()
        async for _ in q:
            break

    run(main())
    q.recv()
    stats = q.stats()
    assert (stats.delivered, stats.pending) == (7, 3)


def test_clear_counts_and_returns_what_it_threw_away(q, peer):
    peer.put(q, *range(5))
    q.get_nowait()
    assert q.clear() == 4
    assert q.qsize() == 0
    assert q.clear() == 0
    stats = q.stats()
    assert (stats.delivered, stats.dropped_cleared) == (1, 4)
    assert rig.exact(stats)


def test_clear_makes_room(bus, peer):
    queue = bus.queue(depth=2)
    for _ in range(3):
        peer.put(queue, 1, 2)
        assert queue.clear() == 2
    assert queue.stats().dropped_overflow == 0


def test_clear_after_close_throws_away_what_is_pending(q, peer):
    peer.put(q, 1, 2)
    q.close()
    assert q.clear() == 2
    with pytest.raises(awaitd.QueueClosed):
        q.get_nowait()


def test_clear_while_waiting_leaves_the_waiter(run, q, peer):
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 1)
        loop.hold_until_woken()
        assert q.clear() == 1
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        peer.put(q, 2)
        return (await task).arbitration_id

    assert run(main()) == 2


def test_overflow_drops_the_newest_and_counts_it(bus, peer):
    queue = bus.queue(depth=3)
    peer.send(bus, *rig.cans(range(10)))
    rig.until(lambda: queue.stats().received == 10)
    stats = queue.stats()
    assert nonzero(stats) == {
        "received": 10,
        "dropped": 7,
        "pending": 3,
        "dropped_overflow": 7,
        "high_water": 3,
    }
    assert rig.ids(queue.get_nowait() for _ in range(3)) == [0, 1, 2]


def test_dropped_queue_counts_what_nobody_took(bus, peer):
    queue = bus.queue(name="gone")
    peer.put(queue, 1, 2, 3)
    queue.get_nowait()
    del queue
    (report,) = bus.stats()["queues"]
    assert (report["name"], report["open"]) == ("gone", False)
    stats = report["stats"]
    assert (stats.delivered, stats.dropped_closed, stats.pending) == (1, 2, 0)
    assert rig.exact(stats)


def test_device_lists_its_queues_in_order(bus):
    queues = [bus.queue(name=name) for name in "abc"]
    del queues[1]
    reports = bus.stats()["queues"]
    assert [(r["name"], r["script"], r["open"]) for r in reports] == [
        ("a", "", True),
        ("b", "", False),
        ("c", "", True),
    ]


def test_stats_are_exact_at_all_times(bus, peer):
    """Sender, taker, clearer and a reader of the ledger, all at once."""
    seed = 4711
    print("seed", seed)
    queue = bus.queue(
        name="busy", depth=8, filters=[{"can_id": 0, "can_mask": 1}]
    )
    stop = threading.Event()
    failures = []

    def send():
        while not stop.is_set():
            peer.send(bus, *rig.cans(range(40)))

    def overflow():
        before = queue.stats().dropped_overflow
        rig.until(
            lambda: stop.is_set() or queue.stats().dropped_overflow > before
        )

    def take():
        dice = random.Random(seed)
        while not stop.is_set():
            what = dice.randrange(100)
            if what == 0:
                overflow()
            elif what < 10:
                queue.clear()
            else:
                queue.recv(timeout=0.001)

    def enough():
        """Of all that there is to be seen, however slow the machine is."""
        return (
            time.monotonic() > began + 1.5
            and looks > 100
            and last.received > 1000
            and last.filtered > 0
            and last.dropped_overflow > 0
        )

    threads = [threading.Thread(target=work) for work in (send, take)]
    for thread in threads:
        thread.start()
    looks = 0
    last = queue.stats()
    began = time.monotonic()
    while not enough() and time.monotonic() < began + 3 * rig.DEADLINE_S:
        stats = queue.stats()
        looks += 1
        if not rig.exact(stats) or stats.pending > 8:
            failures.append(stats)
        monotonic = [n for n in range(len(stats)) if FIELDS[n] != "pending"]
        if any(stats[n] < last[n] for n in monotonic):
            failures.append((last, stats))
        last = stats
    stop.set()
    for thread in threads:
        thread.join(rig.DEADLINE_S)
    assert failures == []
    assert enough(), last


def test_finalizer_that_takes_meanwhile_is_counted(q, peer):
    """get_many() makes a list; that may run the collector, and so others'
    code, which may take from the same queue."""
    stolen = []

    class Thief:
        def __init__(self):
            self.me = self

        def __del__(self):
            while q.qsize() and len(stolen) < 2:
                stolen.append(q.get_nowait())

    peer.put(q, 1, 2, 3, 4, 5)
    lists = [[] for _ in range(500)]  # so that there is no list to be reused
    get = q.get_many(3)
    before = gc.get_threshold()
    gc.disable()
    try:
        Thief()
        gc.set_threshold(1)
        gc.enable()
        get.send(None)
    except StopIteration as stop:
        taken = stop.value
    finally:
        gc.set_threshold(*before)
        gc.enable()
    del lists
    # From 3.12 on the collector waits for the next bytecode, or longer.
    if sys.version_info >= (3, 12):
        gc.collect()
    assert rig.ids(stolen) == [4, 5]
    # Those of the list are claimed before it is made.
    assert rig.ids(taken) == [1, 2, 3]
    stats = q.stats()
    assert (stats.delivered, stats.pending) == (5, 0)


def test_high_water_is_the_most_that_was_pending(q, peer):
    peer.put(q, 1, 2, 3)
    q.clear()
    peer.put(q, 1)
    assert 1 <= q.stats().high_water <= 3


def test_stats_after_the_device_was_closed(bus, q, peer):
    peer.put(q, 1, 2)
    q.get_nowait()
    bus.close()
    stats = q.stats()
    assert (stats.received, stats.delivered, stats.pending) == (2, 1, 1)
    assert bus.stats()["queues"][0]["stats"] == stats
