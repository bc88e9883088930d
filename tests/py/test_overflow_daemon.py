"""Blocking queues under the daemon: who may hold up whom, and what it shows."""

from __future__ import annotations

import json

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

# Says that it has attached until the other script says that it is done.
OTHER = """
import awaitd
from awaitd.devices import bus
q = bus.queue()
done = False
while not done:
    await bus.send(awaitd.CanFrame(1))
    done = await q.get_many(1, timeout=0.01)
"""

BLOCKING = """
import awaitd
from awaitd.devices import bus
with bus.queue() as hello:
    await hello.get()
try:
    q = bus.queue(overflow="block", depth=4)
    q.close()
    print("attached")
except ValueError as error:
    print("refused:", error)
await bus.send(awaitd.CanFrame(2))
"""


@pytest.mark.parametrize("allowed", [False, True])
def test_block_needs_leave_where_scripts_share_a_device(host, allowed):
    device = "bus=virtual:can" + (",allow_block=yes" if allowed else "")
    done = host.run(devices=(device,), one=OTHER, two=BLOCKING)
    if allowed:
        assert "attached" in done.stdout
    else:
        assert "refused:" in done.stdout
        assert "allow_block: yes" in done.stdout


def test_stalls_are_shown_in_the_ledger(host, tmp_path):
    path = tmp_path / "stats.json"
    program = """
        import asyncio, awaitd
        from awaitd.devices import bus
        q = bus.queue(overflow="block", depth=1)
        for n in (1, 2):
            await bus.send(awaitd.CanFrame(n))
        while not q.stats().stalls:
            await asyncio.sleep(0.001)
        assert (await q.get()).arbitration_id == 1
        assert (await q.get()).arbitration_id == 2
        """
    script = host.write("script.py", program)
    process = host._run_daemon(
        "run", "--stats-json", path,
        "-d", "bus=virtual:can,receive_own=yes", script
    )
    assert process.finish() == 0, process.stderr
    (queue,) = json.loads(path.read_text())["devices"][0]["queues"]
    assert queue["stalls"] >= 1
    assert queue["stalled_ns"] > 0
    assert ", stalled " in process.stderr
