"""Raw Ethernet on a real cable: veth pairs, with plain packet sockets at the
other end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import struct
from collections.abc import Iterator
from typing import Any

import namespaces
import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension

NEAR, FAR = (bytes.fromhex(namespaces.mac(host).replace(":", ""))
             for host in (1, 2))
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID = 0x10
LOCAL_EXPERIMENT = 0x88B5  # IEEE Std 802: for use in one place


def to_near(payload: bytes, ethertype: int = LOCAL_EXPERIMENT) -> bytes:
    return NEAR + FAR + ethertype.to_bytes(2, "big") + payload


def numbered(number: int, size: int = 60) -> bytes:
    return to_near(number.to_bytes(8, "big")).ljust(size, b".")


def number_of(frame: awaitd.EthernetFrame) -> int:
    return int.from_bytes(frame.data[14:22], "big")


def udp(port: int, payload: bytes) -> bytes:
    """To near, from far, checksums left out."""
    datagram = struct.pack("!4H", 4000, port, 8 + len(payload), 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64,
                         17, 0, bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1]))
    return to_near(header + datagram, 0x0800)


def tagged(vlan_tci: int, frame: bytes, tpid: int = 0x8100) -> bytes:
    return frame[:12] + struct.pack("!HH", tpid, vlan_tci) + frame[12:]


@contextlib.contextmanager
def open_near(veth: namespaces.Pair, **options: Any) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        with veth.near:
            device = awaitd.open(
                {"name": "wire", "driver": "packet", "interface": "near0",
                 "receive_buffer": "1M"} | options)
        yield stack.enter_context(device)


@pytest.fixture
def wire(veth):
    with open_near(veth) as device:
        yield device


@pytest.fixture
def far(veth):
    with veth.far_socket() as raw:
        yield raw


def take(queue: Any) -> awaitd.EthernetFrame:
    frame = queue.recv(rig.DEADLINE_S)
    assert frame is not None, "no frame came"
    return frame


# ---- what a frame says ----

def test_frame_arrives_as_it_was_on_the_wire(wire, far):
    queue = wire.queue()
    far.send(to_near(b"hello"))
    frame = take(queue)
    assert frame.data == to_near(b"hello")
    assert (frame.source, frame.destination) == (
        namespaces.mac(2), namespaces.mac(1))
    assert frame.ethertype == LOCAL_EXPERIMENT
    assert (frame.length, frame.truncated) == (19, False)
    assert (frame.interface, frame.channel) == ("near0", "near0")


def test_frame_that_comes_in_is_not_outgoing(wire, far):
    queue = wire.queue()
    far.send(to_near(b"hello"))
    frame = take(queue)
    assert (frame.is_outgoing, frame.is_rx) == (False, True)


def test_frame_without_a_tag_has_no_vlan(wire, far):
    queue = wire.queue()
    far.send(to_near(b"hello"))
    frame = take(queue)
    assert frame.vlan_tci is frame.vlan_id is frame.vlan_pcp is None


@pytest.mark.parametrize("tpid", [0x8100, 0x88A8])
def test_vlan_tag_is_put_back(wire, far, tpid):
    queue = wire.queue()
    sent = tagged(5 << 13 | 0x1000 | 42, to_near(b"hello"), tpid)
    far.send(sent)
    frame = take(queue)
    assert frame.data == sent
    assert frame.length == len(sent)
    assert frame.vlan_tci == 5 << 13 | 0x1000 | 42
    assert (frame.vlan_id, frame.vlan_pcp, frame.vlan_dei) == (42, 5, True)
    assert frame.ethertype == LOCAL_EXPERIMENT


def test_both_of_two_vlan_tags_are_there(wire, far):
    queue = wire.queue()
    sent = tagged(7, tagged(8, to_near(b"hello")), 0x88A8)
    far.send(sent)
    frame = take(queue)
    assert frame.data == sent
    assert frame.vlan_id == 7
    assert frame.ethertype == LOCAL_EXPERIMENT


def test_timestamps_are_the_kernels_in_order(wire, far):
    queue = wire.queue()
    for number in range(3):
        far.send(numbered(number))
    frames = [take(queue) for _ in range(3)]
    assert sorted(frame.timestamp_ns for frame in frames) == [
        frame.timestamp_ns for frame in frames]
    assert all(0 <= frame.age() < rig.DEADLINE_S for frame in frames)


def test_frame_longer_than_max_payload_is_cut_and_says_so(veth, far):
    with open_near(veth, max_payload=64) as wire:
        queue = wire.queue()
        far.send(numbered(1, 1000))
        frame = take(queue)
        assert frame.data == numbered(1, 1000)[:64]
        assert (frame.length, frame.truncated) == (1000, True)


def test_frame_of_just_max_payload_is_whole(veth, far):
    with open_near(veth, max_payload=64) as wire:
        queue = wire.queue()
        far.send(numbered(1, 64))
        assert not take(queue).truncated


def test_tagged_frame_longer_than_max_payload_keeps_its_tag(veth, far):
    with open_near(veth, max_payload=20) as wire:
        queue = wire.queue()
        sent = tagged(42, numbered(1, 100))
        far.send(sent)
        frame = take(queue)
        assert frame.data == sent[:20]
        assert (frame.length, frame.truncated) == (len(sent), True)
        assert frame.vlan_id == 42


# ---- which frames ----

def test_filter_lets_pass_what_tcpdump_would(veth, far):
    with open_near(veth, filter="udp port 5000") as wire:
        queue = wire.queue()
        wanted = [udp(5000, bytes([n])) for n in range(20)]
        for frame in wanted:
            far.send(to_near(b"noise"))
            far.send(udp(5001, b"noise"))
            far.send(frame)
        assert [take(queue).data for _ in wanted] == wanted
        assert queue.stats().received == len(wanted)


def test_filter_of_a_vlan_sees_the_tag_that_the_kernel_took_off(veth, far):
    with open_near(veth, filter="vlan 5 and udp") as wire:
        queue = wire.queue()
        for vlan in (4, 5, 6):
            far.send(tagged(vlan, udp(5000, b"x")))
            far.send(tagged(vlan, to_near(b"x")))
        far.send(udp(5000, b"x"))
        far.send(tagged(5, udp(5000, b"last")))
        assert take(queue).data == tagged(5, udp(5000, b"x"))
        assert take(queue).data == tagged(5, udp(5000, b"last"))


def test_nothing_comes_before_the_filter_is_there(veth, far):
    """A socket is born deaf: the frames before are nobody's."""
    far.send(to_near(b"before"))
    with open_near(veth, filter="udp") as wire:
        queue = wire.queue()
        far.send(udp(5000, b"x"))
        assert take(queue).data == udp(5000, b"x")
        assert queue.stats().received == 1


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("in", [False]), ("out", [True]), ("inout", [True, False])])
def test_direction_chooses_who_sent_it(veth, far, peer, direction, expected):
    with open_near(veth, direction=direction) as wire, \
            open_near(veth, name="other") as other:
        queue = wire.queue()
        peer.send(other, awaitd.EthernetFrame(to_near(b"out")))
        far.send(to_near(b"in"))
        found = [take(queue) for _ in expected]
        assert [frame.is_outgoing for frame in found] == expected
        assert [frame.data[14:] for frame in found] == [
            b"out" if out else b"in" for out in expected]


def test_direction_out_goes_together_with_a_filter(veth, far, peer):
    with open_near(veth, direction="out", filter="udp or arp") as wire, \
            open_near(veth, name="other") as other:
        queue = wire.queue()
        far.send(udp(5000, b"in"))
        peer.send(other, awaitd.EthernetFrame(udp(5000, b"out")))
        assert take(queue).data == udp(5000, b"out")
        assert queue.stats().received == 1


def test_promiscuous_is_while_it_is_open(veth):
    def promiscuity() -> int:
        return int(veth.near.link("near0")["promiscuity"])

    assert promiscuity() == 0
    with open_near(veth, promiscuous=True):
        assert promiscuity() == 1
    rig.until(lambda: promiscuity() == 0)


# ---- sending ----

def test_sent_frame_arrives_whole(wire, far, peer):
    sent = tagged(42, FAR + NEAR + b"\x88\xb5" + b"hello")
    far.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    peer.send(wire, awaitd.EthernetFrame(sent))
    assert received_with_tag(far) == sent


def received_with_tag(raw: Any) -> bytes:
    """What a plain socket received, which is told the tag beside it."""
    data: bytes
    data, control, _, _ = raw.recvmsg(2048, 256)
    for level, kind, value in control:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tci, tpid = struct.unpack("IIIHHHH", value)
            if status & TP_STATUS_VLAN_VALID:
                return tagged(tci, data, tpid)
    return data


def test_plain_bytes_can_be_sent(wire, far, run):
    async def main() -> None:
        await wire.send(FAR + NEAR + b"\x88\xb5" + b"hello")

    run(main())
    assert far.recv(2048) == FAR + NEAR + b"\x88\xb5" + b"hello"


def test_own_frames_do_not_come_back(wire, far, peer):
    queue = wire.queue()
    peer.send(wire, awaitd.EthernetFrame(FAR + NEAR + b"\x88\xb5own"))
    far.send(to_near(b"other"))
    assert take(queue).data == to_near(b"other")


def test_frames_that_wait_together_leave_in_order(wire, far, run):
    frames = [numbered(n) for n in range(300)]

    async def main() -> None:
        await asyncio.gather(*map(wire.send, frames))

    run(main())
    assert [far.recv(2048) for _ in frames] == frames
    stats = wire.stats()["send"]
    assert (stats.submitted, stats.sent, stats.pending) == (300, 300, 0)


@pytest.mark.parametrize(
    ("data", "code"), [(b"\xff" * 2000, errno.EMSGSIZE),
                       (b"\xff" * 3, errno.EINVAL)])
def test_frame_that_no_wire_takes_fails_alone(wire, far, run, data, code):
    async def main() -> None:
        with pytest.raises(awaitd.DeviceError) as caught:
            await wire.send(data)
        assert caught.value.errno == code
        await wire.send(to_near(b"next"))

    run(main())
    assert far.recv(2048) == to_near(b"next")
    assert wire.stats()["send"].failed == 1


# ---- the link ----

def test_link_that_was_down_goes_on(veth, wire, far):
    queue = wire.queue()
    far.send(to_near(b"before"))
    assert take(queue).data == to_near(b"before")
    veth.take_down()
    veth.take_up()
    far.send(to_near(b"after"))
    assert take(queue).data == to_near(b"after")


def test_send_while_the_link_is_down_says_so(veth, wire, far, run):
    async def main() -> None:
        veth.take_down()
        with pytest.raises(awaitd.DeviceDown):
            await wire.send(to_near(b"lost"))
        veth.take_up()
        await wire.send(to_near(b"sent"))

    run(main())
    assert far.recv(2048) == to_near(b"sent")


def test_opened_while_down_works_when_it_is_up(veth, far, capfd):
    veth.take_down()
    with open_near(veth) as wire:
        queue = wire.queue()
        assert "interface near0 is down" in capfd.readouterr().err
        veth.take_up()
        far.send(to_near(b"hello"))
        assert take(queue).data == to_near(b"hello")


def test_deleted_interface_loses_the_device_behind_its_last_frame(veth, far):
    """What the kernel still gathers when it goes is not lost."""
    with open_near(veth, block_timeout_ms=200) as wire:
        queue = wire.queue()
        for number in range(50):
            far.send(numbered(number))
        veth.unplug()
        assert [number_of(take(queue)) for _ in range(50)] == list(range(50))
        with pytest.raises(awaitd.DeviceLost):
            queue.recv(rig.DEADLINE_S)


def test_deleted_interface_fails_what_waits_to_be_sent(veth, run):
    """It waited for the link, which will not come any more."""
    async def main() -> None:
        with open_near(veth) as wire:
            veth.take_down()
            sending = asyncio.create_task(
                wire.send(to_near(b"x"), wait=True, timeout=3600))
            async with asyncio.timeout(rig.DEADLINE_S):
                while wire.stats()["send"].pending == 0:
                    await asyncio.sleep(0)
            veth.unplug()
            with pytest.raises(awaitd.DeviceLost):
                await asyncio.wait_for(sending, rig.DEADLINE_S)
            sent = wire.stats()["send"]
            assert (sent.submitted, sent.failed, sent.pending) == (1, 1, 0)

    run(main())


def test_deleted_interface_that_returns_goes_on(veth, far):
    with open_near(veth, on_loss="wait") as wire:
        queue = wire.queue()
        far.send(to_near(b"before"))
        assert take(queue).data == to_near(b"before")
        veth.unplug()
        veth.make()
        with veth.far_socket() as raw:
            found: list[Any] = []

            def came() -> bool:
                raw.send(to_near(b"after"))
                found.append(queue.recv(0.01))
                return found[-1] is not None

            rig.until(came)
        assert found[-1].data == to_near(b"after")
        assert "away" in found[-1].lost_cause


def test_interface_that_is_not_required_may_come_later(veth):
    veth.unplug()
    with open_near(veth, required=False) as wire:
        queue = wire.queue()
        veth.make()
        with veth.far_socket() as raw:

            def came() -> bool:
                raw.send(to_near(b"hello"))
                return queue.recv(0.01) is not None

            rig.until(came)


# ---- refusals ----

def test_missing_interface_is_named(veth):
    with pytest.raises(awaitd.DeviceError, match="nosuch0") as caught:
        with open_near(veth, interface="nosuch0"):
            pass
    assert caught.value.errno == errno.ENODEV


def test_filter_with_an_error_is_refused_in_libpcaps_words(veth):
    with pytest.raises(awaitd.ConfigError, match="udp prt.*syntax error"):
        with open_near(veth, filter="udp prt 5000"):
            pass


def test_interface_without_clock_cannot_stamp(veth):
    with pytest.raises(awaitd.DeviceError, match="hw_timestamps"):
        with open_near(veth, hw_timestamps=True):
            pass


def test_interface_without_ethernet_is_refused(veth):
    veth.near.ip("tuntap", "add", "tun0", "mode", "tun")
    with pytest.raises(awaitd.DeviceError, match="no Ethernet header"):
        with open_near(veth, interface="tun0"):
            pass


# ---- losses ----

SMALL_RING = {"receive_buffer": "64k"}  # of a few dozen frames


def fill(far: Any, frames: int, first: int = 0, size: int = 1000) -> None:
    for number in range(first, first + frames):
        far.send(numbered(number, size))


@contextlib.contextmanager
def witnessed(veth: namespaces.Pair) -> Iterator[tuple[Any, Any]]:
    """A device with a small ring, and the queue of another that has room.

    That was opened first, so it hears of each frame last: what it has, has
    arrived at both.
    """
    with (open_near(veth, receive_buffer="16M") as witness,
          witness.queue() as heard,
          open_near(veth, **SMALL_RING) as wire):
        yield wire, heard


def block(wire: Any, far: Any) -> Any:
    """A queue that lets the ring run full, after the 16 frames that it has.

    From here on the reader gives no block of the ring back, whenever the kernel
    closes one: what is lost is lost in one gap.
    """
    queue = wire.queue(depth=16, overflow="block")
    fill(far, 16)
    rig.until(lambda: queue.qsize() == 16)
    return queue


def test_full_queue_drops_and_every_frame_is_accounted_for(veth, far):
    with open_near(veth, receive_buffer="16M") as wire:
        queue = wire.queue(depth=100)
        fill(far, 3000)
        rig.until(lambda: queue.stats().received == 3000)
        stats = queue.stats()
        assert rig.exact(stats)
        assert (stats.dropped_overflow, stats.dropped_kernel) == (2900, 0)


def test_kernel_drops_are_counted_to_the_last(veth, far):
    with witnessed(veth) as (wire, heard):
        queue = block(wire, far)
        fill(far, 1984, first=16)
        # A ring with room again would take the last ones.
        rig.until(lambda: heard.stats().received == 2000)
        numbers = [number_of(frame) for frame in rig.drain(queue, 2000)]
        stats = queue.stats()
        assert rig.exact(stats)
        assert stats.delivered == len(numbers)
        assert stats.dropped == stats.dropped_kernel == 2000 - len(numbers) > 0
        assert numbers == list(range(len(numbers)))


def taken_unasked(queue: Any) -> list[Any]:
    """All there is, without asking the kernel for its losses. So nothing tells
    that no more comes, but that nothing does for much longer than a reader
    sleeps that has something to read."""
    frames = []
    while (frame := queue.recv(4)) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize("asked", [False, True])
def test_kernel_drops_are_told_where_they_were(veth, far, asked):
    """Asking for statistics in between, which resets the kernel's counter,
    moves nothing."""
    with witnessed(veth) as (wire, heard):
        queue = block(wire, far)
        fill(far, 1984, first=16)
        rig.until(lambda: heard.stats().received == 2000)
        if asked:
            wire.stats()
            assert queue.stats().dropped_kernel > 0
            before = rig.drain(queue, 2000)
        else:
            before = taken_unasked(queue)
        fill(far, 5, first=2000)
        after = [take(queue) for _ in range(5)]
        assert [number_of(frame) for frame in before] == list(
            range(len(before)))
        assert [number_of(frame) for frame in after] == list(range(2000, 2005))
        assert [frame.lost_before for frame in before] == [0] * len(before)
        assert [frame.lost_before for frame in after] == [
            2000 - len(before), 0, 0, 0, 0]
        assert after[0].lost_cause == "kernel"
        assert after[0].seq == 2000
