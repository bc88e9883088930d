"""Who receives the flood: awaitd, and the means that asyncio has.

Each binds to a port, calls `ready`, and brings every datagram to a coroutine,
until one of a single byte says that it was the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import awaitd

uvloop: Any
try:
    uvloop = importlib.import_module("uvloop")
except ImportError:  # then it is not among them
    uvloop = None

BUFFER_BYTES = 16 << 20  # awaitd's own default
SO_RCVBUFFORCE = 33
Ready = Callable[[], None]
Result = tuple[int, float]  # datagrams, seconds from the first to the last


@dataclass
class Receiver:
    name: str
    receive: Callable[[int, Ready], Awaitable[Result]]
    runner: Callable[[], asyncio.Runner] = asyncio.Runner


def open_socket(port: int) -> socket.socket:
    """Bound, with the receive buffer that awaitd asks for."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    with contextlib.suppress(PermissionError):
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    receiver.setblocking(False)
    receiver.bind(("127.0.0.1", port))
    return receiver


@contextlib.contextmanager
def open_queue(port: int) -> Iterator[awaitd.Queue[awaitd.Datagram]]:
    with awaitd.open({"driver": "udp", "bind": f"127.0.0.1:{port}",
                      "max_payload": 64}) as net:
        # The others' queue has no bound.
        yield net.queue(depth=65_536)


async def awaitd_get(port: int, ready: Ready) -> Result:
    with open_queue(port) as queue:
        ready()
        count = 1
        await queue.get()
        begin = time.perf_counter()
        while len((await queue.get()).data) != 1:
            count += 1
        return count, time.perf_counter() - begin


async def awaitd_get_many(port: int, ready: Ready) -> Result:
    with open_queue(port) as queue:
        ready()
        count = len(await queue.get_many(256))
        begin = time.perf_counter()
        while True:
            for frame in await queue.get_many(256):
                if len(frame.data) == 1:
                    return count, time.perf_counter() - begin
                count += 1


async def sock_recv(port: int, ready: Ready) -> Result:
    loop = asyncio.get_running_loop()
    with open_socket(port) as receiver:
        ready()
        count = 1
        await loop.sock_recv(receiver, 2048)
        begin = time.perf_counter()
        while len(await loop.sock_recv(receiver, 2048)) != 1:
            count += 1
        return count, time.perf_counter() - begin


async def sock_recv_drained(port: int, ready: Ready) -> Result:
    """Sleeps only when the socket has nothing left."""
    loop = asyncio.get_running_loop()
    with open_socket(port) as receiver:
        ready()
        count = 1
        await loop.sock_recv(receiver, 2048)
        begin = time.perf_counter()
        while True:
            try:
                data = receiver.recv(2048)
            except BlockingIOError:
                data = await loop.sock_recv(receiver, 2048)
            if len(data) == 1:
                return count, time.perf_counter() - begin
            count += 1


async def awaitd_get_batch(port: int, ready: Ready) -> Result:
    with open_queue(port) as queue:
        ready()
        count = len(await queue.get_batch(256))
        begin = time.perf_counter()
        while True:
            batch = await queue.get_batch(256)
            count += len(batch)
            if len(batch[-1].data) == 1:
                return count - 1, time.perf_counter() - begin


class ToQueue(asyncio.DatagramProtocol):
    """How a datagram gets from the protocol to a coroutine."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, _address: object) -> None:
        self.queue.put_nowait(data)


async def protocol(port: int, ready: Ready) -> Result:
    loop = asyncio.get_running_loop()
    transport, receiver = await loop.create_datagram_endpoint(
        ToQueue, sock=open_socket(port))
    ready()
    count = 1
    await receiver.queue.get()
    begin = time.perf_counter()
    while len(await receiver.queue.get()) != 1:
        count += 1
    transport.close()
    return count, time.perf_counter() - begin


class Counting(asyncio.DatagramProtocol):
    """The protocol alone, without a coroutine behind it."""

    def __init__(self, ended: asyncio.Future[float]) -> None:
        self.ended = ended
        self.count = 0
        self.begin = 0.0

    def datagram_received(self, data: bytes, _address: object) -> None:
        if not self.count:
            self.begin = time.perf_counter()
        if len(data) != 1:
            self.count += 1
        elif not self.ended.done():
            self.ended.set_result(time.perf_counter() - self.begin)


async def callback(port: int, ready: Ready) -> Result:
    loop = asyncio.get_running_loop()
    transport, receiver = await loop.create_datagram_endpoint(
        lambda: Counting(loop.create_future()), sock=open_socket(port))
    ready()
    seconds = await receiver.ended
    transport.close()
    return receiver.count, seconds


def uvloop_runner() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


BASE = "asyncio.DatagramProtocol, asyncio.Queue"
RECEIVERS = [
    Receiver(BASE, protocol),
    Receiver("asyncio.DatagramProtocol, callback only", callback),
    Receiver("loop.sock_recv", sock_recv),
    Receiver("loop.sock_recv, drained by recv()", sock_recv_drained),
    Receiver("awaitd queue.get()", awaitd_get),
    Receiver("awaitd queue.get_many(256)", awaitd_get_many),
]
if hasattr(awaitd.Queue, "get_batch"):
    RECEIVERS.append(
        Receiver("awaitd queue.get_batch(256)", awaitd_get_batch))
if uvloop is not None:
    RECEIVERS += [
        Receiver("uvloop, DatagramProtocol, asyncio.Queue", protocol,
                 uvloop_runner),
        Receiver("uvloop, DatagramProtocol, callback only", callback,
                 uvloop_runner),
        Receiver("uvloop, awaitd queue.get()", awaitd_get, uvloop_runner),
    ]
