"""The virtual bus, in Python."""

from __future__ import annotations

import asyncio
import time

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension

FRAMES = [
    awaitd.CanFrame(0x123, b"\x01\x02"),
    awaitd.CanFrame(0x7FF),
    awaitd.CanFrame(0x12345678, b"\xff" * 8),
    awaitd.CanFrame(0x12, is_extended_id=True),
    awaitd.CanFrame(0x123, is_remote_frame=True, dlc=4),
    awaitd.CanFrame(0x123, b"\x01" * 64, is_fd=True, bitrate_switch=True),
    awaitd.CanFrame(0x123, b"", is_fd=True, error_state_indicator=True),
    awaitd.CanFrame(0x123, b"\x01" * 8, raw_dlc=11),
]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_frame_arrives_as_it_was_sent(bus, q, peer, frame):
    peer.send(bus, frame)
    got = q.recv(timeout=rig.DEADLINE_S)
    assert str(got) == str(frame)
    assert got.equals(frame)
    assert got.raw_dlc == frame.raw_dlc


def test_frame_carries_both_clocks_of_its_sending(bus, q, peer):
    wall, steady = time.time_ns(), time.monotonic_ns()
    peer.send(bus, rig.can(1))
    frame = q.recv(timeout=rig.DEADLINE_S)
    assert wall <= frame.timestamp_ns <= time.time_ns()
    assert steady <= frame.monotonic_ns <= time.monotonic_ns()
    assert frame.timestamp == pytest.approx(frame.timestamp_ns / 1e9)


def test_frames_are_numbered(bus, peer):
    queue = bus.queue()
    peer.put(queue, *range(5))
    late = bus.queue()
    peer.send(bus, rig.can(5))
    assert [queue.get_nowait().seq for _ in range(5)] == [0, 1, 2, 3, 4]
    assert late.recv(timeout=rig.DEADLINE_S).seq == 5


def test_bus_of_bytes_carries_bytes(peer):
    with awaitd.open("virtual:bytes") as bus:
        queue = bus.queue()
        for data in (b"", b"\x00", bytes(range(256)) * 8):
            peer.send(bus, awaitd.Frame(data))
            frame = queue.recv(timeout=rig.DEADLINE_S)
            assert type(frame) is awaitd.Frame
            assert frame.data == data


def test_bus_of_bytes_sends_what_is_like_bytes(peer):
    with awaitd.open("virtual:bytes") as bus:
        queue = bus.queue()
        for data in (b"ab", bytearray(b"ab"), memoryview(b"ab")):
            peer.send(bus, data)
            assert queue.recv(timeout=rig.DEADLINE_S).data == b"ab"


def test_frame_longer_than_the_bus_takes_is_refused(run):
    async def main():
        with awaitd.open("virtual:bytes,max_payload=4") as bus:
            with pytest.raises(awaitd.DeviceError, match="send less"):
                await bus.send(b"12345")
            return bus.stats()["send"]

    sent = run(main())
    assert (sent.submitted, sent.failed, sent.sent) == (1, 1, 0)


def test_two_buses_are_two(peer):
    with awaitd.open("virtual:can") as one, awaitd.open("virtual:can") as two:
        queues = [one.queue(), two.queue()]
        peer.send(one, rig.can(7))
        rig.until(lambda: queues[0].qsize() == 1)
        assert queues[1].stats().received == 0


def test_20000_frames_pass_in_order(run, bus):
    """More than a queue holds: taken while they come."""
    queue = bus.queue(depth=1024)

    async def main():
        numbers = []
        for start in range(0, 20000, 200):
            # At once: 20,000 waits take a busy machine too long.
            await bus.send_many(
                rig.can(number % 2048) for number in range(start, start + 200)
            )
            while len(numbers) < start + 200:
                numbers += ids(await queue.get_many(1000))
        return numbers

    assert run(main()) == [number % 2048 for number in range(20000)]
    stats = queue.stats()
    assert (stats.received, stats.delivered, stats.dropped) == (20000, 20000, 0)


def test_scripts_that_talk_to_each_other(run, bus):
    """A question, an answer: two queues, two filters, one bus."""
    questions = bus.queue(filters=[{"can_id": 0x100, "can_mask": 0x7FF}])
    answers = bus.queue(filters=[{"can_id": 0x200, "can_mask": 0x7FF}])

    async def server():
        async for frame in questions:
            await bus.send(awaitd.CanFrame(0x200, frame.data[::-1]))

    async def main():
        task = asyncio.create_task(server())
        await bus.send(awaitd.CanFrame(0x100, b"abc"))
        answer = await answers.get()
        questions.close()
        await task
        return answer.data

    assert run(main()) == b"cba"
