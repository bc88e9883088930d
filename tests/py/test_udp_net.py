"""UDP beyond loopback: groups, broadcast and interfaces, on a veth pair with
plain sockets at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import namespaces
import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension

FLOOD_S = float(os.environ.get("AWAITD_FLOOD_S", "10"))
GROUP = "239.1.2.3"
PORT = 5005
IP_RECVTTL = 12


@contextlib.contextmanager
def open_near(veth: namespaces.Pair, **options: Any) -> Iterator[Any]:
    with veth.near:
        device = awaitd.open({"name": "net", "driver": "udp",
                              "bind": f"0.0.0.0:{PORT}"} | options)
    with device:
        yield device


@contextlib.contextmanager
def plain(space: namespaces.Namespace, host: str = "0.0.0.0",
          port: int = PORT) -> Iterator[socket.socket]:
    with space:
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        plain.setsockopt(socket.SOL_SOCKET, namespaces.SO_RCVBUFFORCE, 16 << 20)
        plain.settimeout(rig.DEADLINE_S)
        plain.bind((host, port))
        yield plain


def join(receiver: socket.socket, interface_host: str) -> None:
    receiver.setsockopt(
        socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
        socket.inet_aton(GROUP) + socket.inet_aton(interface_host))


@pytest.mark.parametrize("where", ["255.255.255.255", "192.0.2.255"])
def test_broadcast_is_received(veth, where):
    with open_near(veth) as net, plain(veth.far, "192.0.2.2", 4000) as far:
        queue = net.queue()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"far0")
        far.sendto(b"all", (where, PORT))
        frame = queue.recv(rig.DEADLINE_S)
        assert (frame.data, frame.address) == (b"all", ("192.0.2.2", 4000))


@pytest.mark.parametrize("where", ["255.255.255.255", "192.0.2.255"])
def test_broadcast_is_sent(veth, peer, where):
    with open_near(veth, interface="near0") as net, plain(veth.far) as far:
        peer.send(net, awaitd.Datagram(b"all", (where, PORT)))
        assert far.recvfrom(100) == (b"all", ("192.0.2.1", PORT))


def test_group_is_joined_on_its_interface(veth):
    """There is no route that would say which: the option does."""
    with open_near(veth, multicast=GROUP, multicast_interface="near0") as net, \
            plain(veth.far, "192.0.2.2", 4000) as far:
        queue = net.queue()
        far.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                       socket.inet_aton("192.0.2.2"))
        far.sendto(b"group", (GROUP, PORT))
        assert queue.recv(rig.DEADLINE_S).data == b"group"


def test_group_is_sent_to_by_its_interface(veth, peer):
    with open_near(veth, multicast_interface="near0") as net, \
            plain(veth.far) as far:
        join(far, "192.0.2.2")
        peer.send(net, awaitd.Datagram(b"group", (GROUP, PORT)))
        assert far.recvfrom(100) == (b"group", ("192.0.2.1", PORT))


@pytest.mark.parametrize(("option", "expected"), [({}, 1),
                                                  ({"multicast_ttl": 7}, 7)])
def test_group_gets_the_ttl_it_is_told(veth, peer, option, expected):
    with open_near(veth, multicast_interface="near0", **option) as net, \
            plain(veth.far) as far:
        join(far, "192.0.2.2")
        far.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        peer.send(net, awaitd.Datagram(b"group", (GROUP, PORT)))
        _, control, _, _ = far.recvmsg(100, 100)
        ((_, kind, value),) = control
        assert kind == socket.IP_TTL
        assert int.from_bytes(value, sys.byteorder) == expected


def test_device_of_an_interface_hears_no_other(veth):
    with open_near(veth, interface="near0") as net, \
            plain(veth.near, "127.0.0.1", 4000) as local, \
            plain(veth.far, "192.0.2.2", 4000) as far:
        queue = net.queue()
        local.sendto(b"lo", ("127.0.0.1", PORT))
        far.sendto(b"far", ("192.0.2.1", PORT))
        assert queue.recv(rig.DEADLINE_S).data == b"far"


def test_peer_is_answered_without_an_address(veth, peer):
    with open_near(veth, peer="192.0.2.2:4000") as net, \
            plain(veth.far, "192.0.2.2", 4000) as far:
        peer.send(net, awaitd.Datagram(b"hello"))
        assert far.recvfrom(100) == (b"hello", ("192.0.2.1", PORT))


def test_strangers_are_not_the_peer(veth):
    with open_near(veth, peer="192.0.2.2:4000") as net, \
            plain(veth.far, "192.0.2.2", 4001) as stranger, \
            plain(veth.far, "192.0.2.2", 4000) as far:
        queue = net.queue()
        stranger.sendto(b"stranger", ("192.0.2.1", PORT))
        far.sendto(b"peer", ("192.0.2.1", PORT))
        assert queue.recv(rig.DEADLINE_S).data == b"peer"
        assert queue.stats().received == 1


def test_datagrams_that_wait_together_leave_in_order(veth, run):
    sent = [number.to_bytes(4, "big") for number in range(500)]

    async def main(net: Any) -> None:
        await asyncio.gather(*map(net.send, sent))

    with open_near(veth, peer="192.0.2.2:4000") as net, \
            plain(veth.far, "192.0.2.2", 4000) as far:
        run(main(net))
        assert [far.recv(100) for _ in sent] == sent
        stats = net.stats()["send"]
        assert (stats.submitted, stats.sent) == (500, 500)


def test_device_goes_on_when_its_interface_was_down(veth):
    with open_near(veth) as net, plain(veth.far, "192.0.2.2", 4000) as far:
        queue = net.queue()
        veth.take_down()
        veth.take_up()
        far.sendto(b"after", ("192.0.2.1", PORT))
        assert queue.recv(rig.DEADLINE_S).data == b"after"


# What a device may be told to use an interface for.
TIED = {
    "interface": ({"interface": "near0"}, "192.0.2.1"),
    "group": ({"multicast": GROUP, "multicast_interface": "near0"}, GROUP),
}


def send_until_it_comes(veth: namespaces.Pair, queue: Any, host: str) -> Any:
    """A device may just be opening."""
    got: list[Any] = []
    with plain(veth.far, "192.0.2.2", 4000) as far:
        far.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                       socket.inet_aton("192.0.2.2"))

        def came() -> bool:
            far.sendto(b"after", (host, PORT))
            got.append(queue.recv(0.01))
            return got[-1] is not None

        rig.until(came)
    return got[-1]


@pytest.mark.parametrize("tied", TIED)
def test_unplugged_while_waiting_is_lost(veth, tied):
    options, _ = TIED[tied]

    async def main() -> None:
        with open_near(veth, **options) as net:
            waiting = asyncio.create_task(net.queue().get())
            await asyncio.sleep(0)
            veth.unplug()
            await asyncio.wait_for(waiting, rig.DEADLINE_S)

    with pytest.raises(awaitd.DeviceLost) as caught:
        asyncio.run(main())
    assert caught.value.errno == errno.ENODEV


def test_unplugged_interface_loses_the_device_behind_its_last_datagram(veth):
    """A full queue that blocks leaves most of them to the kernel."""
    with open_near(veth, interface="near0") as net, \
            plain(veth.far, "192.0.2.2", 4000) as far:
        queue = net.queue(depth=16, overflow="block")
        for number in range(50):
            far.sendto(bytes([number]), ("192.0.2.1", PORT))
        veth.unplug()
        got = [queue.recv(rig.DEADLINE_S).data for _ in range(50)]
        assert got == [bytes([number]) for number in range(50)]
        with pytest.raises(awaitd.DeviceLost):
            queue.recv(rig.DEADLINE_S)
        assert rig.exact(queue.stats())


@pytest.mark.parametrize("tied", TIED)
def test_unplugged_interface_that_returns_goes_on(veth, tied):
    options, host = TIED[tied]
    with open_near(veth, on_loss="wait", **options) as net:
        queue = net.queue()
        veth.unplug()
        rig.until(lambda: net.state == "lost")
        veth.make()
        assert "away" in send_until_it_comes(veth, queue, host).lost_cause
        # Behind a rest datagrams are read ahead of what the link has to say.
        rig.until(lambda: net.state == "up")
        assert (net.lost, net.reopened) == (1, 1)


def test_unplugged_while_sending_fails_what_waits(veth, run):
    """It waited for the link, which will not come any more. (Without a link
    there is no route either, which is not what it is told.)"""
    async def main() -> None:
        with open_near(veth, interface="near0") as net:
            veth.take_down()
            rig.until(lambda: net.state == "down")
            datagram = awaitd.Datagram(b"x", ("192.0.2.2", PORT))
            with pytest.raises(awaitd.DeviceDown):
                await net.send(datagram)
            sending = asyncio.create_task(
                net.send(datagram, wait=True, timeout=3600))
            await asyncio.sleep(0)
            veth.unplug()
            with pytest.raises(awaitd.DeviceLost):
                await asyncio.wait_for(sending, rig.DEADLINE_S)
            assert net.stats()["send"].failed == 2

    run(main())


def test_changes_of_its_interface_are_told(veth):
    with open_near(veth, interface="near0") as net:
        queue = net.queue(events=True)
        veth.take_down()
        down = queue.recv(rig.DEADLINE_S)
        assert (down.kind, down.value) == ("link-down", "admin")
        assert net.state == "down"
        veth.take_up()
        # The cable may have been without a carrier for a moment.
        rig.until(lambda: queue.recv(rig.DEADLINE_S).kind == "link-up")
        assert net.state == "up"


def test_without_an_interface_it_outlives_all_of_them(veth):
    with open_near(veth) as net:
        queue = net.queue()
        veth.unplug()
        veth.make()
        assert send_until_it_comes(veth, queue, "192.0.2.1").lost_cause == ""
        assert net.lost == 0


def test_address_that_is_not_required_may_come_later(veth, capfd):
    veth.near.ip("address", "del", "192.0.2.1/24", "dev", "near0")
    with open_near(veth, bind=f"192.0.2.1:{PORT}", required=False) as net, \
            plain(veth.far, "192.0.2.2", 4000) as far:
        queue = net.queue()
        assert net.state == "waiting"
        told = capfd.readouterr().err
        assert "device net is waited for: cannot bind 192.0.2.1" in told
        veth.near.ip("address", "add", "192.0.2.1/24", "dev", "near0")

        def came() -> bool:
            far.sendto(b"hello", ("192.0.2.1", PORT))
            return queue.recv(0.01) is not None

        rig.until(came)
        assert (net.state, net.reopened) == ("up", 1)


def test_missing_interface_is_a_clear_error(veth):
    with pytest.raises(awaitd.DeviceError, match="interface") as caught:
        with open_near(veth, interface="nosuch0"):
            pass
    assert caught.value.errno == errno.ENODEV


SENDER = """
import socket, sys, time
plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
plain.connect(("192.0.2.1", 5005))
end = time.monotonic() + float(sys.argv[1])
sent = 0
while time.monotonic() < end:
    for _ in range(100):
        try:
            sent += plain.send(bytes(100)) == 100
        except OSError:  # the cable's own queue was full: it was not sent
            pass
print(sent)
"""


def test_flood_beside_a_stalled_script_is_accounted_for_to_the_last(
    veth, start_process
):
    """The reader stops where the queue is full, and the kernel drops."""
    with open_near(veth, receive_buffer="64k") as net:
        queue = net.queue(depth=1024, overflow="block")
        with veth.far:
            sender = start_process(sys.executable, "-c", SENDER, FLOOD_S,
                                   deadline_s=FLOOD_S + 30)
        end = time.monotonic() + FLOOD_S
        while time.monotonic() < end:
            sum(range(1000))
        assert sender.finish() == 0, sender.stderr
        sent = int(sender.stdout)
        frames = rig.drain(queue, sent)
        stats = queue.stats()
        assert rig.exact(stats)
        assert stats.received == sent
        assert stats.dropped == stats.dropped_kernel == sent - len(frames) > 0
