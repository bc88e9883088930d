"""Hazards of scripts that are reloaded and asked for from outside: by their rows
in tests/support/hazards.py. More of these rows is in test_reload.py."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sysconfig
import time
from pathlib import Path

import pytest
from control import WAIT, awaitctl, control  # noqa: F401
from hosted import host  # noqa: F401
from reloading import under  # noqa: F401

pytestmark = pytest.mark.daemon

SOON = "reload_settle_s: 0.1\n"


def only(result: dict) -> dict:
    (script,) = result["scripts"]
    return script


# ---- a version that does not go ----


def test_h10_script_that_ignores_cancels_refuses_reloads_and_is_seen(control):
    process = control.start(
        """
        import asyncio
        print("ready", flush=True)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        """,
        config="stop_grace_s: 1\nstop_timeout_s: 2\n",
    )
    client = control.connect()
    reply = only(client.get("reload", script="script"))
    assert (reply["ok"], reply["generation"]) == (False, 1)
    assert "has not ended within 2 s" in reply["text"]
    process.line("here is where it stands", stream="stderr")
    reply = only(client.get("reload", script="script"))
    assert not reply["ok"]
    assert "was asked to end, and has not" in reply["text"]
    script = only(client.get("scripts"))
    assert script["stopping"] and script["state"] == "running"
    assert script["failed_reloads"] == 1
    # For systemd to start it anew.
    process.signal(signal.SIGTERM)
    assert process.finish() == 1


# ---- the GIL ----


def test_h14_control_socket_answers_while_c_code_keeps_the_gil(control):
    """For ever: so it answers at all only if it never asks for the GIL."""
    process = control.start(
        """
        import asyncio
        async def main():
            print("ready", flush=True)
            sum(range(10**12))
        asyncio.run(main())
        """,
        config="stall_ms: 100\n",
    )
    process.line("its loop is blocked", stream="stderr")
    client = control.connect()
    took_s = []
    for _ in range(20):
        before_s = time.monotonic()
        assert client.get("status")["exact"]
        took_s.append(time.monotonic() - before_s)
    assert only(client.get("scripts"))["turns"]["now_s"] > 0.1
    # The row's own bound; the quickest, as the machine may be busy.
    assert min(took_s) < 0.05
    process.kill()


# ---- storms ----


def test_h34_two_reloads_at_once_are_answered_each_with_its_generation(control):
    control.start(config=SOON)
    first, second = control.connect(), control.connect()
    for client in (first, second):
        client.write(b'{"command": "reload", "script": "script"}\n')
    replies = [only(it.receive()["result"]) for it in (first, second)]
    assert [it["ok"] for it in replies] == [True, True]
    assert sorted(it["generation"] for it in replies) == [2, 3]


def test_h34_reloads_during_a_reload_share_the_next_one(control):
    control.start(config="reload_settle_s: 0.5\n")
    clients = [control.connect() for _ in range(20)]
    for client in clients:
        client.write(b'{"command": "reload", "script": "script"}\n')
    replies = [only(it.receive()["result"]) for it in clients]
    assert all(it["ok"] for it in replies)
    generations = [it["generation"] for it in replies]
    # Two, unless the machine let a third of them come after the first reload.
    assert generations.count(2) >= 1
    assert max(generations) <= 4


def test_h34_reload_during_the_stop_is_refused(control):
    go = control.folder / "go"
    process = control.start(
        f"""
        import asyncio, pathlib
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("ending", flush=True)
            while not pathlib.Path({str(go)!r}).exists():
                await asyncio.sleep(0.01)
            print("ended", flush=True)
        """
    )
    client = control.connect()
    process.signal(signal.SIGTERM)
    process.line("ending")
    process.signal(signal.SIGHUP)
    reply = only(client.get("reload", script="script"))
    assert (reply["ok"], reply["text"]) == (False, "the daemon is stopping")
    go.touch()
    assert process.finish() == 0
    assert process.stdout.splitlines() == ["ready", "ending", "ended"]


# ---- reloads that fail ----


def test_h35_reload_that_fails_is_a_failure_of_the_command(control, awaitctl):
    control.start()
    control.host.write("script.py", "import asyncio\nx = = 1\n")
    process = awaitctl("reload", "script", status=1)
    said = process.stdout + process.stderr
    assert "script.py:2:5: SyntaxError" in said
    script = only(control.connect().get("scripts"))
    assert (script["state"], script["failed_reloads"]) == ("running", 1)
    assert "script.py:2:5: SyntaxError" in script["last_error"]


# ---- modules ----


def test_h36_modules_that_import_each_other_are_imported_anew(under):
    folder = under.path.parent
    (folder / "left.py").write_text("import right\nWHO = 'left old'\n")
    (folder / "right.py").write_text(
        "import left\ndef who():\n    return left.WHO + ' right old'\n"
    )
    under.start("""
        import asyncio, left
        print("it is", left.right.who(), flush=True)
        await asyncio.Event().wait()
    """)
    under.process.line("it is left old right old")
    (folder / "left.py").write_text("import right\nWHO = 'left new'\n")
    (folder / "right.py").write_text(
        "import left\ndef who():\n    return left.WHO + ' right new'\n"
    )
    under.reload()
    under.process.line("it is left new right new")


def test_h36_module_in_c_stays_and_is_warned_of(under):
    modules = Path(sysconfig.get_path("platstdlib"), "lib-dynload")
    try:
        library = next(modules.glob("_xxtestfuzz.*.so"), None) or next(
            modules.glob("xxlimited.*.so")
        )
    except StopIteration:
        pytest.skip(f"no module in C in {modules}: its reload is NOT tested")
    shutil.copy(library, under.path.parent)
    name = library.name.partition(".")[0]
    text = f"""
        import asyncio, {name}
        print("NUMBER", {name}.__file__, flush=True)
        await asyncio.Event().wait()
    """
    under.start(text.replace("NUMBER", "first"))
    assert str(under.path.parent) in under.process.line("first")
    under.reload(text.replace("NUMBER", "second"))
    assert library.name in under.log("is a module in C")
    under.process.line("second")
    status = under.stop()
    assert status == 0, under.process.stderr


# ---- recursion ----


def test_h38_recursion_without_a_limit_is_its_scripts_error_under_one(host):
    """Without a limit on memory there is nothing that could stop it. CPython
    itself may stumble there, and raise SystemError."""
    if os.environ.get("AWAITD_SANITIZER") == "thread":
        pytest.skip("ThreadSanitizer ends where it has no memory for itself: "
                    "a script's MemoryError is NOT tested with it")
    # Whoever else wants memory meanwhile may get none: so the other one takes
    # none, from before the recursion until its last frame has been freed.
    host.write(
        "both.py",
        "import threading\nbegin, over = threading.Event(), threading.Event()\n",
    )
    process = host.run(
        one="""
        import both, resource, sys
        with open("/proc/self/statm") as file:
            most = int(file.read().split()[0]) * 4096 + (100 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        sys.setrecursionlimit(10**8)
        def deeper():
            deeper()
        class Last:
            def __del__(self):
                both.over.set()
        def first(last):
            deeper()
        both.begin.wait()
        first(Last())
        """,
        two="""
        import both
        both.begin.set()
        if both.over.wait(100):
            print("still here")
        """,
        status=1,
        deadline_s=120,
    )
    assert re.search("one: (MemoryError|SystemError)", process.stderr)
    assert process.stdout == "two: still here\n"
