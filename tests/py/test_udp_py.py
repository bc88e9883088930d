"""UDP sockets, in Python, against plain sockets as the peers."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request):
    return request.param


@pytest.fixture
def remote(host):
    """A plain socket, for the other end."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as remote:
        try:
            remote.bind((host, 0))
        except OSError as error:
            pytest.skip(f"no {host} on this machine: {error}")
        remote.settimeout(rig.DEADLINE_S)
        yield remote


def bind_to(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture
def net(host, remote):
    """A UDP device on a free port, and where it listens: (host, port)."""
    with socket.socket(remote.family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    options = {"name": "net", "driver": "udp", "bind": bind_to(host, port)}
    with awaitd.open(options) as device:
        yield device, (host, port)


def test_datagram_arrives(net, remote):
    device, address = net
    queue = device.queue()
    before = time.time_ns()
    remote.sendto(b"hello", address)
    datagram = queue.recv(timeout=rig.DEADLINE_S)
    assert type(datagram) is awaitd.Datagram
    assert datagram.data == b"hello"
    assert datagram.address == remote.getsockname()
    assert not datagram.truncated
    assert (datagram.device, datagram.lost_before) == ("net", 0)
    assert before <= datagram.timestamp_ns <= time.time_ns()


def test_empty_datagram_arrives(net, remote):
    device, address = net
    queue = device.queue()
    remote.sendto(b"", address)
    datagram = queue.recv(timeout=rig.DEADLINE_S)
    assert (datagram.data, datagram.length) == (b"", 0)


def test_datagram_that_is_too_long_is_cut_and_says_so(net, remote):
    device, address = net
    queue = device.queue()
    remote.sendto(b"x" * 3000, address)
    datagram = queue.recv(timeout=rig.DEADLINE_S)
    assert datagram.truncated
    assert datagram.data == b"x" * 2048


def test_max_payload_takes_more(net, remote):
    device, (host, port) = net
    device.close()
    options = {"driver": "udp", "bind": bind_to(host, port)}
    with awaitd.open({**options, "max_payload": 9000}) as device:
        queue = device.queue()
        remote.sendto(b"x" * 9000, (host, port))
        datagram = queue.recv(timeout=rig.DEADLINE_S)
    assert (len(datagram.data), datagram.truncated) == (9000, False)


def test_await_gives_datagrams_in_order(run, net, remote):
    device, address = net
    queue = device.queue()

    async def main():
        got = []
        for start in range(0, 1000, 100):
            for number in range(start, start + 100):
                remote.sendto(number.to_bytes(4, "big"), address)
            while len(got) < start + 100:
                got += await queue.get_many(1000)
        return [int.from_bytes(datagram.data, "big") for datagram in got]

    assert run(main()) == list(range(1000))
    stats = queue.stats()
    assert (stats.received, stats.dropped) == (1000, 0)


def test_answer_reaches_the_sender(run, net, remote):
    device, address = net
    queue = device.queue()

    async def main():
        question = await queue.get()
        await device.send(awaitd.Datagram(b"pong", question.address))

    remote.sendto(b"ping", address)
    run(main())
    data, sender = remote.recvfrom(100)
    assert (data, sender[:2]) == (b"pong", address)


def test_datagram_without_an_address_cannot_be_sent(run, net):
    device, _ = net

    async def main():
        with pytest.raises(awaitd.DeviceError):
            await device.send(awaitd.Datagram(b"x"))
        return device.stats()["send"].failed

    assert run(main()) == 1


def test_port_that_is_taken_is_a_device_error(net):
    device, (host, port) = net
    with pytest.raises(awaitd.DeviceError, match=str(port)) as error:
        awaitd.open({"driver": "udp", "bind": bind_to(host, port)})
    assert "in use" in str(error.value)


def test_closed_device_frees_its_port(net):
    device, (host, port) = net
    device.close()
    awaitd.open({"driver": "udp", "bind": bind_to(host, port)}).close()


def test_burst_while_python_is_busy_is_not_lost(run, net, remote):
    """Two thousand datagrams while nobody takes and the loop stands."""
    device, address = net
    queue = device.queue()

    async def main():
        task = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        for number in range(2000):
            remote.sendto(number.to_bytes(4, "big"), address)
        rig.until(lambda: queue.stats().received == 2000)
        got = [await task]
        while len(got) < 2000:
            got += await queue.get_many(256)
        return [int.from_bytes(datagram.data, "big") for datagram in got]

    assert run(main()) == list(range(2000))
    stats = queue.stats()
    assert (stats.delivered, stats.dropped) == (2000, 0)
