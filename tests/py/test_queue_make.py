"""Device.queue(): names, depth, policy, and what is no good."""

from __future__ import annotations

import asyncio
import os

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension


# ---- names ----


def test_unnamed_queues_are_numbered_per_device(bus):
    with awaitd.open("other=virtual:can") as other:
        names = [device.queue().name for device in (bus, bus, other, bus)]
    assert names == ["1", "2", "1", "3"]


def test_name_is_kept(bus):
    queue = bus.queue(name="Tür 3")
    assert queue.name == "Tür 3"
    assert queue.device is bus


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 32, "a\0b", "a\nb"])
def test_name_that_is_no_good_is_refused(bus, name):
    with pytest.raises(ValueError, match="a queue's name has 1..63 bytes"):
        bus.queue(name=name)


def test_depth_beyond_the_machines_memory_is_refused():
    with awaitd.open("b=virtual:bytes,max_payload=65528") as large:
        with pytest.raises(ValueError, match="depth 16777216 would take"):
            large.queue(depth=1 << 24)


@pytest.mark.parametrize("overflow", ["drop-oldest", "latest"])
def test_memory_that_a_policy_takes_besides_counts(overflow):
    """The frames alone would fit, but have more than one slot each: the next
    power of two under drop-oldest, three and more under latest."""
    slot_bytes = 65536
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    depth = 1 << (memory // 2 // slot_bytes).bit_length() - 1
    with awaitd.open("b=virtual:bytes,max_payload=65496") as large:
        with pytest.raises(ValueError, match=f"depth {depth} would take"):
            large.queue(depth=depth, overflow=overflow)


def test_name_of_the_greatest_length(bus):
    assert bus.queue(name="x" * 63).name == "x" * 63


@pytest.mark.parametrize("name", [1, b"name"])
def test_name_that_is_no_str_is_a_type_error(bus, name):
    with pytest.raises(TypeError):
        bus.queue(name=name)


def test_name_that_is_taken_is_refused(bus, q):
    with pytest.raises(ValueError, match="bus already has a queue named q"):
        bus.queue(name="q")


def test_name_is_free_again_when_the_queue_is_dropped(bus):
    bus.queue(name="again")
    assert bus.queue(name="again").name == "again"


# ---- depth and policy ----


@pytest.mark.parametrize(
    "device, depth",
    [
        ("virtual:can", 16384),
        ("virtual:bytes", 4096),
        ("virtual:bytes,max_payload=64", 16384),
        ("virtual:bytes,max_payload=9000", 512),
    ],
)
def test_depth_by_default_follows_the_frames(device, depth):
    with awaitd.open(device) as bus:
        assert bus.queue().depth == depth
        assert bus.queue(depth=None).depth == depth


@pytest.mark.parametrize("depth", [1, 2, 3, 100, 65537])
def test_depth_is_exact(bus, peer, depth):
    queue = bus.queue(depth=depth)
    assert queue.depth == depth
    if depth > 1000:
        return
    peer.send(bus, *rig.cans(range(depth + 5)))
    rig.until(lambda: queue.stats().received == depth + 5)
    assert queue.qsize() == depth
    stats = queue.stats()
    assert (stats.pending, stats.dropped_overflow) == (depth, 5)
    assert stats.high_water == depth


@pytest.mark.parametrize("depth", [0, -1, 2**24 + 1, 2**63, -(2**70)])
def test_depth_out_of_range_is_refused(bus, depth):
    with pytest.raises(ValueError, match=f"depth must be .* not {depth}"):
        bus.queue(depth=depth)


@pytest.mark.parametrize("depth", ["1", 1.5, [1]])
def test_depth_that_is_no_int_is_a_type_error(bus, depth):
    with pytest.raises(TypeError):
        bus.queue(depth=depth)


def test_overflow_is_drop_newest(bus):
    assert bus.queue(overflow="drop-newest").overflow == "drop-newest"


@pytest.mark.parametrize("overflow", ["", "x"])
def test_overflow_that_is_not_known_is_refused(bus, overflow):
    with pytest.raises(ValueError, match="overflow="):
        bus.queue(overflow=overflow)


def test_argument_that_is_not_known_is_a_type_error(bus):
    with pytest.raises(TypeError):
        bus.queue(size=5)


def test_refused_queue_is_not_in_the_ledger(bus):
    for arguments in ({"depth": 0}, {"name": ""}, {"filters": [1]}):
        with pytest.raises((ValueError, TypeError)):
            bus.queue(**arguments)
    assert bus.stats()["queues"] == []


# ---- the type ----


def test_queue_cannot_be_made_by_hand():
    with pytest.raises(TypeError):
        awaitd.Queue()


def test_queue_is_generic_for_type_checkers():
    assert awaitd.Queue[awaitd.CanFrame].__origin__ is awaitd.Queue
    assert awaitd.Device[awaitd.CanFrame].__origin__ is awaitd.Device


def test_queue_is_attached_when_it_returns(bus, peer):
    """What is sent after queue() has returned is there, from the first on."""
    for _ in range(50):
        queue = bus.queue()
        peer.send(bus, rig.can(7))
        assert queue.recv(timeout=rig.DEADLINE_S).arbitration_id == 7


def test_queue_on_a_closed_device_is_refused(bus):
    bus.close()
    with pytest.raises(awaitd.DeviceLost):
        bus.queue()


def test_many_queues_on_one_device_each_get_all(bus, peer):
    queues = [bus.queue() for _ in range(40)]
    peer.send(bus, *rig.cans(range(10)))
    for queue in queues:
        rig.until(lambda: queue.qsize() == 10)
        frames = [queue.get_nowait() for _ in range(10)]
        assert rig.ids(frames) == list(range(10))
        assert [frame.seq for frame in frames] == list(range(10))


def test_frames_of_a_queue_know_where_they_come_from(bus, q, peer):
    peer.put(q, 7)
    frame = q.get_nowait()
    assert (frame.device, frame.channel) == ("bus", "bus")
    assert frame.is_rx
    assert frame.timestamp_ns > 1_600_000_000_000_000_000
    assert frame.monotonic_ns > 0
    assert frame.lost_before == 0


def test_lost_frames_are_told_with_the_next(bus, peer):
    queue = bus.queue(depth=2)
    peer.send(bus, *rig.cans(range(5)))
    rig.until(lambda: queue.stats().received == 5)
    assert [queue.get_nowait().lost_before for _ in range(2)] == [0, 0]
    peer.send(bus, rig.can(5))
    frame = queue.recv(timeout=rig.DEADLINE_S)
    assert (frame.seq, frame.lost_before) == (5, 3)
    assert frame.lost_cause == "overflow"


def test_first_loss_warns_once(python):
    """One line that names queue, device, cause and remedy; not one a frame."""
    process = python(
        """
        import asyncio, awaitd
        bus = awaitd.open("CANbus=virtual:can")
        queue = bus.queue(name="slow", depth=1)
        async def main():
            for _ in range(10):
                await bus.send(awaitd.CanFrame(1))
        asyncio.run(main())
        while queue.stats().received < 10:
            pass
        """
    )
    assert process.finish() == 0
    lines = process.stderr.splitlines()
    assert len(lines) == 1
    for word in ("slow", "CANbus", "full", "depth"):
        assert word in lines[0]


def test_async_for_gives_the_queue_itself(q):
    assert q.__aiter__() is q
    assert not asyncio.iscoroutine(q)
