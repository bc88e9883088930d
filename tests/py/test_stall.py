"""A loop that does not come back: found, named, and in the end freed."""

from __future__ import annotations

import signal

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

SOON = "stall_ms: 100\n"
KILL = SOON + "stall_kill_s: 0.4\n"


def told(process) -> str:
    return process.line("its loop is blocked", stream="stderr")


# What blocks a loop, each in a function of its own, until `blocked` is deleted
# or for ever; `sum` is C code that keeps the GIL.
BLOCKING = {
    "h11-busy": "while True: pass",
    "h12-swallowing": """
            while True:
                try:
                    while True: pass
                except BaseException:
                    pass""",
    "h13-sleep": "time.sleep(3600)",
    "h13-lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "h14-gil": "sum(range(10**12))",
}


def blocked_by(line: str) -> str:
    return f"""
        import asyncio, threading, time
        def block_here():
            {line}
        async def main():
            print("ready", flush=True)
            block_here()
        asyncio.run(main())
        """


@pytest.mark.parametrize("line", BLOCKING.values(), ids=BLOCKING)
def test_h15_blocked_loop_is_named_with_its_stack(host, line):
    process = host.start(blocked_by(line), settings=SOON)
    line = told(process)
    assert line.startswith("awaitd: warning: script script: ")
    assert "script.py" in line and "in block_here" in line
    assert "in main" in process.line("in main", stream="stderr")
    process.kill()


def test_stall_of_one_script_is_not_told_of_the_other(host):
    process = host.start(
        one=blocked_by("sum(range(10**12))"),
        two="""
        import asyncio
        while True:
            await asyncio.sleep(0.001)
        """,
        settings=SOON,
    )
    assert "script one" in told(process)
    # Looked at in turn, several times over.
    process.line("in main", stream="stderr")
    process.kill()
    assert "script two" not in process.stderr


def test_line_inside_the_standard_library_is_the_scripts(host):
    process = host.start(
        blocked_by("threading.Event().wait()"), settings=SOON
    )
    assert "script.py" in told(process)
    process.kill()


def test_idle_and_busy_loops_are_no_stall(host):
    process = host.run(
        """
        import asyncio, time
        async def turn():
            end = time.monotonic() + 1.2
            while time.monotonic() < end:
                await asyncio.sleep(0)
        await asyncio.sleep(1.2)
        await turn()
        """,
        settings="stall_ms: 1000\n",
    )
    assert process.stderr == ""


def test_no_loop_is_no_stall(host):
    process = host.run(
        "import time\ntime.sleep(0.5)\n", settings=SOON
    )
    assert process.stderr == ""


def test_thread_that_blocks_beside_the_loop_is_no_stall(host):
    process = host.run(
        """
        import asyncio, time
        async def nap():
            time.sleep(0.5)
        await asyncio.to_thread(asyncio.run, nap())
        """,
        settings=SOON,
    )
    assert process.stderr == ""


def test_no_stall_is_told_when_that_is_switched_off(host):
    process = host.run(
        "import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(1.5)\n",
        settings="stall_ms: 0\n",
    )
    assert process.stderr == ""


def test_second_stall_in_short_order_is_only_counted(host):
    process = host.run(
        """
        import asyncio, time
        for number in range(3):
            await asyncio.sleep(0.01)
            time.sleep(0.5)
        """,
        settings=SOON,
    )
    assert process.stderr.count("its loop is blocked") == 1


def test_h11_busy_loop_is_interrupted_and_the_other_script_goes_on(host):
    process = host.start(
        one=blocked_by("while True: pass"),
        two="""
        import asyncio
        try:
            await asyncio.Event().wait()
        finally:
            print("in order")
        """,
        settings=KILL,
    )
    process.line("one: KeyboardInterrupt", stream="stderr")
    process.signal(signal.SIGTERM)
    assert process.finish() == 130
    assert "two: in order" in process.stdout
    assert "cannot be freed" not in process.stderr


@pytest.mark.parametrize("name", ["h13-sleep", "h14-gil"])
def test_loop_that_cannot_be_freed_ends_the_process(host, name):
    process = host.start(blocked_by(BLOCKING[name]), settings=KILL)
    assert process.finish() == 1
    assert "blocked for 0." in process.stderr
    assert "cannot be freed" in process.stderr
    assert "in block_here" in process.stderr


def test_h12_swallowing_loop_is_freed_or_ends_the_process(host):
    """Whether the interruption lands inside its `try` is chance."""
    process = host.start(blocked_by(BLOCKING["h12-swallowing"]), settings=KILL)
    assert process.finish() in (1, 130)
    assert "in block_here" in process.stderr
