"""overflow="latest": the newest frame of each key; snapshot() and peek()."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension


@pytest.fixture
def newest(bus):
    return bus.queue(name="newest", depth=4, overflow="latest")


@pytest.fixture
def put(bus, newest, peer):
    """put(*frames): sent, and looked at by the queue."""

    def put(*frames):
        received = newest.stats().received + len(frames)
        peer.send(bus, *frames)
        rig.looked_at(newest, received)

    return put


def frame(id: int, value: int, **options) -> awaitd.CanFrame:
    return awaitd.CanFrame(id, bytes([value]), **options)


def values(frames) -> dict[object, int]:
    return {key: frame.data[0] for key, frame in frames.items()}


def test_latest_gives_the_newest_of_each_id(newest, put):
    put(frame(1, 10), frame(2, 20), frame(1, 11), frame(1, 12))
    frames = [newest.get_nowait() for _ in range(newest.qsize())]
    assert {f.arbitration_id: f.data[0] for f in frames} == {1: 12, 2: 20}
    stats = newest.stats()
    assert (stats.dropped_overflow, stats.delivered) == (2, 2)
    assert rig.exact(stats)


def test_latest_refuses_more_ids_than_its_depth(newest, put):
    put(*(frame(id, id) for id in range(1, 7)))
    assert sorted(newest.snapshot()) == [1, 2, 3, 4]
    assert newest.stats().dropped_overflow == 2


def test_snapshot_takes_nothing(newest, put):
    put(frame(1, 10), frame(2, 20))
    assert values(newest.snapshot()) == {1: 10, 2: 20}
    assert values(newest.snapshot()) == {1: 10, 2: 20}
    assert newest.qsize() == 2
    put(frame(1, 11))
    assert values(newest.snapshot()) == {1: 11, 2: 20}
    assert rig.exact(newest.stats())


def test_snapshot_shows_what_was_taken(newest, put):
    put(frame(1, 10))
    newest.get_nowait()
    assert values(newest.snapshot()) == {1: 10}
    assert newest.qsize() == 0


def test_snapshot_of_an_empty_queue_is_empty(newest):
    assert newest.snapshot() == {}


def test_peek_gives_one_key(newest, put):
    put(frame(1, 10), frame(2, 20))
    assert newest.peek(2).data == b"\x14"
    assert newest.peek(3) is None
    assert newest.qsize() == 2


def test_extended_id_has_a_key_of_its_own(newest, put):
    put(frame(0x123, 1), frame(0x123, 2, is_extended_id=True),
        frame(0x18FEF100, 3))
    expected = {0x123: 1, 0x123 | 0x80000000: 2, 0x18FEF100: 3}
    assert values(newest.snapshot()) == expected
    for key, value in expected.items():
        assert newest.peek(key).data == bytes([value])


def test_error_frame_has_a_key_of_its_own(newest, put):
    error = awaitd.CanFrame(4, bytes(8), is_error_frame=True)
    put(error, frame(4, 1))
    assert sorted(newest.snapshot()) == [4, 4 | 0x20000000]
    assert newest.peek(4 | 0x20000000).is_error_frame


@pytest.mark.parametrize("key", ["1", None, -1, 1 << 32, (1, True)], ids=str)
def test_peek_of_what_is_no_id_is_refused(newest, key):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        newest.peek(key)


def test_other_policies_have_no_snapshot(q):
    for look in (q.snapshot, lambda: q.peek(1)):
        with pytest.raises(ValueError, match='overflow="latest"'):
            look()


def test_datagrams_are_kept_by_sender(peer):
    """Two senders, by their addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        awaitd.open(f"udp:127.0.0.1:{port}") as net,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        for sender in (one, two):
            sender.bind(("127.0.0.1", 0))
        queue = net.queue(overflow="latest", depth=8)
        for number, sender in enumerate((one, two, one)):
            sender.sendto(bytes([number]), ("127.0.0.1", port))
            rig.looked_at(queue, number + 1)
        expected = {one.getsockname(): 2, two.getsockname(): 1}
        assert values(queue.snapshot()) == expected
        assert queue.peek(one.getsockname()).data == b"\x02"
        assert queue.peek(("127.0.0.1", 1)) is None


def test_bytes_have_the_device_as_their_key(peer):
    options = {"name": "raw", "driver": "virtual", "kind": "bytes"}
    with awaitd.open(options) as device:
        queue = device.queue(overflow="latest")
        peer.send(device, awaitd.Frame(b"\x01"), awaitd.Frame(b"\x02"))
        rig.looked_at(queue, 2)
        assert values(queue.snapshot()) == {"raw": 2}
        assert queue.peek("raw").data == b"\x02"
        with pytest.raises(ValueError, match="its name"):
            queue.peek("other")


def test_latest_wakes_a_waiter(run, newest, put):
    async def main():
        task = asyncio.create_task(newest.get())
        await asyncio.sleep(0)
        put(frame(5, 1))
        return ids([await task])

    assert run(main()) == [5]


def test_age_is_in_seconds_since_it_came(newest, put):
    put(frame(1, 1))
    got = newest.peek(1)
    before = (time.monotonic_ns() - got.monotonic_ns) / 1e9
    age = got.age()
    after = (time.monotonic_ns() - got.monotonic_ns) / 1e9
    assert isinstance(age, float)
    assert 0 <= before <= age <= after


def test_age_of_a_frame_made_by_hand_is_refused():
    with pytest.raises(ValueError, match="by hand"):
        frame(1, 1).age()


def test_latest_has_the_depth_that_was_asked_for(newest):
    assert newest.depth == 4
    with pytest.raises(ValueError, match="depth is 4"):
        newest.get_batch(8, min=5)


def test_batch_that_waits_gives_back_what_it_had(run, newest, put):
    """A key whose turn had come is queued again by its next frame, and so may
    count twice: a batch of two then finds one, and waits with none taken."""
    put(frame(1, 10))
    assert newest.qsize() == 1
    put(frame(1, 11))
    assert newest.qsize() == 2

    async def main():
        task = asyncio.create_task(newest.get_batch(4, min=2))
        await asyncio.sleep(0)
        assert not task.done()
        stats = newest.stats()
        assert (stats.pending, stats.delivered) == (1, 0)
        put(frame(2, 20))
        return [(f.arbitration_id, f.data[0]) for f in await task]

    assert run(main()) == [(1, 11), (2, 20)]
    assert rig.exact(newest.stats())
