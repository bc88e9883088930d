"""A disk that is full: the daemon goes on, says so, and breaks nothing that was
written before. The disk is a tmpfs of 64 KiB in a mount namespace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from attack import Target, target  # noqa: F401
from control import wait_until
from hosted import Host, host  # noqa: F401

pytestmark = pytest.mark.daemon

FULL = "No space left on device"


@pytest.fixture
def full(tmp_path: Path) -> list[str]:
    """A command in front of another, which has the folder `full` for itself:
    in it a file `under.json` and no room."""
    words = ["unshare", "--mount"]
    if os.geteuid() != 0:
        words = ["unshare", "--user", "--map-root-user", "--mount"]
    done = subprocess.run([*words, "true"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    disk = tmp_path / "full"
    disk.mkdir()
    fill = f"""
        mount -t tmpfs -o size=64k,mode=755 none {disk}
        echo '{{"runs": 41}}' >{disk}/under.json
        cat /dev/zero >{disk}/fill 2>/dev/null
        "$@"; status=$?
        echo "on the disk: $(ls -A {disk} | tr '\\n' ' '); $(cat {disk}/under.json)"
        exit $status
    """
    return [*words, "sh", "-c", fill, "sh"]


PERSISTS = """
    import asyncio, awaitd
    from awaitd.devices import bus
    state = awaitd.script.state
    state["runs"] += 1
    try:
        state.save()
    except OSError as error:
        print("save:", error, flush=True)
    queue = bus.queue()
    print("runs", state["runs"], flush=True)
    if state["runs"] < 44:
        1 / 0  # what it has is kept in memory, and saved at its end
"""


def test_full_disk_keeps_the_old_state_and_is_told(
    host: Host,  # noqa: F811
    start_process: Any,
    awaitd_binary: Path,
    full: list[str],
) -> None:
    host.write("under.py", PERSISTS)
    file = host.write(
        "awaitd.yaml",
        "scripts:\n  - {path: under.py, state: persist, restart: on-failure,"
        " restart_delay_s: 0.01}\n",
    )
    process = start_process(
        *full, awaitd_binary, "run", "-c", file, "-d", "bus=virtual:can",
        env={"STATE_DIRECTORY": str(host.folder / "full")},
    )  # fmt: skip
    assert process.finish() == 0, process.stderr
    assert process.stdout.count("save:") == process.stdout.count(FULL) == 3
    assert process.stdout.count("runs 44") == 1
    assert process.stderr.count("cannot save the state of under") == 3
    # The old one, whole, and nothing half written beside it.
    assert process.stdout.splitlines()[-1] == (
        'on the disk: fill under.json ; {"runs": 41}'
    )


def test_full_disk_for_stats_json_is_an_error_with_the_reason(
    host: Host,  # noqa: F811
    start_process: Any,
    awaitd_binary: Path,
    full: list[str],
) -> None:
    process = start_process(
        *full, awaitd_binary, "run", "-d", "bus=virtual:can",
        "--stats-json", host.folder / "full" / "stats.json",
        host.write("script.py", "print('ran')\n"),
    )  # fmt: skip
    assert process.finish() == 70
    assert process.stdout.startswith("ran\n")
    assert f"stats.json: {FULL}" in process.stderr
    assert "awaitd: ledger" in process.stderr


LOUD = """
    import asyncio, logging
    print("ready", flush=True)
    while True:
        logging.warning("to a disk that is full")
        await asyncio.sleep(0.001)
"""


def test_full_disk_for_the_log_stops_nobody(
    host: Host,  # noqa: F811
    awaitd_binary: Path,
    start_process: Any,
) -> None:
    """stderr cannot be written at all: reloads, restarts and losses go on, and
    the control socket still has the lines."""
    target = Target(host, lambda *words, **more: start_process(
        "sh", "-c", 'exec "$@" 2>/dev/full', "sh", awaitd_binary, *words,
        **more))  # fmt: skip
    try:
        target.start(scripts={"loud": LOUD})
        target.process.signal(signal.SIGHUP)
        (host.folder / "loud.py").open("a").write("# another\n")
        answer = target.watcher.get("reload", script="loud")
        assert answer["scripts"][0]["ok"] is True
        lines = target.watcher.get("log")["lines"]
        assert any("loud is reloaded" in line["text"] for line in lines)
        target.go_on()
        target.stop()
    finally:
        target.close()


def reload_taker(target: Target, host: Host) -> None:  # noqa: F811
    (host.folder / "taker.py").open("a").write("# another\n")
    (answer,) = target.watcher.get("reload", script="taker")["scripts"]
    assert answer["ok"] is True


def test_lines_that_a_full_disk_refused_are_counted(
    host: Host,  # noqa: F811
    start_process: Any,
    awaitd_binary: Path,
    full: list[str],
) -> None:
    """Once there is room again the log says how many it lacks. The control
    socket has them all: as many as it says."""
    log = host.folder / "full" / "log"
    to_log = f'exec "$@" 2>>{log}'
    target = Target(host, lambda *words, **more: start_process(
        *full, "setpriv", "--pdeathsig", "KILL", "sh", "-c", to_log, "sh",
        awaitd_binary, *words, **more))  # fmt: skip
    try:
        # A line about a loop that is late would be one more.
        target.start(keys="stall_ms: 0\n")
        for _ in range(3):
            reload_taker(target, host)
        logged = len(target.watcher.get("log")["lines"])
        pid = target.watcher.get("status")["pid"]
        disk = Path(f"/proc/{pid}/root{log.parent}")
        assert (disk / "log").read_text() == ""
        (disk / "fill").unlink()
        reload_taker(target, host)
        wait_until(lambda: "taker is reloaded" in (disk / "log").read_text())
        first, *_ = (disk / "log").read_text().splitlines()
        told = f"nobody read here: {logged} of these lines lost"
        assert first == f"awaitd: warning: {told}"
    finally:
        target.close()


def run_to_full(
    host: Host,  # noqa: F811
    awaitd_binary: Path,
    start_process: Any,
    text: str,
    status: int = 0,
) -> Any:
    """One script, whose output has no room."""
    process = start_process(
        "sh", "-c", 'exec "$@" >/dev/full', "sh", awaitd_binary, "run", "-q",
        "--stats-json", host.folder / "stats.json", "-d", "bus=virtual:can",
        host.write("script.py", text), env={"PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    assert process.finish() == status
    report = json.loads((host.folder / "stats.json").read_text())
    assert report["exact"] is True and report["status"] == status
    return process


def test_full_disk_for_what_scripts_print_is_their_own_error(
    host: Host,  # noqa: F811
    awaitd_binary: Path,
    start_process: Any,
) -> None:
    """One script, which writes through: it is told, and can go on. What it
    could not write Python keeps, and tries at the end once more."""
    process = run_to_full(
        host, awaitd_binary, start_process,
        """
        import sys
        from awaitd.devices import bus
        queue = bus.queue()
        for number in range(3):
            try:
                print("gone", flush=True)
            except OSError as error:
                print("told", number, error, file=sys.stderr)
        print("went on", file=sys.stderr)
        """,
        status=120,
    )  # fmt: skip
    told = [f"told {number} [Errno 28] {FULL}" for number in range(3)]
    assert process.stderr.splitlines()[:4] == [*told, "went on"]


def test_full_disk_that_shows_at_the_end_is_an_exit_status(
    host: Host,  # noqa: F811
    awaitd_binary: Path,
    start_process: Any,
) -> None:
    """One script, whose output is still in its buffer: as in python3."""
    process = run_to_full(
        host, awaitd_binary, start_process, "print('gone')", status=120
    )
    assert process.stderr.splitlines()[1] == f"OSError: [Errno 28] {FULL}"
    python = start_process(
        "sh", "-c", 'exec /usr/bin/python3 -c "print()" >/dev/full',
        env={"PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    assert python.finish() == 120


def test_full_disk_at_the_end_is_no_failure_of_the_script(
    host: Host,  # noqa: F811
    awaitd_binary: Path,
    start_process: Any,
) -> None:
    """What succeeded is not done again because nobody could be told."""
    ran = host.folder / "ran"
    text = f"print('gone', file=open({str(ran)!r}, 'a'))\nprint()\n"
    host.write("script.py", text)
    config = host.write(
        "awaitd.yaml",
        "scripts: [{name: s, path: script.py, restart: on-failure,"
        " restart_delay_s: 0.01}]\n",
    )
    process = start_process(
        "sh", "-c", 'exec "$@" >/dev/full', "sh",
        awaitd_binary, "run", "-c", config, env={"PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    assert process.finish() == 120
    assert ran.read_text() == "gone\n"


def test_full_disk_in_a_child_is_its_exit_status(
    host: Host,  # noqa: F811
    awaitd_binary: Path,
    start_process: Any,
) -> None:
    process = run_to_full(
        host, awaitd_binary, start_process,
        """
        import os, sys
        if child := os.fork():
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print("child", status, file=sys.stderr)
        else:
            print("gone")
        """,
    )  # fmt: skip
    assert process.stderr.splitlines()[0] == "child 120"
