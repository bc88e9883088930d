#!/usr/bin/env python3
"""Compares awaitd with what a user would pick instead: `./run bench`.

Every figure is a median of several rounds; all contenders take turns in one
run on one machine, because only their ratios mean something. The garbage
collector is off while something is timed.

    PYTHONPATH=build python3 tests/bench/bench.py [--quick] [--rounds N]
        [--markdown docs/benchmarks.md] [--plots docs] [BENCH…]

--quick shows that everything runs; its figures mean little. --markdown renews
the tables of a page in place, --plots draws bench-cpu.svg and
bench-latency.svg (needs python3-matplotlib).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import awaitd
import coroutines
import flooded
import getters
import held
import paced
import plots
import questions
import sampled
import senders
import wires
from common import ROOT, Page, free_port, namespaces
from listeners import LISTENERS
from receivers import BASE

BASE_GET = "asyncio.Queue.get()"
RATES = [1_000, 8_000, 20_000, 50_000]
LATENCY_RATES = [1_000, 8_000]


@dataclass
class Run:
    """How, and what was found so far."""

    rounds: int
    seconds: float  # of a steady stream
    plots: Path | None
    page: Page


def bench_get(run: Run) -> None:
    times = getters.measure(run.rounds * 3)
    base = times[BASE_GET]
    run.page.table(
        "get",
        f"await with {getters.GETS:,} frames there; awaitd's make the frame "
        "object,\nasyncio.Queue's hand over one that exists",
        f"{'':38} {'time':>6} {'ns':>7}",
        [f"{name:38} {ns / base:6.3f} {ns:7.1f}" for name, ns in times.items()],
    )


def bench_coroutine(run: Run) -> None:
    run.page.table(
        "coroutine",
        "awaiting a coroutine that returns at once, by way of another "
        "awaitable, made anew\neach time; above: the coroutine itself; "
        "ratios to async def",
        f"{'':30} {'await':>6} {'ns':>7} {'above':>7} {'task':>8} {'ns':>7}",
        [f"{row.name:30} {row.await_ratio:6.2f} {row.await_ns:7.1f} "
         f"{row.above_ns:7.1f} {row.task_ratio:8.3f} {row.task_ns:7.0f}"
         for row in coroutines.measure(run.rounds * 5)],
    )


def bench_udp(run: Run) -> None:
    results = flooded.measure(run.rounds)
    base = results[BASE]
    run.page.table(
        "udp",
        f"UDP to a coroutine: a flood of {flooded.DATAGRAM_BYTES} byte "
        f"datagrams over loopback for {flooded.FLOOD_S:g} s;\nall with the "
        "same receive buffer; cpu is the process's, for a datagram that "
        "arrived",
        f"{'':41} {'rate':>5} {'floor':>5} {'cpu':>5} {'lost':>6} "
        f"{'frames/s':>10} {'offered/s':>10}",
        [f"{name:41} {flood.rate / base.rate:5.2f} "
         f"{flood.rate / results[flooded.FLOOR].rate:5.2f} "
         f"{flood.cpu_us / base.cpu_us:5.2f} {flood.lost:6.1%} "
         f"{flood.rate:10,.0f} {flood.offered:10,.0f}"
         for name, flood in results.items()],
    )


def refused(bench: str) -> bool:
    """Says so where this machine does not permit it."""
    reason = namespaces.refusal()
    if reason:
        print(f"\nbench {bench}: left out: {reason}")
    return reason is not None


def bench_packet(run: Run) -> None:
    if refused("packet"):
        return
    results = wires.measure(run.rounds)
    base, floor = results[wires.BASE], results[wires.FLOOR]
    run.page.table(
        "packet",
        f"Ethernet to a coroutine: a flood of {wires.FRAME_BYTES} byte frames "
        f"over a veth pair for {wires.FLOOD_S:g} s;\ncpu is the process's, for "
        "a frame that arrived",
        f"{'':30} {'rate':>5} {'floor':>5} {'cpu':>5} {'lost':>6} "
        f"{'frames/s':>10} {'offered/s':>10}",
        [f"{name:30} {flood.rate / base.rate:5.2f} "
         f"{flood.rate / floor.rate:5.2f} {flood.cpu_us / base.cpu_us:5.2f} "
         f"{flood.lost:6.1%} {flood.rate:10,.0f} {flood.offered:10,.0f}"
         for name, flood in results.items()],
    )


def bench_send(run: Run) -> None:
    if refused("send"):
        return
    results = senders.measure(run.rounds)
    base, floor = results[senders.BASE], results[senders.FLOOR]
    run.page.table(
        "send",
        f"frames of {senders.FRAME_BYTES} bytes that the kernel took, for "
        f"{senders.SEND_S:g} s",
        f"{'':32} {'Ethernet':>8} {'floor':>5} {'frames/s':>10} "
        f"{'UDP':>8} {'floor':>5} {'frames/s':>10}",
        [f"{name:32} {rates[0] / base[0]:8.2f} {rates[0] / floor[0]:5.2f} "
         f"{rates[0]:10,.0f} {rates[1] / base[1]:8.2f} "
         f"{rates[1] / floor[1]:5.2f} {rates[1]:10,.0f}"
         for name, rates in results.items()],
    )


def cells(results: paced.Results, name: str, base: str, field: str) -> str:
    """A ratio and a figure for each rate."""
    text = ""
    for rate in sorted({rate for _, rate in results}):
        figure = getattr(results[name, rate], field)
        ratio = figure / getattr(results[base, rate], field)
        text += f" {ratio:7.2f} {figure:7.1f}"
    return text


def bench_cpu(run: Run) -> None:
    """The same streams say how long each frame waited."""
    results = paced.measure(RATES, run.rounds, run.seconds, busy=False)
    base = LISTENERS[0].name
    run.page.table(
        "cpu",
        "processor time of the process for a frame, at steady rates\n"
        f"(ratio to {base}, microseconds)",
        f"{'frames/s':40}" + "".join(f" {rate:15,}" for rate in RATES),
        [f"{name:40}" + cells(results, name, base, "cpu_us")
         for name in (listener.name for listener in LISTENERS)],
    )
    # Shorter: most contenders fall far behind.
    beside = paced.measure(LATENCY_RATES, run.rounds, run.seconds * 0.4,
                           busy=True)
    bench_latency(run, results, beside)
    if run.plots:
        plots.draw_cpu(run.plots / "bench-cpu.svg", results, RATES)
        plots.draw_latency(run.plots / "bench-latency.svg",
                           {"alone": results, "beside a busy thread": beside},
                           LATENCY_RATES)


def bench_latency(
    run: Run, alone: paced.Results, beside: paced.Results
) -> None:
    for name, title, results in (
        ("latency", "alone", alone),
        ("latency-busy", "beside one Python thread that computes", beside),
    ):
        run.page.table(
            name,
            f"from send() to the script, {title}: p50 and p99, microseconds",
            f"{'frames/s':40}"
            + "".join(f" {rate:10,} p50 {'p99':>10}" for rate in LATENCY_RATES),
            [f"{listener.name:40}" + "".join(
                f" {results[listener.name, rate].p50_us:14,.0f} "
                f"{results[listener.name, rate].p99_us:10,.0f}"
                for rate in LATENCY_RATES)
             for listener in LISTENERS],
        )


def bench_stall(run: Run) -> None:
    run.page.table(
        "stall",
        f"the GIL held for {held.STALL_S:g} s, {held.DEVICES} devices at "
        f"{held.RATE:,} frames/s each",
        f"{'':40} {'sent':>8} {'arrived':>8} {'lost':>7}  ledger",
        [f"{name:40} {stall.sent:8,} {stall.arrived:8,} "
         f"{stall.sent - stall.arrived:7,}  {stall.ledger}"
         for name, stall in held.measure_stall()],
    )


def bench_memory(run: Run) -> None:
    run.page.table(
        "memory",
        f"{held.FULL:,} classic CAN frames waiting",
        f"{'':40} {'MiB':>7} {'bytes a frame':>14}",
        [f"{name:40} {size / (1 << 20):7.2f} {size / held.FULL:14.1f}"
         for name, size in held.measure_memory()],
    )


def bench_spi(run: Run) -> None:
    results = sampled.measure(run.rounds * 5, run.seconds)
    run.page.table(
        "spi",
        f"SPI sampling at {sampled.RATE:,} Hz, the transfer itself a stub: "
        "from a tick\nto the next transfer, in microseconds (medians of "
        "the rounds)",
        f"{'':40} {'p99':>5} {'p50 us':>8} {'p99 us':>8} {'max us':>8} "
        f"{'ticks':>8} {'skipped':>8}",
        [f"{name:40} {sampled.ratio(results, name):5.2f} {jitter.p50_us:8.1f} "
         f"{jitter.p99_us:8.1f} {jitter.max_us:8.1f} {jitter.ticks:8,} "
         f"{jitter.skipped:8,}"
         for name, jitter in results.items()],
    )


def bench_control(run: Run) -> None:
    times = questions.measure(run.seconds)
    run.page.table(
        "control",
        "the control socket: from a question to its whole answer, in "
        "milliseconds,\nwhile the script waits, and while it is in C code "
        "that keeps the GIL",
        f"{'':40} {'asked':>7} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}",
        [f"{name:40} {len(found):7,} {found[len(found) // 2]:8.3f} "
         f"{found[len(found) * 99 // 100]:8.3f} {found[-1]:8.3f}"
         for name, found in times.items()],
    )


def bench_burn(_run: Run) -> None:
    port = free_port()
    print("\nOne second of pure Python while 8,000 datagrams arrive\n",
          flush=True)
    subprocess.run(
        [sys.executable, "-m", "awaitd", "-d", f"net=udp:127.0.0.1:{port}",
         ROOT / "examples" / "burn.py", str(port)],
        check=True, timeout=60,
    )


BENCHES: dict[str, Callable[[Run], None]] = {
    "get": bench_get,
    "coroutine": bench_coroutine,
    "udp": bench_udp,
    "packet": bench_packet,
    "send": bench_send,
    "cpu": bench_cpu,  # and latency
    "stall": bench_stall,
    "memory": bench_memory,
    "spi": bench_spi,
    "control": bench_control,
    "burn": bench_burn,
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="awaitd against the others")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--markdown", type=Path, metavar="PAGE")
    parser.add_argument("--plots", type=Path, metavar="FOLDER")
    parser.add_argument("bench", nargs="*", metavar="|".join(BENCHES))
    given = parser.parse_args()
    for name in given.bench:
        if name not in BENCHES:
            parser.error(f"there is no bench {name!r}")
    return given


def main() -> None:
    given = parse()
    run = Run(
        rounds=1 if given.quick else given.rounds,
        seconds=0.1 if given.quick else 1.0,
        plots=given.plots if plots.usable(given.plots) else None,
        page=Page(),
    )
    print(f"awaitd {awaitd.__version__}, Python {sys.version.split()[0]}, "
          f"Linux {os.uname().release}, {os.cpu_count()} processors")
    for name in given.bench or BENCHES:
        BENCHES[name](run)
    if given.markdown:
        run.page.write(given.markdown)


if __name__ == "__main__":
    main()
