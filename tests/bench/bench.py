#!/usr/bin/env python3
"""Compares awaitd with asyncio's own means: `./run bench`.

Every figure is a median of several rounds; all contenders take turns in one
run on one machine, because only their ratios mean something. The garbage
collector is off while something is timed.

    PYTHONPATH=build python3 tests/bench/bench.py [--rounds N] [get|udp|burn]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import _awaitd
import awaitd
from receivers import BASE, RECEIVERS, Receiver

ROOT = Path(__file__).resolve().parents[2]
FLOOD = Path(_awaitd.__file__).parent / "tests" / "bench" / "flood"
LOG = ROOT / "examples" / "drive.log"
GETS = 10_000  # of the log's frames
MANY = 256
DATAGRAM_BYTES = 64
FLOOD_S = 0.5
DEADLINE_S = 20.0

Timed = Callable[[], Awaitable[float]]  # nanoseconds for one get


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def table(title: str, head: str, rows: list[str]) -> None:
    print(f"\n{title}\n\n  {head}")
    for row in rows:
        print(f"  {row}")


# ---- a get() that finds a frame ----


async def at_once() -> int:
    return 1


async def time_function() -> float:
    begin = time.perf_counter_ns()
    for _ in range(GETS):
        await at_once()
    return (time.perf_counter_ns() - begin) / GETS


async def time_asyncio_queue() -> float:
    queue: asyncio.Queue[object] = asyncio.Queue()
    for number in range(GETS):
        queue.put_nowait(number)
    begin = time.perf_counter_ns()
    for _ in range(GETS):
        await queue.get()
    return (time.perf_counter_ns() - begin) / GETS


@contextlib.asynccontextmanager
async def full_queue() -> AsyncIterator[awaitd.Queue[awaitd.CanFrame]]:
    """A queue in which the frames of the example drive wait."""
    with awaitd.open({"driver": "replay", "path": LOG, "speed": "max"}) as log:
        queue = log.queue()
        async with asyncio.timeout(DEADLINE_S):
            while queue.qsize() < GETS:
                await asyncio.sleep(0)
        yield queue


async def time_get() -> float:
    async with full_queue() as queue:
        begin = time.perf_counter_ns()
        for _ in range(GETS):
            await queue.get()
        return (time.perf_counter_ns() - begin) / GETS


async def time_get_many() -> float:
    async with full_queue() as queue:
        rounds = GETS // MANY
        begin = time.perf_counter_ns()
        for _ in range(rounds):
            await queue.get_many(MANY)
        return (time.perf_counter_ns() - begin) / (rounds * MANY)


GETTERS: dict[str, Timed] = {
    "asyncio.Queue.get()": time_asyncio_queue,
    "async def, returning at once": time_function,
    "awaitd queue.get()": time_get,
    f"awaitd queue.get_many({MANY}), a frame": time_get_many,
}


async def time_getters(rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in GETTERS}
    for _ in range(rounds):
        for name, timed in GETTERS.items():
            with no_garbage_collection():
                times[name].append(await timed())
    return {name: statistics.median(found) for name, found in times.items()}


def bench_get(rounds: int) -> None:
    times = asyncio.run(time_getters(rounds * 3))
    base = times["asyncio.Queue.get()"]
    table(
        f"await with {GETS:,} frames there; awaitd's make the frame object,"
        "\nasyncio.Queue's hand over one that exists",
        f"{'':34} {'time':>6} {'ns':>7}",
        [f"{name:34} {ns / base:6.2f} {ns:7.0f}" for name, ns in times.items()],
    )


# ---- from a UDP socket to a coroutine ----


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_flood(port: int) -> subprocess.Popen[str]:
    """On the last processor; what receives runs on the others."""
    last = max(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(last), str(FLOOD), str(port),
               str(FLOOD_S), str(DATAGRAM_BYTES)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class Flooded(NamedTuple):
    """What became of a flood."""

    rate: float  # datagrams a second that reached the coroutine
    offered: float  # datagrams a second that were sent
    lost: float  # share of those sent
    cpu_us: float  # of this process, all threads, for each that arrived


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def receive_flood(receiver: Receiver) -> Flooded:
    port = free_port()
    before_s = cpu_s()
    with no_garbage_collection(), receiver.runner() as runner:
        floods: list[subprocess.Popen[str]] = []

        async def bounded() -> tuple[int, float]:
            async with asyncio.timeout(DEADLINE_S):
                return await receiver.receive(
                    port, lambda: floods.append(start_flood(port)))

        try:
            count, seconds = runner.run(bounded())
            assert floods[0].stdout is not None
            sent = int(floods[0].stdout.readline())
        finally:
            for flood in floods:
                flood.kill()
                flood.communicate()
    return Flooded(count / seconds, sent / FLOOD_S, 1 - count / sent,
                   (cpu_s() - before_s) / count * 1e6)


def median_flood(floods: list[Flooded]) -> Flooded:
    medians = [statistics.median(column) for column in zip(*floods)]
    return Flooded(*medians)


def bench_udp(rounds: int) -> None:
    if not FLOOD.exists():
        sys.exit(f"bench: {FLOOD} is missing: ./run build makes it")
    found: dict[str, list[Flooded]] = {}
    for _ in range(rounds):
        for receiver in RECEIVERS:
            found.setdefault(receiver.name, []).append(receive_flood(receiver))
    results = {name: median_flood(floods) for name, floods in found.items()}
    base = results[BASE]
    table(
        f"UDP to a coroutine: a flood of {DATAGRAM_BYTES} byte datagrams over "
        f"loopback for {FLOOD_S:g} s;\nall with the same receive buffer; "
        "cpu is the process's, for a datagram that arrived",
        f"{'':40} {'rate':>5} {'cpu':>5} {'lost':>6} {'frames/s':>10} "
        f"{'offered/s':>10}",
        [f"{name:40} {flood.rate / base.rate:5.2f} "
         f"{flood.cpu_us / base.cpu_us:5.2f} {flood.lost:6.1%} "
         f"{flood.rate:10,.0f} {flood.offered:10,.0f}"
         for name, flood in results.items()],
    )


# ---- a script that computes ----


def bench_burn(_rounds: int) -> None:
    port = free_port()
    print("\nOne second of pure Python while 8,000 datagrams arrive\n",
          flush=True)
    subprocess.run(
        [sys.executable, "-m", "awaitd", "-d", f"net=udp:127.0.0.1:{port}",
         ROOT / "examples" / "burn.py", str(port)],
        check=True, timeout=60,
    )


BENCHES = {"get": bench_get, "udp": bench_udp, "burn": bench_burn}


def main() -> None:
    parser = argparse.ArgumentParser(description="awaitd against asyncio")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("bench", nargs="*", metavar="get|udp|burn")
    given = parser.parse_args()
    for name in given.bench:
        if name not in BENCHES:
            parser.error(f"there is no bench {name!r}")
    print(f"awaitd {awaitd.__version__}, Python {sys.version.split()[0]}, "
          f"Linux {os.uname().release}, {os.cpu_count()} processors")
    for name in given.bench or BENCHES:
        BENCHES[name](given.rounds)


if __name__ == "__main__":
    main()
