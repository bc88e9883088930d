"""Restart policies: when a script is started again, and what it finds."""

from __future__ import annotations

import json
import re
import signal
import venv

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon


@pytest.fixture
def supervised(host, run_daemon):  # noqa: F811
    """supervised(keys, text, *others) -> Process of a daemon with that script."""

    def start(keys: str, text: str, *others: str, **options):
        host.write("under.py", text)
        scripts = f"  - {{path: under.py, {keys}}}\n"
        for number, other in enumerate(others):
            host.write(f"other{number}.py", other)
            scripts += f"  - {{path: other{number}.py}}\n"
        file = host.write(
            "awaitd.yaml", f"reload_settle_s: 0.2\nscripts:\n{scripts}"
        )
        return run_daemon(
            "run", "-c", file, "-d", "bus=virtual:can", **options
        )

    return start


ENDS = """
    import awaitd, sys
    print("run", awaitd.script.generation, awaitd.script.start_reason, flush=True)
    sys.exit({status} if awaitd.script.generation < 4 else 0)
"""
QUICK = "restart_delay_s: 0.01"


@pytest.mark.parametrize(
    "policy, status, runs, last",
    [
        ("no", 3, 1, 3),
        ("on-failure", 3, 4, 0),
        ("on-failure", 0, 1, 0),
        ("always", 0, 6, 1),
    ],
)
def test_policy_says_when_it_is_started_again(
    supervised, policy, status, runs, last
):
    process = supervised(
        f"restart: {policy}, {QUICK}", ENDS.format(status=status)
    )
    assert process.finish() == last
    lines = process.stdout.splitlines()
    assert lines[0] == "run 1 start"
    assert lines[1:] == [f"run {n} restart" for n in range(2, runs + 1)]


def test_script_that_fails_too_often_is_given_up(supervised):
    process = supervised(
        f"restart: on-failure, {QUICK}, restart_limit: 2", "1 / 0\n"
    )
    assert process.finish() == 1
    assert process.stderr.count("ZeroDivisionError") == 3
    assert "started again 2 times within 60 s" in process.stderr


def test_delay_doubles_within_ten_percent(supervised):
    process = supervised(
        "restart: on-failure, restart_delay_s: 0.1, restart_limit: 3", "1 / 0\n"
    )
    process.finish()
    said = re.findall(r"started again in ([\d.]+) s", process.stderr)
    for delay, expected in zip(map(float, said), (0.1, 0.2, 0.4), strict=True):
        # Printed with one digit.
        assert 0.9 * expected - 0.05 <= delay <= 1.1 * expected + 0.05


# Another script feeds it, and has perhaps not done so when it starts again.
FED = """
    import os

    async def all_sent():
        while not os.path.exists("fed"):
            await asyncio.sleep(0.01)

    async def pending(queue):
        await all_sent()
        while queue.qsize() < PENDING:  # the last may be on its way
            await asyncio.sleep(0.01)
        return queue.qsize()
"""
CRASHES = """
    import asyncio, awaitd
    from awaitd.devices import bus
    FED

    async def main():
        if awaitd.script.generation > 1 and PENDING == 0:
            await all_sent()  # to nobody: those are not in its queue
        q = bus.queue(name="q")
        if awaitd.script.generation == 1:
            print("open", flush=True)
            assert (await q.get()).arbitration_id == 0
            await bus.send(awaitd.CanFrame(0x7FF))
            raise ValueError("crashed")
        print("pending", await pending(q), flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
""".replace("    FED\n", FED)
FEEDS = """
    import asyncio, awaitd, os, pathlib
    from awaitd.devices import bus
    crashed = bus.queue(filters=[{"can_id": 0x7FF, "can_mask": 0x7FF}])
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)
    for number in range(100):
        await bus.send(awaitd.CanFrame(number))
    pathlib.Path("fed").touch()
    await asyncio.Event().wait()
"""


@pytest.mark.parametrize("keys, pending", [("keep", 99), ("flush", 0)])
def test_crash_keeps_the_backlog_or_flushes_it(
    supervised, host, keys, pending  # noqa: F811
):
    process = supervised(
        f"restart: on-failure, restart_delay_s: 0.3, on_restart: {keys}",
        CRASHES.replace("PENDING", str(pending)),
        FEEDS,
        cwd=host.folder,
    )
    process.line("open")
    (host.folder / "go").touch()
    assert process.line("pending") == f"under: pending {pending}"


def test_end_without_an_error_keeps_the_backlog_if_always_started_again(
    supervised, host  # noqa: F811
):
    process = supervised(
        "restart: always, restart_delay_s: 0.3",
        # With main() its variables end, and a queue that nobody has.
        CRASHES.replace("PENDING", "99")
        .replace('raise ValueError("crashed")', "return")
        .replace("        q = bus", "        global q\n        q = bus"),
        FEEDS,
        cwd=host.folder,
    )
    process.line("open")
    (host.folder / "go").touch()
    assert process.line("pending") == "under: pending 99"


ENDS_IN_ITS_SETTLE = """
    import asyncio, awaitd
    from awaitd.devices import bus
    FED

    q = bus.queue(name="q")

    async def main():
        if awaitd.script.generation == 2:
            await bus.send(awaitd.CanFrame(0x7FF))
            await q.get()
            return
        first = awaitd.script.generation == 1
        found = q.qsize() if first else await pending(q)
        print("pending", found, flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
""".replace("    FED\n", FED).replace("PENDING", "99")


def test_end_soon_after_a_reload_keeps_the_backlog(
    supervised, host  # noqa: F811
):
    process = supervised(
        "restart: always, restart_delay_s: 0.3", ENDS_IN_ITS_SETTLE, FEEDS,
        cwd=host.folder,
    )  # fmt: skip
    process.line("under: pending 0")
    host.write("under.py", ENDS_IN_ITS_SETTLE + "    # changed\n")
    process.signal(signal.SIGHUP)
    (host.folder / "go").touch()
    assert process.line("under: pending") == "under: pending 99"


def test_stop_ends_a_script_that_waits_to_be_started_again(supervised):
    process = supervised("restart: always, restart_delay_s: 20", "pass\n")
    process.line("is started again in", stream="stderr")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0


def test_state_outlives_a_crash_and_is_kept_over_the_daemon(
    supervised, tmp_path
):
    text = """
        import awaitd
        state = awaitd.script.state
        state["runs"] = state.get("runs", 0) + 1
        print("runs", state["runs"], flush=True)
        if state["runs"] < 3:
            1 / 0
    """
    folder = tmp_path / "state"
    folder.mkdir()
    for runs in (3, 4):
        process = supervised(
            f"restart: on-failure, {QUICK}, state: persist",
            text,
            env={"STATE_DIRECTORY": str(folder)},
        )
        assert process.finish() == 0
        assert process.stdout.splitlines()[-1] == f"runs {runs}"
    assert json.loads((folder / "under.json").read_text()) == {"runs": 4}
    assert [path.name for path in folder.iterdir()] == ["under.json"]


def test_state_to_persist_needs_its_folder(supervised):
    process = supervised(
        "state: persist", "pass\n", env={"STATE_DIRECTORY": ""}
    )
    assert process.finish() == 78
    assert "STATE_DIRECTORY" in process.stderr


def test_state_file_that_is_broken_is_reported_and_not_fatal(
    supervised, tmp_path
):
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "under.json").write_text("{")
    process = supervised(
        "state: persist",
        "import awaitd\nprint(dict(awaitd.script.state))\n",
        env={"STATE_DIRECTORY": str(folder)},
    )
    assert process.finish() == 0
    assert process.stdout == "{}\n"
    assert "cannot use the state in" in process.stderr


def test_paths_of_a_script_are_searched(supervised, host):  # noqa: F811
    host.write("lib/of_the_script.py", "WHO = 'found'\n")
    process = supervised(
        "paths: [lib]", "import of_the_script as m\nprint(m.WHO)\n"
    )
    assert process.finish() == 0
    assert process.stdout == "found\n"


@pytest.mark.parametrize(
    "keys, said",
    [
        ("restart: sometimes", "restart"),
        ("restart_delay_s: 31", "restart_delay_s"),
        ("restrat: no", 'did you mean "restart"'),
        ("cwd: /", "share its process"),
        ("venv: /", "share its process"),
        ("environment: A=1", "share its process"),
    ],
)
def test_key_that_is_no_good_is_refused(
    run_daemon, host, keys, said  # noqa: F811
):
    host.write("a.py", "pass\n")
    file = host.write("a.yaml", f"scripts:\n  - path: a.py\n    {keys}\n")
    process = run_daemon("check", file)
    assert process.finish() == 78
    assert f"{file}:3: scripts[0]." in process.stderr
    assert said in process.stderr


# ---- the process ----


def test_environment_and_folder_are_those_of_the_configuration(
    run_daemon, host, tmp_path  # noqa: F811
):
    (tmp_path / "there").mkdir()
    host.write(
        "a.py", "import os\nprint(os.getcwd(), os.environ['BENCH'])\n"
    )
    file = host.write(
        "a.yaml",
        """
        environment: [BENCH=3=4]
        cwd: there
        scripts: [{path: a.py}]
        """,
    )
    process = run_daemon("run", "-q", "-c", file, cwd=tmp_path)
    assert process.finish() == 0
    assert process.stdout == f"{tmp_path}/there 3=4\n"


def test_venv_is_that_of_the_configuration(run_daemon, host, tmp_path):  # noqa: F811
    venv.create(tmp_path / "venv", symlinks=True)
    host.write("a.py", "import sys\nprint(sys.prefix, sys.executable)\n")
    file = host.write("a.yaml", "venv: venv\nscripts: [{path: a.py}]\n")
    process = run_daemon("run", "-q", "-c", file)
    assert process.finish() == 0
    assert process.stdout.split() == [
        f"{tmp_path}/venv", f"{tmp_path}/venv/bin/python3"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "key, said",
    [
        ("cwd: nowhere", "a.yaml:1: cwd: "),
        ("venv: nowhere", "a.yaml:1: venv: no virtual environment"),
        ("environment: [BENCH]", "environment[0]: should be NAME=VALUE"),
    ],
)
def test_what_the_process_cannot_have_is_refused(
    run_daemon, host, key, said  # noqa: F811
):
    host.write("a.py", "pass\n")
    file = host.write("a.yaml", f"{key}\nscripts: [{{path: a.py}}]\n")
    process = run_daemon("check", file)
    assert process.finish() == 78
    assert said in process.stderr
