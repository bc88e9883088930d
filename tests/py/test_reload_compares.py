"""What a reload compares with what, to find whether a script has changed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest
from configured import daemon, reload  # noqa: F401
from control import connect_soon
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

STAYS = """
    import asyncio
    print("stays", flush=True)
    await asyncio.Event().wait()
"""
USES = """
    import asyncio, helper
    print("uses", helper.VALUE, flush=True)
    await asyncio.Event().wait()
"""
BOTH = "scripts: [{path: one.py}, {path: two.py}]"


def said(replies: dict) -> dict[str, str]:
    return {it["script"]: it["text"] for it in replies["scripts"]}


def test_module_that_another_reload_has_taken_out(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", USES)
    daemon.script("helper", "VALUE = 1\n")
    process = daemon.start(BOTH)
    process.until_said("one: stays", "two: uses 1")
    daemon.script("one", STAYS + "    # changed\n")
    assert said(reload()) == {"one": "", "two": "unchanged"}
    daemon.script("helper", "VALUE = 2\n")
    assert said(reload())["two"] == ""
    process.line("two: uses 2")


def test_module_of_a_script_that_could_not_import_it(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", USES)
    daemon.script("helper", "VALUE =\n")
    process = daemon.start(BOTH)
    daemon.log("script two ended with status 1")
    assert said(reload()) == {"one": "unchanged", "two": "unchanged"}
    daemon.script("helper", "VALUE = 1\n")
    assert said(reload())["two"] == ""
    process.line("two: uses 1")


def test_module_in_a_package_of_a_package_that_could_not_be_imported(
    daemon, reload
):
    daemon.script("one", STAYS)
    daemon.script("two", USES.replace("helper", "a.b.helper as helper", 1))
    (daemon.folder / "a").mkdir()
    (daemon.folder / "a" / "itself").symlink_to(".")
    daemon.script("a/__init__", "")
    daemon.script("a/b/helper", "VALUE = 1 / 0\n")
    process = daemon.start(BOTH, env={"PYTHONDONTWRITEBYTECODE": ""})
    daemon.log("script two ended with status 1")
    # As long as before, and within the same second.
    before = os.stat(daemon.folder / "a/b/helper.py")
    daemon.script("a/b/helper", "VALUE = 1 / 1\n")
    os.utime(daemon.folder / "a/b/helper.py", ns=(0, before.st_mtime_ns + 1))
    assert said(reload())["two"] == ""
    process.line("two: uses 1.0")


@pytest.mark.parametrize("end", ["raise SystemExit(1)", "1 / 0"])
def test_script_that_has_failed_is_not_tried_for_another_one(
    daemon, reload, end
):
    daemon.script("one", STAYS)
    daemon.script("two", end)
    process = daemon.start(BOTH)
    process.line("one: stays")
    daemon.log("script two ended with status 1")
    daemon.script("one", STAYS + "    # changed\n")
    assert said(reload()) == {"one": "", "two": "unchanged"}


def test_module_that_is_no_better_is_tried_once(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", USES)
    daemon.script("helper", "VALUE =\n")
    daemon.start(BOTH)
    daemon.log("script two ended with status 1")
    daemon.script("helper", "VALUE = =\n")
    # Else it might have been written since: the file's clock is a coarse one.
    written_ns = os.stat(daemon.folder / "helper.py").st_ctime_ns
    while time.time_ns() < written_ns + 50_000_000:
        time.sleep(0.01)
    assert "helper.py:1" in said(reload(status=1))["two"]
    assert said(reload())["two"] == "unchanged"


def test_file_that_is_as_it_was_before_the_version_that_failed(daemon, reload):
    daemon.script("one", STAYS)
    daemon.script("two", STAYS)
    process = daemon.start(BOTH)
    process.line("two: stays")
    daemon.script("two", "1 +\n")
    client = connect_soon(daemon.socket)
    client.get("restart", script="two")
    daemon.log("script two ended with status 1")
    daemon.script("two", STAYS)
    assert said(reload()) == {"one": "unchanged", "two": ""}
    process.line("two: stays")


def test_module_that_is_taken_out_meanwhile_is_passed_over(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text("")
    done = python(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import one, two
        from awaitd._host import modules

        class Taken(str):
            def __str__(self):
                sys.modules.pop("two", None)
                return str.__str__(self)

        one.__file__ = Taken(one.__file__)
        print(sorted(modules.purge([{str(tmp_path)!r}])))
    """)
    assert done == "['one']\n"


def test_module_of_a_package_without_init_is_imported_anew(daemon, reload):
    text = """
        import asyncio
        from lib import helper
        print("uses", helper.VALUE, flush=True)
        await asyncio.Event().wait()
    """
    daemon.script("one", text)
    daemon.script("lib/helper", "VALUE = 1\n")
    process = daemon.start("scripts: [{path: one.py}]")
    process.line("uses 1")
    daemon.script("lib/helper", "VALUE = 2\n")
    assert said(reload()) == {"one": ""}
    assert process.line("uses") == "uses 2"


# ---- a version that has yet to begin ----

# The first version, and one that is to take its place if there is a change.
TWO_VERSIONS = """
    import threading
    from awaitd._host import current, script, slot

    current.install()
    place = slot.Slot(0, "one", {path!r}, [])
    first, second = (
        script.HostedScript(
            place, number, reason, [place], [lambda *_: None] * 3, True
        )
        for number, reason in enumerate(("start", "reload"), 1)
    )
    place.succeed(first)
    second.hold(lambda: (print("is held"), second.discard()))
    threads = [threading.Thread(target=it.run) for it in (second, first)]
    threads[0].start()
    threads[0].join(0.3)
"""


def python(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("print('runs')\n")
    return TWO_VERSIONS.format(path=str(path))


def test_version_that_has_yet_to_read_its_file_is_waited_for(script):
    done = python(script + """
    threads[1].start()
    threads[0].join()
    print("unchanged", second.unchanged)
    """)
    assert done == "runs\nunchanged True\n"


def test_version_that_had_no_thread_is_not_waited_for(script):
    done = python(script + """
    first.never_ran()
    threads[0].join()
    print("unchanged", second.unchanged)
    """)
    assert done == "runs\nis held\nunchanged False\n"
