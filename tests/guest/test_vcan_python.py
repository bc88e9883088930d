"""What Python makes of a real CAN interface: confirmed frames, errors, events,
its state, and sending while it is down."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import awaitd
import pytest
from can_peers import ERROR, ip, send_raw

DEADLINE_S = 10.0


def open_can(interface: str = "vcan0", **options: Any) -> awaitd.CanDevice:
    return awaitd.open({"driver": "can", "interface": interface} | options)


def run(coroutine) -> Any:
    async def bounded():
        async with asyncio.timeout(DEADLINE_S):
            return await coroutine

    return asyncio.run(bounded())


async def event_of(queue: awaitd.Queue, kind: str) -> awaitd.Event:
    """The next event of that kind; others before it are passed over."""
    while True:
        item = await queue.get()
        if isinstance(item, awaitd.Event) and item.kind == kind:
            return item


# ---- confirm ----


def test_confirm_gives_the_echo_of_the_kernel():
    async def main():
        with open_can() as device, open_can() as other:
            queue, own = other.queue(), device.queue()
            frame = awaitd.CanFrame(0x123, b"\x01\x02")
            sent = await device.send(frame, confirm=True)
            received = await queue.get()
            assert own.qsize() == 0
            return frame, sent, received, device.stats()["send"]

    frame, sent, received, stats = run(main())
    assert sent.equals(frame)
    assert sent.timestamp_ns == received.timestamp_ns
    assert sent.timestamp_source == received.timestamp_source == "kernel"
    assert (sent.channel, sent.is_rx) == ("vcan0", False)
    assert (stats.submitted, stats.sent) == (1, 1)


def test_confirm_of_many_keeps_their_order():
    async def main():
        with open_can() as device:
            frames = [awaitd.CanFrame(0x100, [n % 7]) for n in range(50)]
            return frames, await device.send_many(frames, confirm=True)

    frames, sent = run(main())
    assert [frame.data for frame in sent] == [frame.data for frame in frames]
    stamps = [frame.timestamp_ns for frame in sent]
    assert stamps == sorted(stamps) and stamps[0] > 0


def test_confirm_comes_besides_own_frames():
    async def main():
        with open_can(receive_own=True) as device:
            queue = device.queue()
            sent = await device.send(awaitd.CanFrame(5), confirm=True)
            return sent, await queue.get()

    sent, received = run(main())
    assert sent.timestamp_ns == received.timestamp_ns
    assert not received.is_rx


# ---- error frames ----


def test_error_frame_is_decoded():
    async def main():
        with open_can() as device:
            queue = device.queue()
            send_raw("vcan0", ERROR | 0x2C, bytes([0, 0x30, 4, 10, 0, 0, 0, 0]))
            return (await queue.get()).error

    error = run(main())
    assert error.controller_state == ("rx-passive", "tx-passive")
    assert error.protocol == (("stuff",), "data")
    assert error.no_ack and not error.bus_off


def test_error_frames_move_the_bus_state():
    """CAN_ERR_CRTL with counters, then CAN_ERR_BUSOFF, then CAN_ERR_RESTARTED."""

    async def main():
        with open_can() as device:
            queue = device.queue(events=True)
            assert device.bus_state is None
            send_raw(
                "vcan0", ERROR | 0x204, bytes([0, 0x20, 0, 0, 0, 0, 130, 7])
            )
            passive = await event_of(queue, "bus-state")
            assert device.bus_state == "error-passive"
            assert (device.tx_errors, device.rx_errors) == (130, 7)
            send_raw("vcan0", ERROR | 0x40, bytes(8))
            off = await event_of(queue, "bus-state")
            with pytest.raises(awaitd.DeviceDown, match="bus-off") as down:
                await device.send(awaitd.CanFrame(1))
            assert "ip link set vcan0 type can restart" in down.value.advice
            waiting = asyncio.create_task(
                device.send(awaitd.CanFrame(2), wait=True)
            )
            await asyncio.sleep(0)
            send_raw("vcan0", ERROR | 0x100, bytes(8))
            await event_of(queue, "restarted")
            await waiting
            return passive, off, device.bus_offs, device.restarts

    passive, off, bus_offs, restarts = run(main())
    assert passive.value == "error-passive"
    assert (passive.tx_errors, passive.rx_errors) == (130, 7)
    assert off.value == "bus-off"
    assert (bus_offs, restarts) == (1, 1)


# ---- the link ----


def test_link_that_goes_down_and_up_is_told(spare_interface):
    async def main():
        with open_can(spare_interface) as device:
            queue = device.queue(events=True)
            assert device.state == "up"
            ip("link", "set", spare_interface, "down")
            down = await event_of(queue, "link-down")
            assert (down.value, device.state) == ("admin", "down")
            ip("link", "set", spare_interface, "up")
            await event_of(queue, "link-up")
            assert device.state == "up"

    run(main())


def test_send_on_a_link_that_is_down_says_what_helps(spare_interface):
    async def main():
        with open_can(spare_interface) as device:
            ip("link", "set", spare_interface, "down")
            with pytest.raises(awaitd.DeviceDown) as error:
                await device.send(awaitd.CanFrame(1), timeout=3600)
            return error.value

    error = run(main())
    assert error.errno == errno.ENETDOWN
    assert error.advice.endswith(f"ip link set dev {spare_interface} up")


def test_send_that_waits_for_the_link(spare_interface):
    async def main():
        with open_can(spare_interface) as device:
            queue = device.queue(events=True)
            ip("link", "set", spare_interface, "down")
            await event_of(queue, "link-down")
            stale = asyncio.create_task(
                device.send(awaitd.CanFrame(1), wait=True, timeout=3600)
            )
            fresh = asyncio.create_task(
                device.send(awaitd.CanFrame(2), wait=True, timeout=3600)
            )
            expired = asyncio.create_task(
                device.send(
                    awaitd.CanFrame(3), wait=True, timeout=3600, expires=0.01
                )
            )
            with pytest.raises(awaitd.SendExpired):
                await expired
            stale.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stale
            while device.stats()["send"].pending > 1:
                await asyncio.sleep(0)
            with open_can(spare_interface) as other:
                received = other.queue()
                ip("link", "set", spare_interface, "up")
                await fresh
                frame = await received.get()
                return frame.arbitration_id, device.stats()["send"]

    number, stats = run(main())
    assert number == 2
    assert tuple(stats) == (3, 1, 2, 0, 0, 0)


def test_interface_that_is_deleted_and_comes_back(spare_interface):
    async def main():
        with open_can(spare_interface, on_loss="wait") as device:
            queue = device.queue(events=True)
            ip("link", "delete", spare_interface)
            await event_of(queue, "lost")
            assert (device.state, device.lost) == ("lost", 1)
            ip("link", "add", spare_interface, "type", "vcan")
            ip("link", "set", spare_interface, "mtu", "72", "up")
            await event_of(queue, "back")
            # The netlink message about it may come behind that.
            while device.state != "up":
                await asyncio.sleep(0.01)
            assert device.reopened == 1
            await device.send(awaitd.CanFrame(1), wait=True, confirm=True)

    run(main())


# ---- filters ----


def test_filters_of_the_queues_reach_the_kernel():
    """Inverted and joined, exact as they are without it."""
    joined = [
        {"can_id": 0x120, "can_mask": 0x7F0},
        {"can_id": 0x001, "can_mask": 0x001, "inverted": True},
    ]

    async def main():
        with open_can() as device:
            assert not device.kernel_filter
            queue = device.queue(filters=joined, filters_joined=True)
            assert device.kernel_filter
            for number in range(0x11E, 0x124):
                send_raw("vcan0", number, b"")
            frames = await queue.get_many(2)
            while len(frames) < 2:
                frames += await queue.get_many(2)
            filtered = queue.stats().filtered
            queue.set_filters(None)
            assert not device.kernel_filter
            return frames, filtered

    frames, filtered = run(main())
    assert [frame.arbitration_id for frame in frames] == [0x120, 0x122]
    assert filtered == 0
