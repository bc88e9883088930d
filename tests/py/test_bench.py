"""That the benchmarks run. What they measure decides nothing here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench" / "bench.py"


@pytest.mark.parametrize(
    ("bench", "contenders"),
    [("get", ["asyncio.Queue.get()", "awaitd queue.get()"]),
     ("udp", ["loop.sock_recv", "awaitd queue.get()"])],
)
def test_bench_prints_a_row_for_each_contender(
    start_process, bench, contenders
):
    process = start_process(sys.executable, BENCH, "--rounds", 1, bench,
                            deadline_s=60)
    assert process.finish() == 0, process.stderr
    for name in contenders:
        assert f"  {name} " in process.stdout


def test_bench_refuses_what_it_does_not_know(start_process):
    process = start_process(sys.executable, BENCH, "gett")
    assert process.finish() == 2
    assert "there is no bench 'gett'" in process.stderr
