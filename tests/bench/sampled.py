"""How regularly a chip on an SPI bus is sampled (spi_bench.c)."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from common import program

RATE = 1_000
BASE = "the same, timer slack 1 ns"
# What each is compared with, where that is not BASE.
BASES = {
    "bare loop, SCHED_FIFO": "bare loop, SCHED_FIFO",
    "awaitd, priority: 50": "bare loop, SCHED_FIFO",
}


@dataclass
class Jitter:
    """From a tick of the period to the next transfer, in microseconds."""

    p50_us: float
    p99_us: float
    max_us: float
    ticks: int
    skipped: int  # ticks without a transfer of their own


def ratio(results: dict[str, Jitter], name: str) -> float:
    """Of the p99, to the bare loop of the same scheduling."""
    return results[name].p99_us / results[BASES.get(name, BASE)].p99_us


def measure(rounds: int, seconds: float) -> dict[str, Jitter]:
    done = subprocess.run(
        [program("spi_bench"), str(rounds), str(seconds)],
        check=True, capture_output=True, text=True,
        timeout=60 + 10 * rounds * seconds,
    )
    results = {}
    for line in done.stdout.splitlines():
        p50, p99, top, ticks, skipped, name = line.split(maxsplit=5)
        results[name] = Jitter(int(p50) / 1e3, int(p99) / 1e3, int(top) / 1e3,
                               int(ticks), int(skipped))
    return results
