"""Messages of ISO-TP, with can-utils at the other end: user-mode-linux has no
can-isotp, so they are tested here, on a vcan."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time

import awaitd
import pytest
from can_peers import cansend, ip, send_raw
from can_protocols import CAN_ISOTP, require_protocol

DEADLINE_S = 60.0
TESTER, ECU = 0x7E0, 0x7E8


@pytest.fixture(autouse=True, scope="module")
def isotp() -> None:
    require_protocol(CAN_ISOTP)


@pytest.fixture
def interface():
    """Of its own, which the test may take down and delete."""
    name = "vcan6"
    ip("link", "add", name, "type", "vcan")
    ip("link", "set", name, "mtu", "72", "up")
    yield name
    subprocess.run(
        ["ip", "link", "delete", name], check=False, stderr=subprocess.DEVNULL
    )


def open_isotp(interface: str, tx: int, rx: int, **options: object):
    driver = {"driver": "isotp", "interface": interface}
    return awaitd.open(driver | {"tx_id": tx, "rx_id": rx} | options)


def pattern(length: int) -> bytes:
    return bytes(number % 251 for number in range(length))


def exchange(interface: str, *sent: bytes, **options: object):
    """What an ECU receives of a tester, and the tester's ledger."""

    async def main():
        with (
            open_isotp(interface, TESTER, ECU, **options) as tester,
            open_isotp(interface, ECU, TESTER, **options) as ecu,
            ecu.queue() as queue,
        ):
            got = []
            for data in sent:
                await tester.send(data)
                got.append(await queue.get(timeout=DEADLINE_S))
            return got, queue.stats(), tester.stats()["send"]

    return asyncio.run(main())


def test_messages_of_every_length_arrive_whole(interface):
    sent = [pattern(length) for length in (1, 7, 8, 62, 300, 4095)]
    got, stats, send = exchange(interface, *sent)
    assert [one.data for one in got] == sent
    assert not any(one.truncated for one in got)
    assert (got[0].channel, got[0].device) == (interface, "isotp")
    assert (stats.received, stats.delivered, stats.dropped) == (6, 6, 0)
    assert (send.submitted, send.sent) == (6, 6)


# What both sides are told, and how a message of one byte is on the bus: a
# pattern, since not every candump shows the flag that says FD.
ADDRESSING = {
    "plain": ({}, "7E0#0142"),
    "padding": ({"padding": 0xAA, "check_padding": "all"}, "7E0#0142" + "AA" * 6),
    "extended-address": ({"extended_address": 0xF1}, "7E0#F10142"),
    "29-bit-ids": ({"extended_id": "yes"}, "000007E0#0142"),
    "flow-control": ({"blocksize": 4, "stmin": 0xF1, "wftmax": 2}, "7E0#0142"),
    "fd": ({"fd": "yes"}, "7E0##[15]0142"),
}


@pytest.mark.parametrize("kind", ADDRESSING)
def test_each_form_is_on_the_bus_as_the_standard_has_it(
    kind, interface, candump
):
    options, wire = ADDRESSING[kind]
    dump = candump(interface)
    got, _, _ = exchange(interface, b"\x42", pattern(100), **options)
    assert [one.data for one in got] == [b"\x42", pattern(100)]
    assert re.match(wire, dump.frame())


def test_flow_control_says_block_size_and_separation_time(interface, candump):
    dump = candump(interface)
    exchange(interface, pattern(20), blocksize=4, stmin=5)
    frames = [dump.frame() for _ in range(4)]
    assert frames[0].startswith("7E0#1014")
    assert frames[1] == "7E8#300405"
    assert [frame[:6] for frame in frames[2:]] == ["7E0#21", "7E0#22"]


def test_message_longer_than_max_payload_is_cut_and_flagged(interface):
    got, _, _ = exchange(interface, pattern(30), max_payload=20)
    assert (got[0].data, got[0].truncated) == (pattern(20), True)


def test_messages_to_and_from_can_utils(interface, start_process):
    """isotprecv takes ours, isotpsend sends us one: long ones."""
    data = pattern(200)

    async def main():
        with open_isotp(interface, TESTER, ECU) as device:
            with device.queue() as queue:
                peer = start_process(
                    *("isotprecv", "-s", "7E8", "-d", "7E0", interface),
                    deadline_s=DEADLINE_S,
                )
                # It does not say when it listens: again until it has one.
                while peer.popen.poll() is None:
                    await device.send(data)
                    await asyncio.sleep(0.2)
                text = data.hex(" ")
                sender = await asyncio.create_subprocess_exec(
                    *("isotpsend", "-s", "7E8", "-d", "7E0", interface),
                    stdin=asyncio.subprocess.PIPE,
                )
                await sender.communicate(text.encode() + b"\n")
                got = await queue.get(timeout=DEADLINE_S)
                return peer.line(), got.data

    line, got = asyncio.run(main())
    assert bytes.fromhex(line) == data
    assert got == data


def test_message_that_nobody_answers_fails_nothing_else(interface):
    """The kernel gives up after a second; the next one goes out then."""

    async def main():
        with open_isotp(
            interface, TESTER, ECU, send_timeout_s=30
        ) as device:
            await device.send(pattern(100))
            await device.send(b"ok")
            return device.stats()["send"]

    send = asyncio.run(main())
    assert (send.submitted, send.sent, send.failed) == (2, 2, 0)


MALFORMED = {
    "consecutive-without-a-first": ["7E0#2101020304050607"],
    "wrong-sequence-number": ["7E0#100A010203040506", "7E0#2F07080910"],
    "flow-control-of-nothing": ["7E0#300000"],
    "single-of-no-length": ["7E0#00"],
    "single-longer-than-its-frame": ["7E0#0701"],
    "unknown-control": ["7E0#F0"],
    "empty": ["7E0#"],
    "remote": ["7E0#R"],
}


def test_malformed_frames_are_survived(interface):
    async def main():
        got = []
        with open_isotp(interface, ECU, TESTER) as ecu, ecu.queue() as queue:
            for frames in MALFORMED.values():
                cansend(interface, *frames, "7E0#0142")
                got.append((await queue.get(timeout=DEADLINE_S)).data)
            return got, queue.stats().received

    assert asyncio.run(main()) == ([b"\x42"] * len(MALFORMED), len(MALFORMED))


def test_link_down_fails_a_message_and_the_way_back_is_open(interface):
    async def main():
        with open_isotp(interface, ECU, TESTER) as ecu, ecu.queue() as queue:
            ip("link", "set", interface, "down")
            async with asyncio.timeout(DEADLINE_S):
                with pytest.raises(awaitd.DeviceDown):
                    while True:
                        await ecu.send(b"x")
            ip("link", "set", interface, "up")
            cansend(interface, "7E0#0142")
            return (await queue.get(timeout=DEADLINE_S)).data

    assert asyncio.run(main()) == b"\x42"


def test_each_change_of_the_link_is_told(interface):
    async def main():
        with open_isotp(interface, ECU, TESTER) as ecu:
            queue = ecu.queue(events=True)
            for way in ("down", "up", "down", "up"):
                ip("link", "set", interface, way)
            events = [await queue.get(timeout=DEADLINE_S) for _ in range(4)]
            assert (ecu.state, ecu.carrier) == ("up", True)
            return [(event.kind, event.value) for event in events]

    assert asyncio.run(main()) == [("link-down", "admin"), ("link-up", 0)] * 2


def test_interface_deleted_while_waiting_and_made_anew(interface):
    async def main():
        with (
            open_isotp(interface, 0x7E1, 0x7E9) as failing,
            open_isotp(interface, ECU, TESTER, on_loss="wait") as staying,
            failing.queue() as lost,
            staying.queue() as queue,
        ):
            waiting = asyncio.create_task(lost.get(timeout=DEADLINE_S))
            await asyncio.sleep(0)
            ip("link", "delete", interface)
            with pytest.raises(awaitd.DeviceLost):
                await waiting
            ip("link", "add", interface, "type", "vcan")
            ip("link", "set", interface, "up")
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    cansend(interface, "7E0#0142")
                    if got := await queue.get_many(1, timeout=0.2):
                        return got[0].data, got[0].lost_cause

    assert asyncio.run(main()) == (b"\x42", "away")


LAST, DEPTH = 50, 16  # messages that come while a queue blocks, and its depth


def blocked(device, interface: str):
    """A queue that is full, with the rest of LAST messages in the kernel."""
    queue = device.queue(depth=DEPTH, overflow="block")
    for number in range(LAST):
        send_raw(interface, TESTER, bytes([1, number]))
    deadline = time.monotonic() + DEADLINE_S
    while queue.stats().pending < DEPTH:
        assert time.monotonic() < deadline
    return queue


def take(queue, count: int) -> list[int]:
    messages = [queue.recv(timeout=DEADLINE_S) for _ in range(count)]
    return [message.data[0] for message in messages]


def test_messages_that_go_with_their_interface_are_counted_as_one(
    interface, capfd
):
    """The kernel hands none out of a socket whose interface is gone."""
    with open_isotp(interface, ECU, TESTER) as device:
        queue = blocked(device, interface)
        ip("link", "delete", interface)
        assert take(queue, DEPTH) == list(range(DEPTH))
        with pytest.raises(awaitd.DeviceLost):
            queue.recv(timeout=DEADLINE_S)
        stats = queue.stats()
    assert (stats.delivered, stats.dropped_kernel) == (DEPTH, 1)
    assert (stats.received, stats.pending) == (DEPTH + 1, 0)
    assert f"interface {interface} took messages" in capfd.readouterr().err


def test_interface_taken_down_loses_nothing(interface):
    with open_isotp(interface, ECU, TESTER) as device:
        queue = blocked(device, interface)
        ip("link", "set", interface, "down")
        assert take(queue, LAST) == list(range(LAST))
        stats = queue.stats()
    assert (stats.received, stats.delivered, stats.dropped) == (LAST, LAST, 0)


def test_interface_deleted_while_sending_fails_what_waits(interface):
    """It waited for the link, which will not come any more."""

    async def main():
        with open_isotp(interface, ECU, TESTER) as ecu:
            ip("link", "set", interface, "down")
            sending = asyncio.create_task(
                ecu.send(b"x", wait=True, timeout=3600)
            )
            while ecu.stats()["send"].pending == 0:
                await asyncio.sleep(0)
            ip("link", "delete", interface)
            with pytest.raises(awaitd.DeviceLost):
                await asyncio.wait_for(sending, DEADLINE_S)
            return ecu.stats()["send"]

    sent = asyncio.run(main())
    assert (sent.submitted, sent.failed, sent.pending) == (1, 1, 0)


def test_missing_interface_is_named():
    with pytest.raises(awaitd.DeviceError, match="no interface nosuch0"):
        open_isotp("nosuch0", TESTER, ECU)
