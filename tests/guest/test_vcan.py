"""A real CAN bus, from the extension: `awaitd.open` in this process."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from typing import Any

import awaitd
import pytest
from can_peers import (
    ERROR,
    EXTENDED,
    cangen_command,
    cansend,
    ip,
    send_raw,
)

CANGEN_FRAMES = 20_000
DEADLINE_S = 10.0


def open_can(interface: str = "vcan0", **options: Any):
    return awaitd.open({"driver": "can", "interface": interface} | options)


def assert_exact(stats) -> None:
    dropped = (
        stats.dropped_kernel
        + stats.dropped_overflow
        + stats.dropped_cleared
        + stats.dropped_closed
    )
    assert stats.dropped == dropped
    assert stats.received == (
        stats.filtered + stats.delivered + stats.dropped + stats.pending
    )


def receive_one(provoke: Callable[[], None]) -> awaitd.CanFrame:
    """The frame that comes of `provoke`, awaited before it is called."""

    async def main():
        with open_can() as device, device.queue() as queue:
            waiting = asyncio.create_task(queue.get(timeout=DEADLINE_S))
            await asyncio.sleep(0)  # lets the task begin to wait
            provoke()
            return await waiting

    return asyncio.run(main())


# ---- every kind of frame ----

# What is sent, and the attributes that are not as in PLAIN.
PLAIN = {
    "is_extended_id": False,
    "is_remote_frame": False,
    "is_error_frame": False,
    "is_fd": False,
    "bitrate_switch": False,
    "error_state_indicator": False,
    "data": b"",
}

KINDS = {
    "classic": ("123#0102", {"arbitration_id": 0x123, "data": b"\x01\x02"}),
    "empty": ("7FF#", {"arbitration_id": 0x7FF, "dlc": 0}),
    "full": (
        "001#1122334455667788",
        {"arbitration_id": 1, "data": bytes.fromhex("1122334455667788")},
    ),
    "extended": (
        "12345678#AB",
        {"arbitration_id": 0x12345678, "is_extended_id": True, "data": b"\xab"},
    ),
    "extended-with-a-small-id": (
        "00000123#",
        {"arbitration_id": 0x123, "is_extended_id": True},
    ),
    "remote": ("123#R", {"arbitration_id": 0x123, "is_remote_frame": True}),
    "remote-with-dlc": (
        "123#R5",
        {"arbitration_id": 0x123, "is_remote_frame": True, "dlc": 5},
    ),
    "fd": (
        "123##0112233",
        {"arbitration_id": 0x123, "is_fd": True, "data": b"\x11\x22\x33"},
    ),
    "fd-brs": (
        "123##111",
        {
            "arbitration_id": 0x123,
            "is_fd": True,
            "bitrate_switch": True,
            "data": b"\x11",
        },
    ),
    "fd-esi": (
        "123##211",
        {
            "arbitration_id": 0x123,
            "is_fd": True,
            "error_state_indicator": True,
            "data": b"\x11",
        },
    ),
    "fd-64-bytes": (
        "12345678##3" + "5A" * 64,
        {
            "arbitration_id": 0x12345678,
            "is_extended_id": True,
            "is_fd": True,
            "bitrate_switch": True,
            "error_state_indicator": True,
            "data": b"\x5a" * 64,
        },
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frame_of_each_kind_arrives(kind):
    text, special = KINDS[kind]
    frame = receive_one(lambda: cansend("vcan0", text))
    expected = PLAIN | special
    expected.setdefault("dlc", len(expected["data"]))
    assert {name: getattr(frame, name) for name in expected} == expected


def test_error_frame_arrives():
    bus_off, counters = 0x40, 0x200
    data = bytes([0, 0, 0, 0, 0, 0, 128, 96])
    frame = receive_one(
        lambda: send_raw("vcan0", ERROR | bus_off | counters, data)
    )
    assert frame.is_error_frame and not frame.is_remote_frame
    assert frame.arbitration_id == bus_off | counters
    assert frame.data == data


def test_error_frame_is_left_out_on_request():
    async def main():
        with open_can(error_frames="no") as device, device.queue() as queue:
            send_raw("vcan0", ERROR | 0x40, bytes(8))
            cansend("vcan0", "123#")
            return await queue.get(timeout=DEADLINE_S)

    assert asyncio.run(main()).arbitration_id == 0x123


@pytest.mark.parametrize("raw_dlc", [9, 14, 15])
def test_raw_dlc_above_8_arrives(raw_dlc):
    frame = receive_one(lambda: send_raw("vcan0", 0x123, bytes(8), raw_dlc))
    assert (frame.dlc, frame.raw_dlc) == (8, raw_dlc)


def test_frame_says_when_and_where_it_arrived():
    began = time.time_ns(), time.monotonic_ns()
    frame = receive_one(lambda: cansend("vcan0", "123#"))
    ended = time.time_ns(), time.monotonic_ns()
    assert began[0] <= frame.timestamp_ns <= ended[0]
    assert began[1] <= frame.monotonic_ns <= ended[1]
    assert frame.timestamp == pytest.approx(frame.timestamp_ns / 1e9)
    assert frame.channel == "vcan0"
    assert frame.lost_before == 0


def test_frame_of_this_machine_is_not_rx():
    assert receive_one(lambda: cansend("vcan0", "123#")).is_rx is False


# ---- queues ----


def receive_filtered(filters) -> tuple[list[str], Any]:
    """What of a fixed set of frames passes `filters`, and the ledger."""
    every = ["0FF#", "100#", "10F#", "110#", "123#", "00000123#", "100#R"]

    async def main():
        with open_can() as device:
            queue = device.queue(filters=filters)
            everything = device.queue()
            cansend("vcan0", *every)
            for _ in every:
                await everything.get(timeout=DEADLINE_S)
            # One batch is pushed to the queues in turn: ask the ledger, which
            # waits for the reader.
            assert queue.stats().received == len(every)
            passed = [str(queue.get_nowait()) for _ in range(queue.qsize())]
            return passed, queue.stats()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        ([{"can_id": 0x100, "can_mask": 0x7F0}], ["100#", "10F#", "100#R"]),
        (
            [{"can_id": 0x123, "can_mask": 0x1FFFFFFF}],
            ["123#", "00000123#"],
        ),
        (
            [{"can_id": 0x123, "can_mask": 0x1FFFFFFF, "extended": True}],
            ["00000123#"],
        ),
        (
            [{"can_id": 0x123, "can_mask": 0x7FF, "extended": False}],
            ["123#"],
        ),
        (
            [
                {"can_id": 0x0FF, "can_mask": 0x7FF},
                {"can_id": 0x110, "can_mask": 0x7FF},
            ],
            ["0FF#", "110#"],
        ),
    ],
    ids=["mask", "any-id-width", "extended", "standard", "two"],
)
def test_filters_pass_what_they_name(filters, passing):
    passed, stats = receive_filtered(filters)
    assert passed == passing
    assert (stats.received, stats.filtered) == (7, 7 - len(passing))
    assert stats.delivered == len(passing)
    assert_exact(stats)


def test_two_queues_on_one_bus_get_every_frame():
    async def main():
        with open_can() as device:
            queues = [device.queue(), device.queue()]
            waiting = [
                asyncio.create_task(queue.get(timeout=DEADLINE_S))
                for queue in queues
            ]
            await asyncio.sleep(0)
            cansend("vcan0", "123#01", "124#02")
            firsts = [str(frame) for frame in await asyncio.gather(*waiting)]
            seconds = [
                str(await queue.get(timeout=DEADLINE_S)) for queue in queues
            ]
            return firsts, seconds, [queue.stats() for queue in queues]

    firsts, seconds, ledgers = asyncio.run(main())
    assert (firsts, seconds) == (["123#01"] * 2, ["124#02"] * 2)
    for stats in ledgers:
        assert (stats.received, stats.delivered) == (2, 2)
        assert_exact(stats)


def test_two_buses_do_not_mix():
    async def main():
        with open_can("vcan0") as first, open_can("vcan1") as second:
            queues = first.queue(), second.queue()
            cansend("vcan1", "222#")
            cansend("vcan0", "111#")
            frames = [await queue.get(timeout=DEADLINE_S) for queue in queues]
            return [(str(frame), frame.channel) for frame in frames]

    assert asyncio.run(main()) == [("111#", "vcan0"), ("222#", "vcan1")]


def test_cangen_at_full_speed_loses_nothing():
    async def main():
        # Deep enough for all of it: this is about the bus, not about overflow.
        with open_can() as device, device.queue(depth=32768) as queue:
            cangen = await asyncio.create_subprocess_exec(
                *cangen_command("vcan0", CANGEN_FRAMES)
            )
            frames: list[awaitd.CanFrame] = []
            while len(frames) < CANGEN_FRAMES:
                some = await queue.get_many(256, timeout=DEADLINE_S)
                assert some, f"nothing after {len(frames)} frames"
                frames += some
            assert await cangen.wait() == 0
            return frames, queue.stats()

    frames, stats = asyncio.run(main())
    counters = [int.from_bytes(frame.data, "little") for frame in frames]
    assert counters == list(range(CANGEN_FRAMES))
    assert all(frame.lost_before == 0 for frame in frames)
    first = frames[0].seq
    assert [frame.seq - first for frame in frames] == counters
    stamps = [frame.timestamp_ns for frame in frames]
    assert stamps == sorted(stamps)
    assert (stats.received, stats.delivered) == (CANGEN_FRAMES,) * 2
    assert (stats.filtered, stats.dropped, stats.pending) == (0, 0, 0)


def test_overflow_is_counted_where_it_happened():
    async def main():
        with open_can() as device:
            small, large = device.queue(depth=4), device.queue()
            cansend("vcan0", *(f"{number:03X}#" for number in range(6)))
            for _ in range(6):
                await large.get(timeout=DEADLINE_S)
            kept = [str(small.get_nowait()) for _ in range(4)]
            cansend("vcan0", "006#")
            return kept, await small.get(timeout=DEADLINE_S), small.stats()

    kept, after, stats = asyncio.run(main())
    assert kept == ["000#", "001#", "002#", "003#"]
    assert (str(after), after.lost_before) == ("006#", 2)
    assert (after.lost_cause, stats.dropped_overflow) == ("overflow", 2)
    assert_exact(stats)


# ---- sending ----


def sent(*frames: awaitd.CanFrame) -> Callable[[], None]:
    async def main():
        with open_can() as device:
            for frame in frames:
                await device.send(frame)

    return lambda: asyncio.run(main())


def test_sent_frames_reach_candump(candump):
    dump = candump("vcan0")
    frames = ["123#0102", "12345678#", "123#R5", "001#1122334455667788"]
    sent(*map(awaitd.CanFrame.parse, frames))()
    assert [dump.frame() for _ in frames] == frames


@pytest.mark.parametrize("flags", [0, 1, 2, 3])
def test_sent_fd_frame_reaches_candump(candump, flags):
    dump = candump("vcan0")
    sent(
        awaitd.CanFrame(
            arbitration_id=0x123,
            data=b"\x5a" * 12,
            is_fd=True,
            bitrate_switch=bool(flags & 1),
            error_state_indicator=bool(flags & 2),
        )
    )()
    head, _, rest = dump.frame().partition("##")
    # Newer versions of candump also show the bit that says FD.
    assert (head, int(rest[0], 16) & 3, rest[1:]) == ("123", flags, "5A" * 12)


def test_sent_frame_reaches_another_device_only():
    async def main():
        with open_can() as sender, open_can() as receiver:
            own, others = sender.queue(), receiver.queue()
            await sender.send(awaitd.CanFrame(arbitration_id=0x321))
            frame = await others.get(timeout=DEADLINE_S)
            cansend("vcan0", "123#")
            return str(frame), str(await own.get(timeout=DEADLINE_S))

    assert asyncio.run(main()) == ("321#", "123#")


def test_own_frame_comes_back_on_request():
    async def main():
        with open_can(receive_own="yes") as device, device.queue() as queue:
            await device.send(awaitd.CanFrame(arbitration_id=0x321))
            return await queue.get(timeout=DEADLINE_S)

    frame = asyncio.run(main())
    assert (frame.arbitration_id, frame.is_rx) == (0x321, False)


# ---- interfaces that come and go ----


def test_h42_get_works_on_after_interface_was_down(spare_interface):
    async def main():
        with open_can(spare_interface) as device, device.queue() as queue:
            waiting = asyncio.create_task(queue.get(timeout=DEADLINE_S))
            await asyncio.sleep(0)
            ip("link", "set", spare_interface, "down")
            ip("link", "set", spare_interface, "up")
            cansend(spare_interface, "123#")
            return str(await waiting)

    assert asyncio.run(main()) == "123#"


def test_interface_may_be_down_at_first(spare_interface):
    async def main():
        ip("link", "set", spare_interface, "down")
        with open_can(spare_interface) as device, device.queue() as queue:
            ip("link", "set", spare_interface, "up")
            cansend(spare_interface, "123#")
            return str(await queue.get(timeout=DEADLINE_S))

    assert asyncio.run(main()) == "123#"


def test_send_on_interface_that_is_down_raises_device_down(spare_interface):
    async def main():
        with open_can(spare_interface) as device:
            ip("link", "set", spare_interface, "down")
            await device.send(awaitd.CanFrame(arbitration_id=0x123))

    with pytest.raises(awaitd.DeviceDown) as caught:
        asyncio.run(main())
    assert caught.value.errno == errno.ENETDOWN


def test_h42_interface_deleted_while_waiting_raises_device_lost(spare_interface):
    async def main():
        with open_can(spare_interface) as device, device.queue() as queue:
            waiting = asyncio.create_task(queue.get(timeout=DEADLINE_S))
            await asyncio.sleep(0)
            ip("link", "delete", spare_interface)
            await waiting

    with pytest.raises(awaitd.DeviceLost) as caught:
        asyncio.run(main())
    assert caught.value.errno == errno.ENODEV


def test_interface_deleted_while_sending_fails_what_waits(spare_interface):
    """It waited for the link, which will not come any more."""

    async def main():
        with open_can(spare_interface) as device:
            ip("link", "set", spare_interface, "down")
            sending = asyncio.create_task(
                device.send(
                    awaitd.CanFrame(arbitration_id=1), wait=True, timeout=3600
                )
            )
            while device.stats()["send"].pending == 0:
                await asyncio.sleep(0)
            ip("link", "delete", spare_interface)
            with pytest.raises(awaitd.DeviceLost):
                await asyncio.wait_for(sending, DEADLINE_S)
            return device.stats()["send"]

    sent = asyncio.run(main())
    assert (sent.submitted, sent.failed, sent.pending) == (1, 1, 0)


def test_frames_before_the_loss_can_still_be_taken(spare_interface):
    async def main():
        with open_can(spare_interface) as device, device.queue() as queue:
            cansend(spare_interface, "123#", "124#")
            taken = [str(await queue.get(timeout=DEADLINE_S))]
            ip("link", "delete", spare_interface)
            with pytest.raises(awaitd.DeviceLost):
                async for frame in queue:
                    taken.append(str(frame))
            return taken, queue.closed, queue.stats()

    taken, closed, stats = asyncio.run(main())
    assert (taken, closed) == (["123#", "124#"], True)
    assert_exact(stats)


def test_missing_interface_is_named_with_those_there_are():
    with pytest.raises(awaitd.DeviceError, match="nosuch0") as caught:
        open_can("nosuch0")
    assert caught.value.errno == errno.ENODEV
    assert "vcan0" in str(caught.value)
