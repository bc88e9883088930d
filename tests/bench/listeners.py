"""Who listens to a steady stream: awaitd, asyncio's means, and python-can.

Each binds to a port, calls `ready`, and hands every datagram's data to `take`,
in a coroutine or where its own way ends, until take() says that it was the
last.

python-can has no interface for plain UDP, and without AF_CAN none for
SocketCAN: so it gets a Bus of its own on the same socket, which does what its
SocketCAN bus does for a frame: select(), recv(), a can.Message.
"""

from __future__ import annotations

import asyncio
import importlib
import select
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import awaitd
from receivers import Ready, open_socket

can: Any
try:
    can = importlib.import_module("can")
except ImportError:  # then it is not among them
    can = None

Take = Callable[[Any], bool]  # with a frame's data: was it the last?


@dataclass
class Listener:
    name: str
    listen: Callable[[int, Ready, Take], Awaitable[None]]
    ours: bool = False


def open_device(port: int) -> awaitd.Device[Any]:
    return awaitd.open({"driver": "udp", "bind": f"127.0.0.1:{port}",
                        "max_payload": 64})


def awaitd_get(**options: Any) -> Callable[..., Awaitable[None]]:
    async def listen(port: int, ready: Ready, take: Take) -> None:
        with open_device(port) as net:
            queue = net.queue(depth=65_536, **options)
            ready()
            while not take((await queue.get()).data):
                pass

    return listen


def awaitd_get_many(**options: Any) -> Callable[..., Awaitable[None]]:
    async def listen(port: int, ready: Ready, take: Take) -> None:
        with open_device(port) as net:
            queue = net.queue(depth=65_536, **options)
            ready()
            while True:
                for frame in await queue.get_many(256):
                    if take(frame.data):
                        return

    return listen


async def sock_recv(port: int, ready: Ready, take: Take) -> None:
    loop = asyncio.get_running_loop()
    with open_socket(port) as receiver:
        ready()
        while not take(await loop.sock_recv(receiver, 64)):
            pass


class ToQueue(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, _address: object) -> None:
        self.queue.put_nowait(data)


async def protocol(port: int, ready: Ready, take: Take) -> None:
    transport, receiver = await (
        asyncio.get_running_loop().create_datagram_endpoint(
            ToQueue, sock=open_socket(port)))
    try:
        ready()
        while not take(await receiver.queue.get()):
            pass
    finally:
        transport.close()


# ---- python-can ----


def open_bus(
    port: int, with_fd: bool, make_socket: Callable[[int], Any] = open_socket
) -> Any:
    class UdpBus(can.BusABC):  # type: ignore[misc]
        """As can.interfaces.socketcan, on a UDP socket."""

        def __init__(self) -> None:
            self.socket = make_socket(port)
            super().__init__(channel=port)

        def _recv_internal(self, timeout: float | None) -> tuple[Any, bool]:
            ready, _, _ = select.select([self.socket], [], [], timeout)
            if not ready:
                return None, False
            data = self.socket.recv(64)
            return can.Message(timestamp=time.time(), arbitration_id=0x123,
                               is_extended_id=False, data=data), False

        def send(self, msg: Any, timeout: float | None = None) -> None:
            raise NotImplementedError

        def fileno(self) -> int:
            number: int = self.socket.fileno() if with_fd else -1
            return number

        def shutdown(self) -> None:
            super().shutdown()
            self.socket.close()

    return UdpBus()


def python_can(with_fd: bool) -> Callable[..., Awaitable[None]]:
    async def listen(port: int, ready: Ready, take: Take) -> None:
        bus = open_bus(port, with_fd)
        reader = can.AsyncBufferedReader()
        notifier = can.Notifier(bus, [reader], timeout=0.1,
                                loop=asyncio.get_running_loop())
        try:
            ready()
            while not take((await reader.get_message()).data):
                pass
        finally:
            notifier.stop()
            bus.shutdown()

    return listen


LISTENERS = [
    Listener("asyncio.DatagramProtocol, asyncio.Queue", protocol),
    Listener("loop.sock_recv", sock_recv),
]
if can is not None:
    LISTENERS += [
        Listener("python-can, thread", python_can(with_fd=False)),
        Listener("python-can, fd", python_can(with_fd=True)),
    ]
LISTENERS += [
    Listener("awaitd get()", awaitd_get(), True),
    Listener('awaitd get(), wakeup="fd"', awaitd_get(wakeup="fd"), True),
    Listener("awaitd get(), budget 1 ms", awaitd_get(budget_us=1000), True),
    Listener('awaitd get(), "fd", 1 ms',
             awaitd_get(budget_us=1000, wakeup="fd"), True),
    Listener("awaitd get_many(256), 1 ms",
             awaitd_get_many(budget_us=1000), True),
]
