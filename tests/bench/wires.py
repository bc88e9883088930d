"""From an Ethernet interface to a coroutine, as fast as it goes: a veth pair in
network namespaces of its own."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import awaitd
from common import (DEADLINE_S, cpu_s, namespaces, no_garbage_collection,
                    on_last_processor, program)
from flooded import Flooded, ended, stop
from receivers import BUFFER_BYTES

FRAME_BYTES = 128
FLOOD_S = 0.5
FLOOR = "a bare TPACKET_V3 loop in C"
END = 0x88B6  # EtherType of the last frame
END_BYTES = END.to_bytes(2, "big")
BASE = "loop.sock_recv"
Ready = Callable[[], None]
Result = tuple[int, float]  # frames, seconds from the first to the last


@contextlib.contextmanager
def open_queue(
    pair: Any,
) -> Iterator[awaitd.Queue[awaitd.EthernetFrame]]:
    with pair.near:
        device = awaitd.open({"driver": "packet", "interface": "near0",
                              "max_payload": FRAME_BYTES})
    with device:
        yield device.queue(depth=65_536)


async def awaitd_get(pair: Any, ready: Ready) -> Result:
    with open_queue(pair) as queue:
        ready()
        count = 1
        await queue.get()
        begin = end = time.perf_counter()
        while (await queue.get()).ethertype != END:
            count += 1
            end = time.perf_counter()
        return count, end - begin


async def awaitd_get_many(pair: Any, ready: Ready) -> Result:
    with open_queue(pair) as queue:
        ready()
        count = len(await queue.get_many(256))
        begin = end = time.perf_counter()
        while True:
            for frame in await queue.get_many(256):
                if frame.ethertype == END:
                    return count, end - begin
                count += 1
            end = time.perf_counter()


async def awaitd_get_batch(pair: Any, ready: Ready) -> Result:
    with open_queue(pair) as queue:
        ready()
        count = len(await queue.get_batch(256))
        begin = end = time.perf_counter()
        while True:
            batch = await queue.get_batch(256)
            if batch[-1].ethertype == END:
                return count + len(batch) - 1, end - begin
            count += len(batch)
            end = time.perf_counter()


async def sock_recv(pair: Any, ready: Ready) -> Result:
    loop = asyncio.get_running_loop()
    with pair.near_socket(BUFFER_BYTES) as receiver:
        receiver.setblocking(False)
        ready()
        count = 1
        await loop.sock_recv(receiver, 2048)
        begin = end = time.perf_counter()
        while (await loop.sock_recv(receiver, 2048))[12:14] != END_BYTES:
            count += 1
            end = time.perf_counter()
        return count, end - begin


RECEIVERS: dict[str, Callable[[Any, Ready], Awaitable[Result]]] = {
    BASE: sock_recv,
    "awaitd queue.get()": awaitd_get,
    "awaitd queue.get_many(256)": awaitd_get_many,
    "awaitd queue.get_batch(256)": awaitd_get_batch,
}


def start_flood(pair: Any) -> subprocess.Popen[str]:
    with pair.far:
        return subprocess.Popen(
            on_last_processor(program("packet_flood"), "far0", FLOOD_S,
                              FRAME_BYTES),
            stdout=subprocess.PIPE, text=True)


def receive_flood(name: str, pair: Any) -> Flooded:
    before_s = cpu_s()
    floods: list[subprocess.Popen[str]] = []
    with no_garbage_collection(), asyncio.Runner() as runner:

        async def bounded() -> Result:
            async with asyncio.timeout(DEADLINE_S):
                return await RECEIVERS[name](
                    pair, lambda: floods.append(start_flood(pair)))

        try:
            count, seconds = runner.run(bounded())
            sent = ended(floods[0])
        finally:
            stop(floods)
    return Flooded(count / seconds, sent / FLOOD_S, 1 - count / sent,
                   (cpu_s() - before_s) / count * 1e6)


def receive_on_the_floor(pair: Any) -> Flooded:
    with pair.near:
        processes = [subprocess.Popen([program("packet_floor"), "near0"],
                                      stdout=subprocess.PIPE, text=True)]
    try:
        assert processes[0].stdout is not None
        assert processes[0].stdout.readline() == "ready\n"
        processes.append(start_flood(pair))
        sent = ended(processes[1])
        words, _ = processes[0].communicate(timeout=DEADLINE_S)
    finally:
        stop(processes[1:] or processes)
    count, seconds, used_s = map(float, words.split())
    return Flooded(count / seconds, sent / FLOOD_S, 1 - count / sent,
                   used_s / count * 1e6)


def measure(rounds: int) -> dict[str, Flooded]:
    found: dict[str, list[Flooded]] = {}
    with namespaces.veth_pair() as pair:
        for _ in range(rounds):
            for name in RECEIVERS:
                found.setdefault(name, []).append(receive_flood(name, pair))
            found.setdefault(FLOOR, []).append(receive_on_the_floor(pair))
    return {
        name: Flooded(*(statistics.median(column) for column in zip(*floods)))
        for name, floods in found.items()
    }
