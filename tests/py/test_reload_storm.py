"""Many reloads under load: every frame once, and one writer at a time."""

from __future__ import annotations

import signal

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

RELOADS = 200
WRONG = ("gap", "interleaved", "after its end", "blind")

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
    # Deep: a machine that is busy with other things is not what is judged.
    q = bus.queue(name="q", depth=1 << 17)
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
                    print("gap", expected, number, frame.lost_before, q.stats(),
                          flush=True)
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
    seen = wire.queue(name="seen", depth=1 << 18)
    print("watches", flush=True)
    async for frame in seen:
        generation = int.from_bytes(frame.data, "big")
        if frame.lost_before:
            print("blind", frame.lost_before, flush=True)
        if generation < current or (generation > current and not over):
            print("interleaved", current, generation, flush=True)
        if generation == current and over:
            print("after its end", generation, flush=True)
        count += generation > current
        current, over = generation, frame.arbitration_id == 0x201
        if over:
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
        deadline_s=280,
    )  # fmt: skip
    process.until_said("under: began", "monitor: watches")
    for number in range(2, RELOADS + 2):
        host.write("under.py", UNDER.format(number))
        process.signal(signal.SIGHUP)
        line = process.line("under is reloaded", stream="stderr")
        assert line.endswith(f"generation {number}")
    assert under.exists()
    stop.touch()
    assert process.line("complete") == "under: complete True"
    process.until_said(f"monitor: seen {RELOADS}\n")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    for wrong in WRONG:
        assert wrong not in process.stdout
    ledger = process.stderr.split("awaitd: ledger\n")[1]
    (line,) = [line for line in ledger.splitlines() if " q " in line]
    assert "exact" in line and "overflow" not in line and "closed" not in line


# ---- the monitor itself ----

SENDS = """
    import asyncio, awaitd, os
    from awaitd.devices import wire
    while not os.path.exists("{go}"):
        await asyncio.sleep(0.01)
    for id, generation in {frames}:
        await wire.send(awaitd.CanFrame(id, generation.to_bytes(4, "big")))
    print("sent", flush=True)
    await asyncio.Event().wait()
"""


@pytest.mark.parametrize(
    "frames, said",
    [
        ([(0x200, 1), (0x201, 1), (0x200, 2), (0x201, 2)], "seen 2"),
        ([(0x200, 1), (0x200, 2)], "interleaved 1 2"),
        ([(0x200, 1), (0x201, 1), (0x200, 2), (0x201, 1)], "interleaved 2 1"),
        ([(0x200, 1), (0x201, 1), (0x200, 1)], "after its end 1"),
    ],
    ids=["right", "early", "late", "again"],
)
def test_monitor_sees_what_is_wrong(host, frames, said):  # noqa: F811
    go = host.folder / "go"
    process = host.start(
        monitor=MONITOR,
        sends=SENDS.format(go=go, frames=frames),
        devices=("wire=virtual:can",),
    )
    process.line("watches")
    go.touch()
    assert process.line(said.split()[0]).endswith(
        said if said != "seen 2" else "seen 1"
    )
    if said == "seen 2":
        assert process.line("seen").endswith(said)
        assert "interleaved" not in process.stdout


# ---- a thread that each version leaves behind ----

# It sends as fast as it can, until it may not any more: when another version
# is in the place of its own.
STRAGGLER = """
    import asyncio, awaitd, threading
    from awaitd.devices import wire
    me = awaitd.script.generation.to_bytes(4, "big")

    def straggle():
        async def send():
            while True:
                await wire.send(awaitd.CanFrame(0x200, me))
        try:
            asyncio.run(send())
        except awaitd.Error:
            print("refused", int.from_bytes(me, "big"), flush=True)

    awaitd.script.state  # held here
    threading.Thread(target=straggle, daemon=True).start()
    while True:
        await wire.send(awaitd.CanFrame(0x200, me))
        await asyncio.sleep(0)
    # {0}
"""

# Generations follow each other, and never come back.
ORDER = """
    import awaitd
    from awaitd.devices import wire
    print("watches", flush=True)
    current = 0
    async for frame in wire.queue(name="seen", depth=1 << 18):
        generation = int.from_bytes(frame.data, "big")
        if frame.lost_before:
            print("blind", frame.lost_before, flush=True)
        if generation < current:
            print("interleaved", current, generation, flush=True)
        if generation > current:
            print("sees", generation, flush=True)
        current = generation
"""


def test_thread_left_behind_sends_nothing_after_the_next_version(
    host,  # noqa: F811
    run_daemon,
):
    host.write("order.py", ORDER)
    host.write("under.py", STRAGGLER.format(1))
    file = host.write(
        "awaitd.yaml",
        """
        reload_settle_s: 0.02
        scripts: [{path: order.py}, {path: under.py}]
        """,
    )
    process = run_daemon("run", "-c", file, "-d", "wire=virtual:can",
                         deadline_s=120)  # fmt: skip
    process.line("sees 1")
    for number in range(2, 22):
        host.write("under.py", STRAGGLER.format(number))
        process.signal(signal.SIGHUP)
        process.line(f"sees {number}")
        process.line(f"generation {number}", stream="stderr")
    # The end waits for no thread that is a daemon.
    process.until_said(*(f"refused {number}\n" for number in range(1, 21)))
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    for wrong in ("interleaved", "blind"):
        assert wrong not in process.stdout
