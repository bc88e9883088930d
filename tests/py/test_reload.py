"""Reload by SIGHUP: what the old version keeps, what the new one gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from hosted import host  # noqa: F401
from reloading import under  # noqa: F401

pytestmark = pytest.mark.daemon


VERSION = """
    import asyncio, awaitd
    from awaitd.devices import bus
    q = bus.queue(name="q")
    print("version {0} began", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("version {0} ended", awaitd.script.stopping, flush=True)
"""


def test_reload_ends_the_old_version_and_then_begins_the_new(under):
    under.start(VERSION.format("one"))
    under.process.line("version one began")
    under.reload(VERSION.format("two"))
    under.process.line("version two began")
    assert "generation 2" in under.log("is reloaded")
    assert under.stop() == 0
    assert under.process.stdout.splitlines() == [
        "version one began",
        "version one ended reload",
        "version two began",
        "version two ended stop",
    ]


FILL = """
    import asyncio, awaitd
    from awaitd.devices import bus
    q = bus.queue({options})
    print("open", flush=True)
    await asyncio.Event().wait()
"""
TAKE = """
    import asyncio, awaitd
    from awaitd.devices import bus
    q = bus.queue({options})
    stats = q.stats()
    ids = [f.arbitration_id for f in await q.get_many(1000)]
    print("took", ids[0], ids[-1], len(ids), q.name, flush=True)
    print("ledger", stats.received, stats.filtered, stats.dropped_overflow,
          flush=True)
    await asyncio.Event().wait()
"""


SENDS_A_HUNDRED = """
    import asyncio, awaitd, os
    from awaitd.devices import bus
    while not os.path.exists("{go}"):
        await asyncio.sleep(0.01)
    for number in range(100):
        await bus.send(awaitd.CanFrame(number))
    print("sent", flush=True)
    await asyncio.Event().wait()
"""


def begin_full(under, options: str = 'name="q"') -> None:
    """A hundred frames pend in the old version's queue."""
    go = under.path.parent / "go"
    under.start(FILL.format(options=options), SENDS_A_HUNDRED.format(go=go))
    under.process.line("open")
    go.touch()
    under.process.line("sent")


@pytest.mark.parametrize(
    "old, new, took, ledger",
    [
        ('name="q"', 'name="q"', "0 99 100 q", "100 0 0"),
        ("", "", "0 99 100 1", "100 0 0"),
        ('name="q"', 'name="q", depth=30', "0 29 30 q", "100 0 70"),
        (
            'name="q"',
            'name="q", depth=30, overflow="drop-oldest"',
            "70 99 30 q",
            "100 0 70",
        ),
        (
            'name="q"',
            'name="q", filters=[{"can_id": 0x40, "can_mask": 0x7C0}]',
            "64 99 36 q",
            "100 64 0",
        ),
        ('name="q", overflow="latest"', 'name="q"', "0 99 100 q", "100 0 0"),
    ],
    ids=["same", "unnamed", "depth", "policy", "filter", "latest"],
)
def test_h09_what_pends_is_passed_on(under, old, new, took, ledger):
    begin_full(under, old)
    under.reload(TAKE.format(options=new))
    assert under.process.line("took") == f"under: took {took}"
    assert under.process.line("ledger") == f"under: ledger {ledger}"
    assert under.stop() == 0
    assert "exact" in under.log(" under ")


def test_queue_that_the_new_version_does_not_open_is_closed_and_counted(under):
    begin_full(under)
    under.reload("""
        import asyncio
        await asyncio.Event().wait()
    """)
    under.log("script under is reloaded")
    assert under.stop() == 0
    assert "100 closed" in under.log(" q ")


def test_queue_that_a_slow_start_opens_late_is_passed_on_all_the_same(under):
    go = under.path.parent / "go"
    late = under.path.parent / "late"
    under.start(FILL.format(options='name="q"'), SENDS_A_HUNDRED.format(go=go))
    under.process.line("open")
    go.touch()
    under.process.line("sent")
    under.reload(f"""
        import asyncio, awaitd, os, time
        from awaitd.devices import bus
        state = awaitd.script.state  # held here
        while not os.path.exists("{late}"):
            time.sleep(0.001)
        q = bus.queue(name="q")
        print("took", len(await q.get_many(1000)), flush=True)
        await asyncio.Event().wait()
    """)
    # reload_settle_s is over.
    under.log("under is reloaded")
    late.touch()
    assert under.process.line("took") == "under: took 100"


def test_h09_get_that_waits_in_a_thread_is_told_and_its_frames_are_kept(under):
    under.start("""
        import asyncio, awaitd, threading
        from awaitd.devices import bus
        q = bus.queue(name="q")

        def wait():
            try:
                q.recv()
            except awaitd.QueueClosed as closed:
                print("told", closed.reason, flush=True)

        async def is_inside():
            try:
                await asyncio.to_thread(q.recv, timeout=0)
            except RuntimeError:
                return True
            return False

        threading.Thread(target=wait, daemon=True).start()
        while not await is_inside():
            pass
        print("waits", flush=True)
        await asyncio.Event().wait()
    """)
    under.process.line("waits")
    under.reload("""
        import asyncio, awaitd
        from awaitd.devices import bus
        q = bus.queue(name="q")
        await q.get()
    """)
    under.process.line("told closed")


def test_thread_that_the_old_version_left_cannot_send(under):
    under.start("""
        import asyncio, awaitd, threading, time
        from awaitd.devices import bus

        async def send():
            await bus.send(awaitd.CanFrame(1))

        def work():
            while awaitd.script.stopping is None:
                time.sleep(0.001)
            while True:
                try:
                    asyncio.run(send())
                except awaitd.Error as error:
                    # In one piece: the new version prints, too.
                    print(f"refused {error}\\n", end="", flush=True)
                    return

        threading.Thread(target=work, daemon=True).start()
        print("ready", flush=True)
        await asyncio.Event().wait()
    """)
    under.process.line("ready")
    under.reload(VERSION.format("two"))
    assert "another version" in under.process.line("refused")


def test_versions_that_have_ended_leave_no_descriptor(under):
    text = """
        import asyncio, awaitd
        from awaitd.devices import bus
        queues = [bus.queue(), bus.queue(wakeup="fd")]

        async def main():
            async for frame in queues[1]:
                pass

        asyncio.run(main())
    """
    under.start("print('began', flush=True)\n" + textwrap.dedent(text))
    under.process.line("began")
    counts = []
    for number in range(2, 12):
        under.reload(text + f"    # {number}")
        under.log(f"is reloaded: generation {number}")
        # What was left is collected before the next reload is prepared.
        counts.append(len(os.listdir(f"/proc/{under.process.popen.pid}/fd")))
    # One version more may wait to be collected.
    assert counts[-1] <= counts[1] + 6


# ---- what fails leaves the old version as it is ----

BROKEN = {
    "syntax": ("x = = 1\n", "under.py:1:5: SyntaxError"),
    "import": ("import os\nimport nothing_of_the_kind\n", "under.py:2: Module"),
    "error": ("import os\n\n1 / 0\n", "under.py:3: ZeroDivisionError"),
    "exit": ("import sys\nsys.exit(3)\n", "under.py:2: sys.exit(3)"),
    "exit-0": ("import sys\nsys.exit()\n", "the new version has ended"),
    "first-turn": ("import asyncio\n1 / 0\nawait asyncio.sleep(1)\n",
                   "under.py:2: ZeroDivisionError"),
}


@pytest.mark.parametrize("text, said", BROKEN.values(), ids=BROKEN)
def test_h35_version_that_fails_leaves_the_old_one_untouched(under, text, said):
    under.start(VERSION.format("one"))
    under.process.line("version one began")
    under.reload(text)
    assert said in under.log("reload failed")
    under.stop()
    assert under.process.stdout.splitlines() == [
        "version one began",
        "version one ended stop",
    ]


def test_h35_missing_file_leaves_the_old_version_untouched(under):
    under.start(VERSION.format("one"))
    under.process.line("version one began")
    under.path.unlink()
    under.reload()
    assert "under.py: No such file" in under.log("reload failed")
    under.stop()
    assert under.process.stdout.splitlines()[1] == "version one ended stop"


def test_h35_import_that_hangs_is_given_up_and_the_old_version_goes_on(under):
    under.start(VERSION.format("one"), top="start_timeout_s: 2\n")
    under.process.line("version one began")
    under.reload("import threading\nthreading.Event().wait(60)\n")
    said = under.log("reload failed")
    assert "under.py:2: the new version has not come" in said
    assert "within 2 s" in said
    under.configure("start_timeout_s: 20\n")
    under.reload(VERSION.format("three"))
    under.process.line("version three began")


def test_version_that_computes_for_ever_at_its_start_is_interrupted(under):
    under.start(VERSION.format("one"), top="start_timeout_s: 0.3\n")
    under.process.line("version one began")
    under.reload("while True: pass\n")
    under.log("reload failed")
    assert under.stop() == 0
    assert under.process.stdout.splitlines()[1] == "version one ended stop"


def test_version_that_fails_soon_brings_the_old_one_back_with_its_frames(under):
    go = under.path.parent / "go"
    under.start("""
        import asyncio, awaitd
        from awaitd.devices import bus
        q = bus.queue(name="q")
        print("old", awaitd.script.start_reason, flush=True)
        if awaitd.script.start_reason == "revert":
            frames = await q.get_many(1000)
            print("pending", len(frames), flush=True)
        await asyncio.Event().wait()
    """, SENDS_A_HUNDRED.format(go=go), top="reload_settle_s: 5\n")
    under.process.line("old start")
    go.touch()
    under.process.line("sent")
    under.reload("""
        import awaitd
        from awaitd.devices import bus
        q = bus.queue(name="q")
        1 / 0
    """)
    said = under.log("reload failed")
    assert "under.py:5: ZeroDivisionError" in said
    assert "the version before runs again" in said
    under.process.line("old revert")
    assert under.process.line("pending") == "under: pending 100"


def test_old_version_that_does_not_end_keeps_its_queues(under):
    go = under.path.parent / "go"
    under.start("""
        import asyncio, awaitd
        from awaitd.devices import bus
        q = bus.queue(name="q")
        taken = 0
        print("ready", flush=True)
        while True:
            try:
                await q.get()
                taken += 1
                if taken == 100:
                    print("taken", q.closed, flush=True)
            except asyncio.CancelledError:
                print("stays", flush=True)
    """, SENDS_A_HUNDRED.format(go=go),
        top="stop_grace_s: 1\nstop_timeout_s: 2\n")
    under.process.line("ready")
    under.reload(VERSION.format("two"))
    assert "has not ended within 2 s" in under.log("reload failed")
    # What it was told it may hear later than it was given up.
    under.process.line("under: stays")
    go.touch()
    assert under.process.line("taken") == "under: taken False"
    assert "version two" not in under.process.stdout


# ---- on save ----

QUIET_S = 0.1  # of daemon/watch.c



def test_watch_reloads_what_is_saved(under):
    under.start(VERSION.format("one"), VERSION.format("other"), watch=True)
    for _ in range(2):
        under.process.line("began")
    under.write(VERSION.format("two"))
    under.process.line("under: version two began")
    under.log("under is reloaded")
    under.stop()
    assert "other0: version other ended stop" in under.process.stdout


def write_in_pieces(under, text: str) -> bool:
    """False if that took so long that the first one may have been loaded."""
    began = time.monotonic()
    with under.path.open("w") as file:
        file.write(text[:60])
        file.flush()
        # Something else is saved meanwhile, and looked at.
        (under.path.parent / "beside.py").write_text("")
        file.write(text[60:])
    return time.monotonic() - began < QUIET_S


def test_h37_file_that_is_being_written_is_not_loaded(under):
    under.start(VERSION.format("one"), watch=True)
    under.process.line("version one began")
    for number in range(20):
        failed = under.process.stderr.count("reload failed")
        text = textwrap.dedent(VERSION.format(number))
        in_time = write_in_pieces(under, text)
        under.process.line(f"version {number} began")
        under.log("is reloaded")
        if in_time:
            break
    assert in_time
    assert under.process.stderr.count("reload failed") == failed


# ---- storms ----


def test_h34_storm_of_hangups_makes_few_reloads(under):
    under.start(VERSION.format("one"), top="reload_settle_s: 0.5\n")
    under.process.line("version one began")
    under.write(VERSION.format("two"))
    for _ in range(1000):
        under.process.signal(signal.SIGHUP)
    under.log("is reloaded: generation 2")
    under.stop()
    began = under.process.stdout.count("began")
    assert 2 <= began <= 3


# ---- helper modules ----


def test_h36_helper_module_is_imported_anew(under):
    helper = under.path.parent / "its_helper.py"
    helper.write_text("WHO = 'old'\n")
    text = """
        import asyncio, its_helper
        print("helper", its_helper.WHO, flush=True)
        await asyncio.Event().wait()
    """
    under.start(text)
    under.process.line("helper old")
    # As long as before, and within the same second.
    helper.write_text("WHO = 'new'\n")
    under.reload()
    under.process.line("helper new")


@pytest.mark.parametrize(
    "folder, imported",
    [("lib", "new"), ("../elsewhere", "old"), ("venv/site-packages", "old")],
)
def test_h36_module_in_paths_is_imported_anew_below_the_script(
    under, folder, imported
):
    helper = under.path.parent / folder / "its_helper.py"
    helper.parent.mkdir(parents=True)
    helper.write_text("WHO = 'old'\n")
    text = """
        import asyncio, its_helper
        print("helper", its_helper.WHO, flush=True)
        await asyncio.Event().wait()
    """
    under.start(text, keys=f", paths: [{folder}]")
    under.process.line("helper old")
    helper.write_text("WHO = 'new'\n")
    # What is elsewhere makes no new version by itself.
    under.reload(None if imported == "new" else text + "    # changed")
    under.log("is reloaded")
    assert under.process.line(f"helper {imported}") == f"helper {imported}"


def test_h36_failed_reload_keeps_the_modules_of_the_old_version(under):
    helper = under.path.parent / "its_helper.py"
    helper.write_text("WHO = 'old'\n")
    under.start("""
        import asyncio, its_helper, sys, signal
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            import its_helper as again
            print("same", again is its_helper, flush=True)
    """)
    under.process.line("ready")
    helper.write_text("WHO = 'new'\n")
    under.reload("import its_helper\n1 / 0\n")
    under.log("reload failed")
    under.stop()
    assert "same True" in under.process.stdout


def test_h36_package_below_the_scripts_folder_is_not_the_scripts():
    """A build folder has a symbolic link to it: both lie below the script."""
    code = """
import sys, awaitd
from awaitd._host import modules
sys.path[:] = ["/"]
modules.purge(["/"])
print(sys.modules.get("awaitd") is awaitd, "textwrap" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", "import textwrap" + code],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == "True False\n", done.stderr


# ---- a version that is not wanted ----

SLOW_TO_END = """
    import asyncio, pathlib
    print("ready", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("ending", flush=True)
        while not pathlib.Path({go!r}).exists():
            await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize(
    "text",
    [
        """
    import asyncio
    print("new", flush=True)
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(0.05)
        print("cleaned", flush=True)
    """,
        """
    import asyncio
    async def main():
        await asyncio.sleep(1000)
    print("new", flush=True)
    try:
        asyncio.run(main())
    finally:
        print("cleaned", flush=True)
    """,
    ],
    ids=["top-level", "asyncio.run"],
)
def test_version_that_is_not_wanted_cleans_up_in_silence(under, text):
    """It is held at its gate as the daemon ends, or about to come there."""
    go = under.path.parent / "go"
    under.start(SLOW_TO_END.format(go=str(go)))
    under.process.line("ready")
    under.reload(text)
    under.process.line("new")
    under.process.line("ending")
    under.process.signal(signal.SIGTERM)
    under.process.line("cleaned")
    go.touch()
    assert under.process.finish() == 0
    for noise in ("never", "destroyed", "Traceback"):
        assert noise not in under.process.stderr


def test_version_held_by_another_of_its_threads_is_interrupted(under):
    go = under.path.parent / "go"
    under.start(SLOW_TO_END.format(go=str(go)))
    under.process.line("ready")
    under.reload("""
        import awaitd, threading, time
        entered = threading.Event()
        def work():
            entered.wait()
            awaitd.script.state
            print("passed", flush=True)
        threading.Thread(target=work).start()
        try:
            entered.set()
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            raise
    """)
    under.process.line("ending")  # as the new one is ready, by its thread
    under.process.signal(signal.SIGTERM)
    under.process.line("interrupted")
    go.touch()
    assert under.process.finish() == 0
    assert "passed" not in under.process.stdout
    assert "Traceback" not in under.process.stderr


def test_module_that_another_script_is_just_importing_stays(tmp_path):
    (tmp_path / "own.py").write_text(
        "from awaitd._host import modules\n"
        "import sys, beside\n"
        f"print(sorted(modules.purge([{str(tmp_path)!r}])))\n"
    )
    (tmp_path / "beside.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import own"
    done = subprocess.run(
        [sys.executable, "-c", code + "; print(own is sys.modules['own'])"],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.stdout == "['beside']\nTrue\n", done.stderr


# ---- state ----


def test_unchanged_script_is_not_touched(under):
    under.start(VERSION.format("one"), VERSION.format("other"))
    for _ in range(2):
        under.process.line("began")
    under.reload(VERSION.format("two"))
    under.process.line("under: version two began")
    under.log("under is reloaded")
    under.stop()
    assert "other0: version other ended stop" in under.process.stdout
    assert "other0: version other ended reload" not in under.process.stdout


def test_state_outlives_a_reload(under):
    text = """
        import asyncio, awaitd
        count = awaitd.script.state.get("count", 0)
        awaitd.script.state["count"] = count + 1
        print("count", count, flush=True)
        await asyncio.Event().wait()
    """
    under.start(text)
    under.process.line("count 0")
    under.reload(text + "    # changed")
    under.process.line("count 1")


def test_state_that_is_not_plain_is_refused_by_name(under):
    under.start("""
        import awaitd
        for value in (object(), [1, {"a": {2}}], {1: 2}):
            try:
                awaitd.script.state["mine"] = value
            except TypeError as error:
                print("refused:", error, flush=True)
        print(dict(awaitd.script.state), flush=True)
    """)
    under.process.finish()
    lines = under.process.stdout.splitlines()
    name = "refused: awaitd.script.state['mine']"
    assert lines[0].startswith(f"{name}: an object cannot be saved: only None")
    assert lines[1].startswith(f"{name}[1]['a']: a set cannot be saved")
    assert "the key 1 is not a str" in lines[2]
    assert lines[3] == "{}"
