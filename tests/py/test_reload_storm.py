"""Many reloads under load: every frame once, and one writer at a time."""

from __future__ import annotations

import signal

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

RELOADS = 200

# 8,000 frames a second, in bursts of 80, numbered; ends when told to.
TRAFFIC = """
    import asyncio, awaitd, os, time
    from awaitd.devices import bus
    number = 0
    began = time.monotonic()
    while not os.path.exists("{stop}"):
        due = int((time.monotonic() - began) * 8000)
        while number < due:
            await bus.send(awaitd.CanFrame(0x100, number.to_bytes(4, "big")))
            number += 1
        await asyncio.sleep(0.01)
    await bus.send(awaitd.CanFrame(0x101, number.to_bytes(4, "big")))
    print("sent", number, flush=True)
    await asyncio.Event().wait()
"""

# Takes them, and checks that each is the next one. Beside that it sends control
# frames with its generation, from its first moment to the last.
UNDER = """
    import asyncio, awaitd
    from awaitd.devices import bus, wire
    script, state = awaitd.script, awaitd.script.state
    q = bus.queue(name="q")
    print("began", flush=True)
    me = script.generation.to_bytes(4, "big")

    async def control():
        while True:
            await wire.send(awaitd.CanFrame(0x200, me))
            await asyncio.sleep(0.001)

    async def work():
        expected = state.get("next")
        try:
            async for frame in q:
                number = int.from_bytes(frame.data, "big")
                if frame.arbitration_id == 0x101:
                    print("complete", expected == number, flush=True)
                    continue
                if expected is None:
                    expected = number  # what came before the queue was open
                if number != expected or frame.lost_before:
                    print("gap", expected, number, flush=True)
                expected = number + 1
        finally:
            state["next"] = expected

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(control())
            group.create_task(work())
    finally:
        await wire.send(awaitd.CanFrame(0x201, me))  # the last word
    # {0}
"""

# Sees the control frames: generations follow each other, each to its last word.
MONITOR = """
    import awaitd
    from awaitd.devices import wire
    current, over, count = 0, True, 0
    async for frame in wire.queue(name="seen", depth=1 << 18):
        generation = int.from_bytes(frame.data, "big")
        if generation < current or (generation > current and not over):
            print("interleaved", current, generation, flush=True)
        if generation == current and over:
            print("after its end", generation, flush=True)
        count += generation > current
        current, over = generation, frame.arbitration_id == 0x201
        if over and count % 20 == 0:
            print("seen", count, flush=True)
"""


def test_200_reloads_under_8000_frames_a_second(host, run_daemon):  # noqa: F811
    stop = host.folder / "stop"
    host.write("traffic.py", TRAFFIC.format(stop=stop))
    host.write("monitor.py", MONITOR)
    under = host.write("under.py", UNDER.format(1))
    file = host.write(
        "awaitd.yaml",
        """
        reload_settle_s: 0.02
        scripts:
          - {path: monitor.py}
          - {path: under.py}
          - {path: traffic.py}
        """,
    )
    process = run_daemon(
        "run", "-c", file, "-d", "bus=virtual:can", "-d", "wire=virtual:can",
        deadline_s=110,
    )  # fmt: skip
    process.line("under: began")
    for number in range(2, RELOADS + 2):
        host.write("under.py", UNDER.format(number))
        process.signal(signal.SIGHUP)
        line = process.line("under is reloaded", stream="stderr")
        assert line.endswith(f"generation {number}")
    assert under.exists()
    stop.touch()
    assert process.line("complete") == "under: complete True"
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    for wrong in ("gap", "interleaved", "after its end"):
        assert wrong not in process.stdout
    assert f"monitor: seen {RELOADS}" in process.stdout
    ledger = process.stderr.split("awaitd: ledger\n")[1]
    (line,) = [line for line in ledger.splitlines() if " q " in line]
    assert "exact" in line and "overflow" not in line and "closed" not in line
