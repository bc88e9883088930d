"""A loop that does not come back: found, named, and in the end freed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal

import pytest
from control import WAIT, control  # noqa: F401
from hosted import host  # noqa: F401
from reloading import under  # noqa: F401

pytestmark = pytest.mark.daemon

# Not at once: what was interrupted has as long to end, on a busy machine, too.
SOON = "stall_ms: 300\n"
KILL = SOON + "stall_kill_s: 1\n"
# Where the place is told: of a thread that is not scheduled on the way to where it
# blocks, that is another one. A script's stalls are told once in 10 s.
NAMED = "stall_ms: 1000\n"
# Where none is to be told: threads of such a machine may not be scheduled for
# half a second, amid a turn. What must not count as a turn lasts for longer.
LATE = "stall_ms: 2000\n"
LONG_S = 2.5


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


# ThreadSanitizer keeps a signal back until its thread calls the C library. A loop
# that never does hands over Python's lock by that, to a thread that asks for it.
ASKING = """
        def ask():
            while True:
                time.sleep(0.01)
        threading.Thread(target=ask, daemon=True).start()
"""
if os.environ.get("AWAITD_SANITIZER") != "thread":
    ASKING = ""


def blocked_by(line: str) -> str:
    return f"""
        import asyncio, threading, time
        {ASKING}
        def block_here():
            {line}
        async def main():
            print("ready", flush=True)
            block_here()
        asyncio.run(main())
        """


@pytest.mark.parametrize("line", BLOCKING.values(), ids=BLOCKING)
def test_h15_blocked_loop_is_named_with_its_stack(host, line):
    process = host.start(blocked_by(line), settings=NAMED)
    line = told(process)
    assert line.startswith("awaitd: warning: script script: ")
    assert "script.py" in line and "in block_here" in line
    assert "in main" in process.line("in main", stream="stderr")
    process.kill()


def test_stall_of_one_script_is_not_told_of_the_other(host):
    process = host.start(
        one=blocked_by("sum(range(10**12))"),
        # Nobody makes it hand over Python's lock amid a turn, which `one` then
        # would keep from it.
        two="""
        import asyncio, sys
        sys.setswitchinterval(3600)
        while True:
            await asyncio.sleep(0.001)
        """,
        settings=LATE,
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
            end = time.monotonic() + LONG_S
            while time.monotonic() < end:
                await asyncio.sleep(0)
        await asyncio.sleep(LONG_S)
        await turn()
        """.replace("LONG_S", str(LONG_S)),
        settings=LATE,
    )
    assert process.stderr == ""


def test_no_loop_is_no_stall(host):
    process = host.run(
        "import time\ntime.sleep(1)\n", settings=SOON
    )
    assert process.stderr == ""


def test_thread_that_blocks_beside_the_loop_is_no_stall(host):
    process = host.run(
        """
        import asyncio, time
        async def nap():
            time.sleep(LONG_S)
        await asyncio.to_thread(asyncio.run, nap())
        """.replace("LONG_S", str(LONG_S)),
        settings=LATE,
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
            time.sleep(0.7)
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
    assert re.search(r"blocked for \d+\.\d s: interr", process.stderr)
    assert "cannot be freed" in process.stderr
    assert "in block_here" in process.stderr


def test_h12_swallowing_loop_is_freed_or_ends_the_process(host):
    """Whether the interruption lands inside its `try` is chance."""
    process = host.start(blocked_by(BLOCKING["h12-swallowing"]), settings=KILL)
    assert process.finish() in (1, 130)
    assert "in block_here" in process.stderr


# ---- loops that wait out of sight ----


def on_uvloop(body: str) -> str:
    pytest.importorskip("uvloop")
    text = """
        import asyncio, time, uvloop
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        def block_here():
            time.sleep(3600)
        async def main():
        BODY
        asyncio.run(main())
        """
    return text.replace("BODY", body.replace("\n", "\n        "))


def test_h27_blocked_loop_of_uvloop_is_named_with_its_stack(host):
    process = host.start(
        on_uvloop("    await asyncio.sleep(0.6)\n    block_here()"),
        settings=NAMED,
    )
    line = told(process)
    assert "script.py" in line and "in block_here" in line
    process.kill()


def test_h27_loop_of_uvloop_that_blocks_in_its_first_turn_is_named(host):
    process = host.start(on_uvloop("    block_here()"), settings=NAMED)
    assert "in block_here" in told(process)
    process.kill()


def test_h27_idle_and_busy_loops_of_uvloop_are_no_stall(host):
    process = host.run(
        on_uvloop(
            f"    await asyncio.sleep({LONG_S})\n"
            f"    end = time.monotonic() + {LONG_S}\n"
            "    while time.monotonic() < end:\n"
            "        await asyncio.sleep(0)"
        ),
        settings=LATE,
    )
    assert process.stderr == ""


# ---- each script has its own ----


def test_script_may_have_stall_keys_of_its_own(host, run_daemon):
    text = "import asyncio, time\nawait asyncio.sleep(0)\ntime.sleep(1.5)\n"
    for name in ("quiet", "loud"):
        host.write(f"{name}.py", text)
    settings = host.write(
        "awaitd.yaml",
        """
        stall_ms: 3600000
        scripts:
          - {path: quiet.py}
          - {path: loud.py, stall_ms: 100, stall_kill_s: 3600}
        """,
    )
    process = run_daemon("run", "-q", "-c", settings)
    assert "script loud" in told(process)
    assert process.finish() == 0
    assert "quiet" not in process.stderr


def test_once_the_scripts_are_abandoned_nothing_is_started(control):
    """The stacks are printed, and the process ends a moment later. Whoever is
    too late for that finds it gone, which is as good."""
    other = control.host.write("other.py", WAIT)
    process = control.start(
        """
        import asyncio, time
        print("ready", flush=True)
        await asyncio.sleep(0)
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                pass
        """,
        config=KILL,
        words=("-s", str(other)),
    )
    process.line("ready")
    client = control.connect()
    process.line("abandoned", stream="stderr")
    with contextlib.suppress(BrokenPipeError):
        client.write(b'{"command": "restart", "script": "other"}\n')
        answer = client.line()
        if answer is not None:
            (reply,) = json.loads(answer)["result"]["scripts"]
            assert reply["text"] == "the daemon is stopping"
    assert process.finish() == 1
    assert process.stdout.count("ready") == 2


# ---- versions ----

BLOCKS = """
    import asyncio, awaitd, time
    from awaitd.devices import bus
    q = bus.queue(name="q")
    print("began", awaitd.script.start_reason, flush=True)
    def block_NAME():
        BLOCK
    async def main():
        block_NAME()
        await asyncio.Event().wait()
    asyncio.run(main())
"""


def blocks(name: str, block: str) -> str:
    return BLOCKS.replace("NAME", name).replace("BLOCK", block)


def test_script_that_was_interrupted_is_started_again(under):
    under.start(
        blocks("it", "while awaitd.script.start_reason == 'start': pass"),
        keys=", restart: on-failure, restart_delay_s: 0.01, stall_ms: 300, "
        "stall_kill_s: 1",
    )
    under.process.line("began start")
    assert "interrupted" in under.log("blocked for")
    under.log("ended with status 130, and is started again")
    under.process.line("began restart")
    assert under.stop() == 0
    assert "cannot be freed" not in under.process.stderr


def test_version_that_waits_at_its_gate_is_no_stall(under):
    """The old one takes its time to end, with its loop awake."""
    under.start(f"""
        import asyncio
        from awaitd.devices import bus
        q = bus.queue(name="q")
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep({LONG_S})
    """, keys=", stall_ms: 2000")
    under.process.line("ready")
    under.reload("""
        import asyncio
        from awaitd.devices import bus
        await asyncio.sleep(0)
        q = bus.queue(name="q")
        print("new", flush=True)
        await asyncio.Event().wait()
    """)
    under.process.line("new")
    under.log("is reloaded")
    assert under.stop() == 0
    assert "is blocked" not in under.process.stderr


def test_new_version_that_blocks_before_its_gate_is_told_with_its_stack(under):
    under.start("""
        import asyncio
        def old_turns():
            return asyncio.sleep(0.001)
        print("ready", flush=True)
        while True:
            await old_turns()
    """, keys=", stall_ms: 1000", top="start_timeout_s: 3\n")
    under.process.line("ready")
    under.reload("""
        import asyncio, time
        def new_blocks():
            time.sleep(60)
        new_blocks()
        await asyncio.sleep(1)
    """)
    assert "in new_blocks" in under.log("its loop is blocked")
    under.log("reload failed")
    assert under.stop() == 0
    assert "old_turns" not in under.process.stderr


def test_discarded_version_that_blocks_hides_no_stall_and_ends_nothing(under):
    """It was given up at start_timeout_s, and sleeps on in its thread."""
    go = under.path.parent / "go"
    under.start(f"""
        import asyncio, pathlib, time
        def old_blocks():
            while True: pass
        print("ready", flush=True)
        while not pathlib.Path({str(go)!r}).exists():
            await asyncio.sleep(0.01)
        old_blocks()
    """, keys=", stall_ms: 300, stall_kill_s: 1",
        top="start_timeout_s: 1.5\n")
    under.process.line("ready")
    under.reload("import time\nimport asyncio\ntime.sleep(60)\nawait asyncio.sleep(0)\n")
    under.log("its loop is blocked")
    under.log("reload failed")
    go.touch()
    under.log("KeyboardInterrupt")
    assert under.process.finish() == 130
    assert "in old_blocks" in under.process.stderr
    assert "cannot be freed" not in under.process.stderr


def test_stalls_are_counted_over_the_versions_of_a_script(control):
    text = """
        import asyncio, time
        await asyncio.sleep(0)
        time.sleep(2)
        await asyncio.sleep(0)
        print("ready", flush=True)
        await asyncio.Event().wait()
    """
    process = control.start(
        text, config="reload_settle_s: 0.1\nstall_ms: 1500\n"
    )
    client = control.connect()
    counts = []
    for number in range(3):
        if number:
            client.get("reload", script="script")
            process.line("ready")
        (script,) = client.get("scripts")["scripts"]
        turns = script["turns"]
        counts.append(turns["stalls"])
        assert turns["longest_ns"] >= 2e9
        assert sum(count for _, count in turns["buckets"]) == turns["count"]
    assert counts == [1, 2, 3]


def test_turn_that_never_ended_ends_with_its_script(host):
    process = host.run(
        one="""
        import asyncio
        asyncio._set_running_loop(asyncio.new_event_loop())
        """,
        two=f"import asyncio\nawait asyncio.sleep({LONG_S})\n",
        settings="stall_ms: 1000\nstall_kill_s: 1.5\n",
    )
    assert process.stderr == ""
