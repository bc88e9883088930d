"""What is lost while the GIL is held, and what frames weigh that wait."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import awaitd
from common import DEADLINE_S, ROOT, free_port
from listeners import can, open_bus
from paced import start_pace

DEVICES = 4
RATE = 8_000
STREAM_S = 2.0
STALL_S = 1.0
DEPTH = 16_384  # a CAN queue's default; a UDP queue's is 4,096
FULL = 65_536


class Stalled(NamedTuple):
    sent: int
    arrived: int
    ledger: str


def hold_the_gil() -> None:
    """PyDLL calls without letting go of it."""
    ctypes.PyDLL(None).usleep(int(STALL_S * 1e6))


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def take(self, data: Any) -> bool:
        if len(data) == 1:
            return True
        self.count += 1
        return False


# Each gets a port, and says when it is bound; returns what its ledger says.
Listen = Callable[[int, Callable[[], None], Counter], Awaitable[str]]


async def listen_awaitd(
    port: int, ready: Callable[[], None], counter: Counter
) -> str:
    with awaitd.open({"driver": "udp", "bind": f"127.0.0.1:{port}",
                      "max_payload": 64}) as net:
        queue = net.queue(depth=DEPTH)
        ready()
        while not counter.take((await queue.get()).data):
            pass
        stats = queue.stats()
    counted = (stats.filtered + stats.delivered + stats.dropped
               + stats.pending)
    # The marks at the end come from the sender too.
    return "exact" if stats.received == counted else "WRONG"


async def listen_sock_recv(
    port: int, ready: Callable[[], None], counter: Counter
) -> str:
    loop = asyncio.get_running_loop()
    with default_socket(port) as receiver:
        ready()
        while not counter.take(await loop.sock_recv(receiver, 64)):
            pass
    return "none"


def default_socket(port: int) -> Any:
    """With the kernel's own buffer, as a script has it."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    receiver.bind(("127.0.0.1", port))
    return receiver


async def listen_python_can(
    port: int, ready: Callable[[], None], counter: Counter
) -> str:
    bus = open_bus(port, with_fd=False, make_socket=default_socket)
    reader = can.AsyncBufferedReader()
    notifier = can.Notifier(bus, [reader], timeout=0.1,
                            loop=asyncio.get_running_loop())
    try:
        ready()
        while not counter.take((await reader.get_message()).data):
            pass
    finally:
        notifier.stop()
        bus.shutdown()
    return "none"


async def stall(listen: Listen) -> Stalled:
    counters = [Counter() for _ in range(DEVICES)]
    paces: list[subprocess.Popen[str]] = []

    def start(port: int) -> None:
        paces.append(start_pace(port, RATE, STREAM_S))

    def listener(counter: Counter) -> Awaitable[str]:
        port = free_port()
        return listen(port, lambda: start(port), counter)

    try:
        async with asyncio.timeout(DEADLINE_S):
            asyncio.get_running_loop().call_later(0.5, hold_the_gil)
            ledgers = await asyncio.gather(*map(listener, counters))
        sent = 0
        for pace in paces:
            assert pace.stdout is not None
            sent += int(pace.stdout.readline())
    finally:
        for pace in paces:
            pace.kill()
            pace.communicate()
    return Stalled(sent, sum(counter.count for counter in counters),
                   "/".join(sorted(set(ledgers))))


def measure_stall() -> Iterator[tuple[str, Stalled]]:
    contenders: list[tuple[str, Listen]] = [
        ("loop.sock_recv, default buffer", listen_sock_recv)]
    if can is not None:
        contenders.append(
            ("python-can, thread, default buffer", listen_python_can))
    contenders.append(("awaitd get()", listen_awaitd))
    for name, listen in contenders:
        yield name, asyncio.run(stall(listen))


# ---- memory ----


def resident(kind: str) -> int:
    """Bytes of this process: Anon or Shmem."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(f"Rss{kind}:"):
                return int(line.split()[1]) << 10
    raise AssertionError(kind)


def weigh_queue(*kinds: str) -> int:
    """The ring is shared memory (Shmem); Anon is all that comes with a queue,
    with its device, its reader and its bridge."""
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        log.writelines(f"({n}.000000) can0 {n % 0x800:03X}#{n:016X}\n"
                       for n in range(10_000))
        log.flush()
        gc.collect()
        before = sum(map(resident, kinds))
        options = {"driver": "replay", "speed": "max", "loop": "yes",
                   "path": log.name, "max_payload": "8"}
        with awaitd.open(options) as device:
            queue = device.queue(depth=FULL)
            deadline = time.monotonic() + DEADLINE_S
            while queue.qsize() < FULL and time.monotonic() < deadline:
                time.sleep(0.01)
            assert queue.qsize() == FULL
            return sum(map(resident, kinds)) - before


def weigh_messages() -> int:
    """What python-can's reader keeps of what its bus has received."""

    async def fill() -> int:
        reader = can.AsyncBufferedReader()
        gc.collect()
        before = resident("Anon")
        for number in range(FULL):
            reader.on_message_received(can.Message(
                timestamp=time.time(), arbitration_id=number % 0x800,
                is_extended_id=False, data=number.to_bytes(8, "big"),
                channel="can0"))
        return resident("Anon") - before

    return asyncio.run(fill())


def measure_memory() -> Iterator[tuple[str, int]]:
    """Each in a process of its own, whose heap is not used yet."""
    weights = {
        "awaitd queue, full: the ring": "weigh_queue('Shmem')",
        "awaitd queue, full: with its device": "weigh_queue('Shmem', 'Anon')",
    }
    if can is not None:
        weights["python-can AsyncBufferedReader"] = "weigh_messages()"
    for name, function in weights.items():
        weighed = subprocess.run(
            [sys.executable, "-c", f"import held; print(held.{function})"],
            cwd=ROOT / "tests" / "bench", stdout=subprocess.PIPE, text=True,
            check=True, timeout=60)
        yield name, int(weighed.stdout)
