"""A second of pure Python while 8,000 datagrams arrive: awaitd loses none, and
its ledger is exact; a socket read by asyncio loses what its buffer cannot hold.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.daemon

BURN = Path(__file__).resolve().parents[2] / "examples" / "burn.py"
# What the kernel charges a socket's buffer for a short datagram, at the least.
TRUESIZE = 768
BURNT_FRAMES = 8_000


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lost(output: str, receiver: str) -> int:
    """Of the receiver's own count, against what the sender has sent."""
    found = re.search(rf"{receiver}: \d+ of (\d+) datagrams, (\d+) lost",
                      output)
    assert found, output
    assert int(found[1]) == 12_000
    return int(found[2])


def test_h43_daemon_loses_none_while_its_script_computes(
    run_daemon, tmp_path, port
):
    report = tmp_path / "stats.json"
    process = run_daemon(
        "run", "-d", f"net=udp:127.0.0.1:{port}", "--stats-json", report,
        "--fail-on-drop", BURN, port, deadline_s=40,
    )
    assert process.finish() == 0, process.stderr
    assert lost(process.stdout, "awaitd") == 0
    ledger = json.loads(report.read_text())
    assert ledger["exact"] is True
    [queue] = ledger["devices"][0]["queues"]
    assert queue["received"] == queue["delivered"] == 12_000


def test_extension_loses_none_where_sock_recv_does(start_process, port):
    buffer = int(Path("/proc/sys/net/core/rmem_default").read_text())
    process = start_process(
        sys.executable, "-m", "awaitd", "-d", f"net=udp:127.0.0.1:{port}",
        BURN, port, deadline_s=40,
    )
    assert process.finish() == 0, process.stderr
    assert lost(process.stdout, "awaitd") == 0
    if buffer > BURNT_FRAMES * TRUESIZE:
        pytest.skip(f"net.core.rmem_default = {buffer} holds a whole second "
                    "here: that sock_recv loses frames is NOT shown")
    assert lost(process.stdout, "loop.sock_recv") > 0
