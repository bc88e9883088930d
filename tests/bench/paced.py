"""Steady streams: processor time for a frame, and how long each waits."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from common import (cpu_s, free_port, no_garbage_collection,
                    on_last_processor, program)
from listeners import LISTENERS, Listener


PATIENCE_S = 1.5


class Paced(NamedTuple):
    """What became of a stream."""

    cpu_us: float  # of this process, all threads, for each that arrived
    p50_us: float  # from the sender's send() to the script
    p99_us: float
    lost: float  # share of those sent


def start_pace(port: int, rate: int, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        on_last_processor(program("pace"), port, rate, seconds),
        stdout=subprocess.PIPE, text=True)


class Taker:
    """Notes when each frame was there."""

    def __init__(self) -> None:
        self.waits_ns: list[int] = []

    def take(self, data: bytes) -> bool:
        if len(data) == 1:
            return True
        self.waits_ns.append(
            time.monotonic_ns() - int.from_bytes(data, "little"))
        return False


def listen(listener: Listener, rate: int, seconds: float) -> Paced:
    port = free_port()
    taker = Taker()
    begin_s = 0.0
    paces: list[subprocess.Popen[str]] = []

    def ready() -> None:
        nonlocal begin_s
        begin_s = cpu_s()
        paces.append(start_pace(port, rate, seconds))

    async def bounded() -> None:
        # Who is far behind is given up: then its waits are those so far.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds + PATIENCE_S):
                await listener.listen(port, ready, taker.take)

    try:
        with no_garbage_collection():
            asyncio.run(bounded())
            used_s = cpu_s() - begin_s
        assert paces[0].stdout is not None
        sent = int(paces[0].stdout.readline())
    finally:
        for pace in paces:
            pace.kill()
            pace.communicate()
    waits = sorted(taker.waits_ns)
    return Paced(used_s / len(waits) * 1e6, waits[len(waits) // 2] / 1e3,
                 waits[len(waits) * 99 // 100] / 1e3, 1 - len(waits) / sent)


@contextlib.contextmanager
def busy_thread() -> Iterator[None]:
    """One thread that computes in pure Python."""
    stop = False

    def compute() -> None:
        number = 0
        while not stop:
            number = (number * 31 + 7) % 1_000_003

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        stop = True
        thread.join()


Results = dict[tuple[str, int], Paced]  # by name and rate


def measure(
    rates: list[int], rounds: int, seconds: float, busy: bool
) -> Results:
    found: dict[tuple[str, int], list[Paced]] = {}
    for _ in range(rounds):
        for rate in rates:
            for listener in LISTENERS:
                with busy_thread() if busy else contextlib.nullcontext():
                    found.setdefault((listener.name, rate), []).append(
                        listen(listener, rate, seconds))
    return {
        which: Paced(*(statistics.median(column) for column in zip(*paced)))
        for which, paced in found.items()
    }
