"""From a coroutine to the kernel: frames a second, to whoever does not listen.

Ethernet by a veth pair in network namespaces, UDP over loopback; the bare loops
in C are the programs that flood the receivers of the other benchmarks.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import awaitd
from common import (DEADLINE_S, free_port, namespaces, no_garbage_collection,
                    program)
from flooded import ended, stop

FRAME_BYTES = 128
SEND_S = 0.3
MANY = 64
BASE = "loop.sock_sendall"
FLOOR = "a bare sendmmsg() loop in C"


class Ways(NamedTuple):
    """How one kind of traffic is sent."""

    plain: Callable[[], Any]  # a socket, connected or bound
    device: Callable[[], Any]
    flood: Callable[[], subprocess.Popen[str]]
    frame: bytes


async def sock_sendall(ways: Ways, end: float) -> int:
    loop = asyncio.get_running_loop()
    count = 0
    with ways.plain() as sender:
        sender.setblocking(False)
        while time.perf_counter() < end:
            await loop.sock_sendall(sender, ways.frame)
            count += 1
    return count


async def awaitd_send(ways: Ways, end: float) -> int:
    count = 0
    with ways.device() as device:
        while time.perf_counter() < end:
            await device.send(ways.frame)
            count += 1
    return count


async def awaitd_send_in_tasks(ways: Ways, end: float) -> int:
    count = 0

    async def one_after_the_other(device: Any) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await device.send(ways.frame)
            count += 1

    with ways.device() as device:
        await asyncio.gather(*(one_after_the_other(device)
                               for _ in range(MANY)))
    return count


async def awaitd_send_many(ways: Ways, end: float) -> int:
    count = 0
    frames = [ways.frame] * 256
    with ways.device() as device:
        while time.perf_counter() < end:
            await device.send_many(frames)
            count += len(frames)
    return count


SENDERS: dict[str, Callable[[Ways, float], Awaitable[int]]] = {
    BASE: sock_sendall,
    "awaitd device.send()": awaitd_send,
    f"awaitd device.send(), {MANY} tasks": awaitd_send_in_tasks,
    "awaitd device.send_many(256)": awaitd_send_many,
}


@contextlib.contextmanager
def over_ethernet() -> Iterator[Ways]:
    with namespaces.veth_pair() as pair:

        def device() -> Any:
            with pair.near:
                return awaitd.open(
                    {"driver": "packet", "interface": "near0",
                     "direction": "in", "receive_buffer": "64k"})

        def flood() -> subprocess.Popen[str]:
            with pair.near:
                return subprocess.Popen(
                    [program("packet_flood"), "near0", str(SEND_S),
                     str(FRAME_BYTES)], stdout=subprocess.PIPE, text=True)

        frame = bytes.fromhex("020000000002 020000000001 88b5")
        yield Ways(lambda: pair.near_socket(1 << 16), device, flood,
                   frame.ljust(FRAME_BYTES, b"\0"))


@contextlib.contextmanager
def over_udp() -> Iterator[Ways]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        port = sink.getsockname()[1]

        def plain() -> socket.socket:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.connect(("127.0.0.1", port))
            return sender

        def device() -> Any:
            return awaitd.open({"driver": "udp",
                                "bind": f"127.0.0.1:{free_port()}",
                                "peer": f"127.0.0.1:{port}"})

        def flood() -> subprocess.Popen[str]:
            return subprocess.Popen(
                [program("flood"), str(port), str(SEND_S), str(FRAME_BYTES)],
                stdout=subprocess.PIPE, text=True)

        yield Ways(plain, device, flood, bytes(FRAME_BYTES))


def send(name: str, ways: Ways) -> float:
    async def bounded() -> float:
        async with asyncio.timeout(DEADLINE_S):
            begin = time.perf_counter()
            count = await SENDERS[name](ways, begin + SEND_S)
            return count / (time.perf_counter() - begin)

    with no_garbage_collection(), asyncio.Runner() as runner:
        return runner.run(bounded())


def send_on_the_floor(ways: Ways) -> float:
    flood = ways.flood()
    try:
        return ended(flood) / SEND_S
    finally:
        stop([flood])


def measure(rounds: int) -> dict[str, tuple[float, float]]:
    """Frames a second over Ethernet, and over UDP."""
    found: dict[str, dict[str, list[float]]] = {}
    with over_ethernet() as ethernet, over_udp() as udp:
        for _ in range(rounds):
            for kind, ways in (("ethernet", ethernet), ("udp", udp)):
                for name in SENDERS:
                    found.setdefault(name, {}).setdefault(kind, []).append(
                        send(name, ways))
                found.setdefault(FLOOR, {}).setdefault(kind, []).append(
                    send_on_the_floor(ways))
    return {
        name: (statistics.median(rates["ethernet"]),
               statistics.median(rates["udp"]))
        for name, rates in found.items()
    }
