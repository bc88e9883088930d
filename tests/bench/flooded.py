"""From a UDP socket to a coroutine, as fast as it goes."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from common import (DEADLINE_S, cpu_s, free_port, no_garbage_collection,
                    on_last_processor, program)
from listeners import can, python_can
from receivers import RECEIVERS, Ready, Receiver, Result

DATAGRAM_BYTES = 64
FLOOD_S = 0.5
FLOOR = "a bare recvmmsg() loop in C"


class Flooded(NamedTuple):
    """What became of a flood."""

    rate: float  # datagrams a second that reached the coroutine
    offered: float  # datagrams a second that were sent
    lost: float  # share of those sent
    cpu_us: float  # of this process, all threads, for each that arrived


def from_python_can(with_fd: bool) -> Callable[[int, Ready], Awaitable[Result]]:
    async def receive(port: int, ready: Ready) -> Result:
        count = 0
        begin = 0.0

        def take(data: bytes) -> bool:
            nonlocal count, begin
            begin = begin or time.perf_counter()
            count += len(data) != 1
            return len(data) == 1

        await python_can(with_fd)(port, ready, take)
        return count, time.perf_counter() - begin

    return receive


CONTENDERS = list(RECEIVERS)
if can is not None:
    CONTENDERS += [
        Receiver("python-can, thread", from_python_can(with_fd=False)),
        Receiver("python-can, fd", from_python_can(with_fd=True)),
    ]


def start_flood(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        on_last_processor(program("flood"), port, FLOOD_S, DATAGRAM_BYTES),
        stdout=subprocess.PIPE, text=True)


def ended(flood: subprocess.Popen[str]) -> int:
    """How many datagrams it has sent."""
    assert flood.stdout is not None
    return int(flood.stdout.readline())


def stop(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def receive_flood(receiver: Receiver) -> Flooded:
    port = free_port()
    before_s = cpu_s()
    floods: list[subprocess.Popen[str]] = []
    with no_garbage_collection(), receiver.runner() as runner:

        async def bounded() -> tuple[int, float]:
            async with asyncio.timeout(DEADLINE_S):
                return await receiver.receive(
                    port, lambda: floods.append(start_flood(port)))

        try:
            count, seconds = runner.run(bounded())
            sent = ended(floods[0])
        finally:
            stop(floods)
    return Flooded(count / seconds, sent / FLOOD_S, 1 - count / sent,
                   (cpu_s() - before_s) / count * 1e6)


def receive_on_the_floor() -> Flooded:
    port = free_port()
    processes = [subprocess.Popen([program("floor"), str(port)],
                                  stdout=subprocess.PIPE, text=True)]
    try:
        assert processes[0].stdout is not None
        assert processes[0].stdout.readline() == "ready\n"
        processes.append(start_flood(port))
        sent = ended(processes[1])
        words, _ = processes[0].communicate(timeout=DEADLINE_S)
    finally:
        stop(processes[1:] or processes)
    count, seconds, used_s = map(float, words.split())
    return Flooded(count / seconds, sent / FLOOD_S, 1 - count / sent,
                   used_s / count * 1e6)


def measure(rounds: int) -> dict[str, Flooded]:
    found: dict[str, list[Flooded]] = {}
    for _ in range(rounds):
        for receiver in CONTENDERS:
            found.setdefault(receiver.name, []).append(receive_flood(receiver))
        found.setdefault(FLOOR, []).append(receive_on_the_floor())
    return {
        name: Flooded(*(statistics.median(column) for column in zip(*floods)))
        for name, floods in found.items()
    }
