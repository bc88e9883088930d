"""The wall clock of the guest jumps: nobody waits longer or shorter for it."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest
from attack import target, write_until_full  # noqa: F401
from hosted import host  # noqa: F401

import awaitd


@pytest.fixture
def jump():
    """jump(seconds) sets the wall clock; it is set back afterwards."""
    began = time.time(), time.monotonic()

    def by(seconds: float) -> None:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)

    yield by
    passed_s = time.monotonic() - began[1]
    time.clock_settime(time.CLOCK_REALTIME, began[0] + passed_s)


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_h40_clock_that_jumps_moves_the_timestamp_alone(jump, seconds):
    with awaitd.open({"name": "bus", "driver": "virtual"}) as bus:
        queue = bus.queue()
        jumped_ns = seconds * 1_000_000_000

        async def exchange() -> awaitd.CanFrame:
            await bus.send(awaitd.CanFrame(1))
            return await queue.get()

        async def main() -> None:
            before = await exchange()
            jump(seconds)
            with pytest.raises(TimeoutError):
                await queue.get(timeout=0.2)
            after = await exchange()
            by_wall = after.timestamp_ns - before.timestamp_ns
            by_clock = after.monotonic_ns - before.monotonic_ns
            assert 200_000_000 <= by_clock < 20_000_000_000
            assert abs(by_wall - by_clock - jumped_ns) < 1_000_000_000

        asyncio.run(asyncio.wait_for(main(), 20))


# ---- the daemon ----


@pytest.fixture
def wall():
    """wall(seconds) sets the clock as an administrator does, by date(1)."""

    def by(seconds: int) -> None:
        subprocess.run(
            ["date", "-s", f"{seconds:+d} seconds"], check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    began = time.time(), time.monotonic()
    yield by
    passed_s = time.monotonic() - began[1]
    time.clock_settime(time.CLOCK_REALTIME, began[0] + passed_s)


# In the daemon: timeouts while frames flow, each measured by the other clock.
TIMEOUTS = """
    import asyncio, json, time
    import awaitd
    from awaitd.devices import bus
    seen = {"late": 0, "early": 0, "count": 0, "backwards": 0}
    queue = bus.queue(name="never", filters=[{"can_id": 1, "can_mask": 0x7FF}])
    frames = bus.queue(name="some", overflow="drop-oldest", depth=64)
    print("ready", flush=True)
    async def main():
        last_ns = 0
        while True:
            began = time.monotonic()
            try:
                await queue.get(timeout=0.05)
            except TimeoutError:
                pass
            took = time.monotonic() - began
            seen["count"] += 1
            seen["early"] += took < 0.045
            seen["late"] += took > 30
            while frames.qsize():
                frame = frames.get_nowait()
                seen["backwards"] += frame.monotonic_ns < last_ns
                last_ns = frame.monotonic_ns
    try:
        await main()
    finally:
        print(json.dumps(seen), flush=True)
"""

def test_h40_daemon_is_untouched_by_a_clock_that_is_set(target, wall):
    target.start(
        scripts={"timeouts": TIMEOUTS}, keys="stall_ms: 0\n", deadline_s=90
    )
    idle = target.connect()
    up_s = idle.get("status")["up_s"]
    boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    steady_ns = time.monotonic_ns()
    for seconds in (3600, -7200, 86_400, -86_400, 31, -30, 3600):
        wall(seconds)
        target.go_on(300)
    passed_ns = time.monotonic_ns() - steady_ns
    slept_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - boot_ns
    assert abs(slept_ns - passed_ns) < 1_000_000_000
    # Nobody is found silent, and nothing up, for hours.
    status = idle.get("status")
    assert status["dropped_clients"] == 0
    assert 0 <= status["up_s"] - up_s < 80
    for script in idle.get("scripts")["scripts"]:
        assert 0 <= script["since_s"] < 80
    for queue in idle.get("queues")["queues"]:
        for stage in ("ring", "script"):
            latency = queue["latency"][stage]
            assert latency["max_ns"] < 60_000_000_000, queue
            assert latency["unplaced"] < 5_000
    target.stop()
    seen = target.printed("timeouts")
    assert seen["count"] > 0
    assert (seen["early"], seen["late"], seen["backwards"]) == (0, 0, 0)


def test_h40_client_that_reads_nothing_is_dropped_in_a_clock_set_back(
    target, wall
):
    target.start()
    sleeper = target.connect()
    write_until_full(sleeper, b'{"command": "metrics"}\n' * 100)
    target.go_on()  # whatever it still did for that client
    wall(-3600)
    line = target.process.line("client dropped", stream="stderr")
    assert "it does not read" in line
    target.stop()


def test_h40_restarts_are_counted_by_a_clock_that_nobody_sets(target, wall):
    """A script fails until its limit, while hours go by on the wall: they make
    none of its runs a healthy one."""
    target.control.host.write("fails.py", "raise SystemExit(3)\n")
    target.start(
        deadline_s=60,
        more="  - {path: fails.py, restart: on-failure, restart_limit: 4,"
        " restart_delay_s: 0.2, restart_interval_s: 600}\n",
    )  # fmt: skip
    while target.process.try_line("is not any more", 0.05, "stderr") is None:
        wall(3600)
    target.stop(status=3)
    assert target.process.stderr.count("is started again in") == 4
