"""That the benchmarks run. What they measure decides nothing here."""

from __future__ import annotations

import sys
from pathlib import Path

import namespaces
import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench" / "bench.py"


@pytest.mark.parametrize(
    ("bench", "contenders"),
    [("get", ["asyncio.Queue.get()", "awaitd queue.get()"]),
     ("udp", ["loop.sock_recv", "awaitd queue.get()",
              "a bare recvmmsg() loop in C"]),
     ("packet", ["loop.sock_recv", "awaitd queue.get_batch(256)",
                 "a bare TPACKET_V3 loop in C"]),
     ("send", ["loop.sock_sendall", "awaitd device.send()",
               "a bare sendmmsg() loop in C"]),
     ("cpu", ["loop.sock_recv", 'awaitd get(), wakeup="fd"']),
     ("coroutine", ["async def, awaiting it", "C by hand, am_send",
                    "awaitd's API"]),
     ("memory", ["awaitd queue, full: the ring"]),
     ("spi", ["a bare clock_nanosleep() loop in C",
              "awaitd's sampling reader"]),
     ("control", ["status, the script waits",
                  "status, the GIL is held"])],
)
def test_bench_prints_a_row_for_each_contender(
    start_process, bench, contenders
):
    if bench in ("packet", "send") and namespaces.refusal():
        pytest.skip(namespaces.refusal())
    process = start_process(sys.executable, BENCH, "--quick", bench,
                            deadline_s=120)
    assert process.finish() == 0, process.stderr
    for name in contenders:
        assert f"  {name} " in process.stdout


def test_bench_refuses_what_it_does_not_know(start_process):
    process = start_process(sys.executable, BENCH, "gett")
    assert process.finish() == 2
    assert "there is no bench 'gett'" in process.stderr


def test_bench_renews_the_tables_of_a_page(start_process, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- bench: memory -->\nold\n<!-- end -->\nafter\n")
    process = start_process(sys.executable, BENCH, "--quick", "--markdown",
                            page, "memory", deadline_s=60)
    assert process.finish() == 0, process.stderr
    text = page.read_text()
    assert text.startswith("before\n<!-- bench: memory -->\n```text\n")
    assert text.endswith("```\n<!-- end -->\nafter\n")
    assert "old" not in text
    assert "the ring" in text
