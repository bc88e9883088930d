"""Output that nobody reads any more: a reader that is stopped, a journal that
is. Neither a script nor the daemon waits for it, and every line is accounted
for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from control import connect_soon, wait_until
from hosted import host  # noqa: F401
from reloading import Reloading

pytestmark = pytest.mark.daemon

DEADLINE_S = 30.0
LINES = 30000
FLOOD = f"""
    import asyncio, pathlib
    await asyncio.sleep(0)
    for number in range({LINES}):
        print(number, "x" * 80)
    pathlib.Path({{done!r}}).touch()
    await asyncio.Event().wait()
    """
IDLE = "import asyncio\nawait asyncio.Event().wait()\n"


def wait_for(path) -> None:
    wait_until(path.exists, DEADLINE_S)


class Stopped:
    """A daemon with two scripts, whose output goes to a process that stopped
    before it read anything."""

    def __init__(self, host, binary) -> None:
        self.folder = host.folder
        self.stats = host.folder / "stats.json"
        self.done = host.folder / "done"
        self.written = host.folder / "written"
        scripts = {
            "one": FLOOD.format(done=str(self.done)),
            "two": IDLE,
        }
        words = ["-s", host.write("one.py", scripts["one"])]
        words += ["-s", host.write("two.py", scripts["two"])]
        with self.written.open("wb") as file:
            self.reader = subprocess.Popen(
                ["cat"], stdin=subprocess.PIPE, stdout=file
            )
        self.reader.send_signal(signal.SIGSTOP)
        socket = host.folder / "control.sock"
        self.daemon = subprocess.Popen(
            [binary, "run", "-d", "bus=virtual:can", "--socket", socket]
            + ["--stats-json", self.stats, *words],
            stdout=self.reader.stdin,
            stderr=self.reader.stdin,
        )
        self.reader.stdin.close()
        self.control = connect_soon(socket)

    def go_on(self) -> None:
        """Have the reader read."""
        self.reader.send_signal(signal.SIGCONT)

    def dropped(self) -> int:
        scripts = self.control.get("scripts")["scripts"]
        return {it["name"]: it["dropped_lines"] for it in scripts}["one"]

    def end(self) -> int:
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(DEADLINE_S)

    def read_numbers(self) -> list[int]:
        """Of the whole lines of the flood, once the daemon has ended."""
        self.go_on()
        self.reader.wait(DEADLINE_S)
        lines = self.written.read_text().splitlines(keepends=True)
        return [
            int(line.split()[1])
            for line in lines
            if line.startswith("one: ") and line.endswith("x\n")
        ]

    def close(self) -> None:
        self.control.close()
        for process in (self.daemon, self.reader):
            process.kill()
            process.wait()


@pytest.fixture
def stopped(host, awaitd_binary):  # noqa: F811
    stopped = Stopped(host, awaitd_binary)
    yield stopped
    stopped.close()


def test_h24_stopped_reader_stops_neither_a_script_nor_the_daemon(stopped):
    wait_for(stopped.done)
    wait_until(lambda: stopped.dropped() > 0)
    assert stopped.control.get("status")["lossless"]


def test_h24_what_a_stopped_reader_misses_is_counted(stopped):
    wait_for(stopped.done)
    stopped.go_on()
    assert stopped.end() == 0
    numbers = stopped.read_numbers()
    lost = json.loads(stopped.stats.read_text())["dropped_lines"]
    assert numbers == sorted(set(numbers))
    assert 0 < lost == LINES - len(numbers)


def test_end_beside_a_stopped_reader_counts_what_waited_as_lost(stopped):
    """Its ledger has no reader either, and the end comes all the same."""
    wait_for(stopped.done)
    assert stopped.end() == 0
    lost = json.loads(stopped.stats.read_text())["dropped_lines"]
    assert lost == LINES - len(stopped.read_numbers())


def test_own_lines_beside_a_stopped_reader_are_lost_and_told_of(stopped):
    wait_for(stopped.done)
    (stopped.folder / "two.py").write_text("1 / 0\n")
    for _ in range(3):
        [reply] = stopped.control.get("reload", script="two")["scripts"]
        assert "two.py:1: ZeroDivisionError" in reply["text"]
    lines = stopped.control.get("log")["lines"]
    assert sum("reload failed" in it["text"] for it in lines) == 3
    stopped.go_on()
    wait_until(
        lambda: bool(stopped.control.get("reload", script="two"))
        and "nobody read here" in stopped.written.read_text()
    )


# ---- the journal ----

# As test_host_writer.py has it, but that nobody reads it until the file `done`
# is there; with the argument "gone", nobody is behind its socket.
JOURNAL = f"""
    import json, os, pathlib, socket, subprocess, sys, time
    how, done, *command = sys.argv[1:]
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    folder = pathlib.Path("/run/systemd/journal")
    folder.mkdir(parents=True)
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(str(folder / "socket"))
    journal.settimeout(0.05)
    if how == "gone":
        journal.close()
    read, write = os.pipe()
    status = os.fstat(write)
    environment = os.environ | {{
        "JOURNAL_STREAM": f"{{status.st_dev}}:{{status.st_ino}}"
    }}
    daemon = subprocess.Popen(command, stdout=write, stderr=write,
                              env=environment)
    while not os.path.exists(done):
        assert daemon.poll() is None
        time.sleep(0.01)
    os.kill(daemon.pid, 15)
    count = 0
    while how != "gone":
        ended = daemon.poll() is not None  # before the look: nothing follows
        try:
            count += journal.recv(1 << 16).startswith(b"MESSAGE=")
        except TimeoutError:
            if ended:
                break
    print(json.dumps([daemon.wait({DEADLINE_S}), count]))
    """


@pytest.mark.parametrize("how", ["stopped", "gone"])
def test_h24_journal_that_nobody_reads_blocks_no_script(
    host, awaitd_binary, how  # noqa: F811
):
    namespace = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here: the journal is NOT tested")
    done = host.folder / "done"
    stats = host.folder / "stats.json"
    script = host.write("one.py", FLOOD.format(done=str(done)))
    ended = subprocess.run(
        [*namespace, sys.executable, "-c", textwrap.dedent(JOURNAL), how, done]
        + [awaitd_binary, "run", "-q", "--stats-json", stats, script],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        env=os.environ | {"PYTHONUNBUFFERED": ""},
    )
    assert ended.returncode == 0, ended.stderr
    status, count = json.loads(ended.stdout)
    lost = json.loads(stats.read_text())["dropped_lines"]
    assert status == 0
    assert lost > 0
    assert count + lost == LINES


# ---- whose lines ----


def test_lines_of_many_scripts_are_whole_and_in_order(host):  # noqa: F811
    scripts = {
        f"s{number}": """
        import sys
        for line in range(300):
            sys.stdout.write(f"{line} ")
            sys.stdout.write("y" * 20)
            sys.stdout.write("\\n")
        """
        for number in range(20)
    }
    process = host.run(**scripts)
    for name in scripts:
        own = [
            line.removeprefix(f"{name}: ")
            for line in process.stdout.splitlines()
            if line.startswith(f"{name}: ")
        ]
        assert own == [f"{line} {'y' * 20}" for line in range(300)]


def test_reload_amid_a_line_keeps_the_versions_apart(host, run_daemon):  # noqa: F811
    under = Reloading(host, run_daemon)
    under.start(
        """
        import asyncio
        print("old", end=" ")
        print("ready", flush=True)
        print("one", end=" ")
        try:
            await asyncio.Event().wait()
        finally:
            print("end", end="")
        """,
        IDLE,
    )
    under.process.line("under: old ready")
    under.reload("""
        print("new", end=" ")
        from awaitd.devices import bus
        q = bus.queue()
        print("line")
        import asyncio
        await asyncio.Event().wait()
    """)
    under.process.line("under: new line")
    under.log("is reloaded")
    under.stop()
    assert under.process.stdout.splitlines() == [
        "under: old ready",
        "under: one end",
        "under: new line",
    ]


def test_restart_amid_a_line_ends_it(host, run_daemon):  # noqa: F811
    under = Reloading(host, run_daemon)
    under.start(
        """
        import asyncio, awaitd
        print(awaitd.script.start_reason, end="", flush=True)
        if awaitd.script.start_reason == "start":
            1 / 0
        print(" it is")
        await asyncio.Event().wait()
        """,
        IDLE,
        keys=", restart: on-failure, restart_delay_s: 0.01",
    )
    under.process.line("under: restart it is")
    under.stop()
    assert under.process.stdout.splitlines() == [
        "under: start",
        "under: restart it is",
    ]
