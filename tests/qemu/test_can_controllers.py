"""The `can` driver on controllers that have a bit rate, a carrier and a bus
between them.

At most WINDOW frames are under way at a time: see Controllers in conftest.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import textwrap
from typing import Any

import awaitd
import pytest
from can_peers import cansend, ip

FRAMES = 200
WINDOW = 4
DEADLINE_S = 60.0
PROBE = 0x7AB


def open_can(interface: str, **options: Any) -> awaitd.Device[awaitd.CanFrame]:
    return awaitd.open({"driver": "can", "interface": interface} | options)


def can(number: int, sender: int = 0x100) -> awaitd.CanFrame:
    return awaitd.CanFrame(sender, number.to_bytes(4, "big"))


def number_of(frame: awaitd.CanFrame) -> int:
    return int.from_bytes(frame.data, "big")


def run(main: Any) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await main

    return asyncio.run(bounded())


def assert_ledger(stats: awaitd.QueueStats, delivered: int) -> None:
    """All that was received was delivered."""
    assert (stats.received, stats.delivered) == (delivered, delivered)
    assert (stats.filtered, stats.dropped, stats.pending) == (0, 0, 0)


async def take(queue: Any, count: int) -> list[awaitd.CanFrame]:
    return [await queue.get() for _ in range(count)]


async def take_probe(queue: Any) -> awaitd.CanFrame:
    while (frame := await queue.get()).arbitration_id != PROBE:
        pass
    return frame


async def probe(device: Any, queue: Any) -> awaitd.CanFrame:
    """A frame that arrived, sent again and again until one did: for a receiver
    that does not say when it listens, or a bus that may lose it."""
    waiting = asyncio.create_task(take_probe(queue))
    while not waiting.done():
        await device.send(can(0, PROBE))
        await asyncio.wait([waiting], timeout=0.2)
    return waiting.result()


async def send_all(
    device: Any, queue: Any, sender: int
) -> list[awaitd.CanFrame]:
    """FRAMES frames, as they came to `queue` on the other side."""
    arrived: list[awaitd.CanFrame] = []
    for first in range(0, FRAMES, WINDOW):
        for number in range(first, first + WINDOW):
            await device.send(can(number, sender))
        arrived += await take(queue, WINDOW)
    return arrived


# ---- both sides up ----


def test_frames_cross_in_both_directions_at_once(controllers):
    async def main():
        with open_can("can0") as left, open_can("can1") as right:
            at_left, at_right = left.queue(), right.queue()
            arrived = await asyncio.gather(
                send_all(left, at_right, 0x100),
                send_all(right, at_left, 0x200),
            )
            return (
                *arrived,
                *(at_left.stats(), at_right.stats()),
                *(left.stats()["send"], right.stats()["send"]),
            )

    at_right, at_left, *ledgers, sent_left, sent_right = run(main())
    for frames, sender in ((at_left, 0x200), (at_right, 0x100)):
        assert {frame.arbitration_id for frame in frames} == {sender}
        assert [number_of(frame) for frame in frames] == list(range(FRAMES))
    for stats in ledgers:
        assert_ledger(stats, FRAMES)
    for stats in (sent_left, sent_right):
        assert (stats.submitted, stats.sent) == (FRAMES, FRAMES)


KINDS = ["123#", "123#0102", "7FF#1122334455667788", "12345678#AB", "123#R"]


def test_every_classic_kind_crosses(controllers):
    async def main():
        arrived = []
        with open_can("can0") as left, open_can("can1") as right:
            queue = right.queue()
            for text in KINDS:
                await left.send(awaitd.CanFrame.parse(text))
                arrived.append(str(await queue.get()))
        return arrived

    assert run(main()) == KINDS


def test_frame_comes_back_once_it_was_on_the_wire(controllers):
    """From the controller's own echo, so that it has a time there."""

    async def main():
        with open_can("can0", receive_own="yes") as left:
            with open_can("can1") as right:
                own, other = left.queue(), right.queue()
                await left.send(can(1))
                return await own.get(), await other.get()

    own, other = run(main())
    assert (number_of(own), number_of(other)) == (1, 1)
    assert (own.is_rx, other.is_rx) == (False, True)


def test_fd_frame_is_refused_by_a_classic_controller(controllers):
    async def main():
        with open_can("can0") as left:
            await left.send(awaitd.CanFrame.parse("123##011"))

    with pytest.raises(awaitd.DeviceError):
        run(main())


PRINT = """
    import sys
    from awaitd.devices import CANbus
    queue = CANbus.queue()
    print("ready", flush=True)
    for _ in range(int(sys.argv[1])):
        frame = await queue.get()
        print(frame, flush=True)
"""


def test_daemon_gets_what_cansend_sends(controllers, run_daemon, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(PRINT), encoding="utf-8")
    daemon = run_daemon(
        *("run", "-d", "CANbus=can:can1"),
        *("--stats-json", tmp_path / "stats.json", script, len(KINDS)),
        deadline_s=DEADLINE_S,
    )
    daemon.line("ready")
    for text in KINDS:
        cansend("can0", text)
        assert daemon.line() == text
    assert daemon.finish() == 0, daemon.stderr
    report = json.loads((tmp_path / "stats.json").read_text(encoding="utf-8"))
    (queue,) = report["devices"][0]["queues"]
    assert report["exact"] is True
    assert queue["received"] == queue["delivered"] == len(KINDS)


# Waits when the interface's queue is full.
FLOOD = "cangen can0 -g 0 -p 100 -L 8"
OVERRUN = 0x01  # CAN_ERR_CRTL_RX_OVERFLOW, in data[1]


def test_overrun_in_the_controller_is_an_error_frame(
    controllers, start_process
):
    """A flood, until the controller could not hold what came."""

    async def main():
        with open_can("can0") as left, open_can("can1") as right:
            queue = right.queue()
            cangen = start_process(*FLOOD.split(), deadline_s=DEADLINE_S)
            told = await queue.get()
            while not told.is_error_frame:
                told = await queue.get()
            cangen.kill()
            # Both controllers work on.
            await probe(left, queue)
            return told

    frame = run(main())
    assert frame.arbitration_id & 4  # CAN_ERR_CRTL
    assert frame.data[1] & OVERRUN


# ---- one side down and up again ----


UNSEEN = 20
QUEUED = 40  # more than a controller's interface and its socket hold back


async def send_and_forget(device: Any, done: asyncio.Event) -> int:
    """Frames with numbers that count up; how many there were."""
    number = 0
    while not done.is_set():
        await device.send(can(number))
        number += 1
    return number


def test_receiver_that_was_down_during_traffic_goes_on(controllers):
    async def main():
        with open_can("can0") as left, open_can("can1") as right:
            done = asyncio.Event()
            queue = right.queue()
            sending = asyncio.create_task(send_and_forget(left, done))
            frames = await take(queue, 20)
            await asyncio.to_thread(ip, "link", "set", "can1", "down")
            before = await take(queue, queue.qsize())
            down_from = left.stats()["send"].sent
            while left.stats()["send"].sent < down_from + UNSEEN + QUEUED:
                await asyncio.sleep(0)
            await asyncio.to_thread(ip, "link", "set", "can1", "up")
            frames = frames + before + await take(queue, 20)
            done.set()
            return frames, down_from, await sending, queue.stats()

    frames, down_from, count, stats = run(main())
    # The controller may tell of its own overruns, in frames without a number.
    numbers = [number_of(f) for f in frames if not f.is_error_frame]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] < count
    assert not set(numbers) & set(range(down_from, down_from + UNSEEN))
    assert stats.received == stats.delivered + stats.dropped + stats.pending
    assert (stats.delivered, stats.filtered) == (len(frames), 0)


def test_sender_that_is_down_raises_and_sends_again_once_up(controllers):
    async def main():
        with open_can("can0") as left, open_can("can1") as right:
            queue = right.queue()
            ip("link", "set", "can0", "down")
            with pytest.raises(awaitd.DeviceDown) as caught:
                await left.send(can(1))
            ip("link", "set", "can0", "up")
            await left.send(can(2))
            frame = await queue.get()
            return caught.value.errno, number_of(frame), left.stats()["send"]

    number, frame, sent = run(main())
    assert (number, frame) == (errno.ENETDOWN, 2)
    assert (sent.submitted, sent.sent, sent.failed) == (2, 1, 1)


# ---- bit rates ----


def test_state_has_what_the_controller_is_set_to(controllers):
    with open_can("can0", bitrate=500_000) as left:
        assert (left.bitrate, left.dbitrate) == (500_000, None)
        assert (left.bus_state, left.carrier) == ("error-active", True)


def test_bit_rate_is_set_on_a_controller_that_is_down(controllers):
    async def main():
        with contextlib.ExitStack() as stack:
            for name in ("can0", "can1"):
                ip("link", "set", name, "down")
            left, right = (
                stack.enter_context(open_can(name, bitrate=250_000))
                for name in ("can0", "can1")
            )
            queue = right.queue()
            await left.send(can(1))
            return left.bitrate, right.bitrate, number_of(await queue.get())

    assert run(main()) == (250_000, 250_000, 1)


def test_bit_rate_of_a_controller_that_is_up_is_not_touched(controllers):
    with pytest.raises(awaitd.DeviceError) as caught:
        open_can("can0", bitrate=250_000)
    assert (
        "`ip link set can0 down && ip link set can0 type can bitrate 250000"
        " && ip link set can0 up`" in str(caught.value)
    )
    with open_can("can0") as left:
        assert left.bitrate == 500_000


def test_controller_is_listed_with_bus_and_bit_rate(controllers, run_daemon):
    ip("link", "set", "can1", "down")
    process = run_daemon("devices", "--json", deadline_s=DEADLINE_S)
    assert process.finish() == 0, process.stderr
    found = {it["name"]: it for it in json.loads(process.stdout)}
    assert found["can0"]["summary"] == (
        "up, kvaser_pci, error-active, 500000 bit/s"
    )
    assert found["can0"]["bitrate"] == 500_000
    assert found["can1"]["summary"] == "down, kvaser_pci, 500000 bit/s"
    assert found["can1"]["advice"] == "it is down: `ip link set can1 up`"


# ---- which one is meant ----


def test_controller_is_found_by_its_slot_whatever_its_name(controllers):
    """The names are given in the order in which they are plugged in."""
    slots = {name: controllers.slot_of(name) for name in ("can0", "can1")}
    with controllers.swapped():
        assert controllers.slot_of("can0") == slots["can1"]
        with open_can(f"path={slots['can0']}") as device:
            queue = device.queue()
            cansend("can0", "123#01")
            frame = run(queue.get())
    assert (frame.channel, str(frame)) == ("can1", "123#01")


# ---- unplugged ----


def test_controller_unplugged_while_waiting_is_lost(controllers):
    async def main():
        with open_can("can1") as right, right.queue() as queue:
            waiting = asyncio.create_task(queue.get())
            await asyncio.sleep(0)
            controllers.unplug("can1")
            await waiting

    with pytest.raises(awaitd.DeviceLost) as caught:
        run(main())
    assert caught.value.errno == errno.ENODEV


def test_controller_that_is_plugged_in_again_goes_on(controllers):
    async def main():
        with open_can("can0") as left, open_can(
            "can1", on_loss="wait"
        ) as right, right.queue() as queue:
            await left.send(can(1))
            frames = [await queue.get()]
            controllers.unplug("can1")
            with pytest.raises(awaitd.DeviceDown):
                while True:
                    await right.send(can(2))
            controllers.plug("can1")
            controllers.start("can1")
            frames.append(await probe(left, queue))
            return frames, queue.stats()

    frames, stats = run(main())
    assert [frame.lost_cause for frame in frames] == ["", "away"]
    assert stats.received == stats.delivered + stats.dropped + stats.pending
