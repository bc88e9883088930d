"""One run of the scenario, in a folder and on a loopback of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
DEADLINE_S = 40  # the script's own deadlines, and a stop after them
GRACE_S = 15  # from a SIGTERM to the end
DOCUMENTED = {0, 1, 64, 69, 70, 75, 78, 120}
HOST = "127.0.0.1"
# Its own loopback. What goes before the program, which it becomes.
NETWORK = [
    "unshare", "--net", *(["--map-root-user"] if os.geteuid() else []),
    "sh", "-c", 'ip link set lo up && exec "$0" "$@"',
]
CONFIG = f"""\
reload_settle_s: 5
start_timeout_s: 5
stop_grace_s: 3
stop_timeout_s: 6
metrics: {{listen: "{HOST}:9464"}}
environment: [SCENARIO_HOST={HOST}]
devices:
  - {{name: bus, driver: virtual, receive_own: yes}}
  - {{name: net, driver: udp, bind: "{HOST}:5005", interface: lo, cpus: 0,
     mlock: yes}}
  - {{name: log, driver: replay, path: drive.log, speed: max}}
scripts:
  - {{name: main, path: main.py, args: [a, b], paths: [lib, more], state: persist}}
  - {{name: other, path: other.py, restart: on-failure}}
"""
DROP_IN = """\
devices:
  - {name: wire, driver: packet, interface: lo, filter: udp dst port 5005}
scripts:
  - {name: other, restart_delay_s: 0.1}
"""
LOG = "".join(
    f"(1700000000.{number:06d}) can0 {number:03X}#{number:02X}\n"
    for number in range(60)
)
SANITIZER = re.compile(
    r"Sanitizer|runtime error:|Assertion .* failed|Fatal Python error"
)


@dataclass
class Run:
    """What came of it."""

    status: int = 0
    hung: str = ""  # "", "stopped": after a SIGTERM, "killed"
    stdout: str = ""
    stderr: str = ""
    log: list[str] = field(default_factory=list)  # of inject.c
    stats: dict | None = None

    def lines(self, kind: str) -> list[str]:
        start = kind + " "
        return [
            line[len(start) :] for line in self.log if line.startswith(start)
        ]

    @property
    def accounts(self) -> list[dict]:
        found = []
        for line in self.stdout.splitlines():
            try:
                found.append(json.loads(line.removeprefix("main: ")))
            except ValueError:
                pass
        return found

    @property
    def python_gave_up(self) -> bool:
        """It had no MemoryError yet that it could raise; or it went on with what
        it had not got, as its compiler does and the start of some modules."""
        if self.status == -signal.SIGSEGV:
            return "inject: Python crashed by itself" in self.stderr
        return self.status == -signal.SIGABRT and (
            "Fatal Python error: _PyErr_NoMemory" in self.stderr
            and "runtime state: preinitialized" in self.stderr
        )

    @property
    def python_lost_a_wake(self) -> bool:
        """A script waits for ever, since asyncio could not call what would have
        gone on: it tells of that, and goes on without. What is left to awaitd is
        to stop when it is told to."""
        return self.hung == "stopped" and bool(
            re.search(
                r"(Exception (in callback|ignored in)|Fatal (\w+ )?error)"
                r"[^\0]*MemoryError",
                self.stderr,
            )
        )

    # ---- what is wrong with it ----

    def wrongs(self, ours: bool = True) -> list[str]:
        """`ours`: nothing failed within Python."""
        found = list(self._end(ours))
        if self.stats:
            found += self._ledgers()
        if not ours:
            return found
        if self.stats:
            found += self._counts()
        return found + [f"leak {leak}" for leak in self.lines("leak")]

    def _end(self, ours: bool):
        if self.hung and (ours or not self.python_lost_a_wake):
            yield f"hung, {self.hung}"
        elif self.status not in DOCUMENTED:
            yield f"status {self.status}"
        elif self.status and not self.stderr.strip():
            yield f"status {self.status} without a word"
        elif self.status == 0 and not self.stats:
            yield "status 0 without the counts"
        if match := SANITIZER.search(self.stderr):
            yield f"stderr: {match[0]}"
        for account in self.accounts if ours else []:
            for name in account["late"]:
                yield f"generation {account['generation']}: {name} is late"

    def _ledgers(self):
        for device in self.stats["devices"]:
            for queue in device["queues"]:
                total = (
                    queue["filtered"]
                    + queue["delivered"]
                    + sum(queue["dropped"].values())
                    + queue["pending"]
                )
                if queue["received"] != total or not queue["exact"]:
                    yield f"{device['name']}.{queue['name']} is not exact"
            sends = device["send"]
            if sends["submitted"] != sum(
                sends[key]
                for key in ("sent", "expired", "timed_out", "failed", "pending")
            ):
                yield f"{device['name']}: sends are not exact"

    def _counts(self):
        """The scripts' own counts, where all of them could tell."""
        accounts = self.accounts
        devices = {device["name"]: device for device in self.stats["devices"]}
        if not accounts:
            return
        for device, name in (
            ("bus", "b"), ("net", "n"), ("log", "l"), ("wire", "w"),
        ):
            queues = [
                queue for queue in devices.get(device, {}).get("queues", ())
                if queue["name"] == name
            ]
            got = sum(account["got"][name] for account in accounts)
            delivered = sum(queue["delivered"] for queue in queues)
            if got != delivered:
                yield f"{name}: {delivered} delivered, {got} taken"
        if accounts[-1]["complete"] and not self.lines("fired"):
            received = devices["bus"]["queues"][0]["received"]
            if received != devices["bus"]["send"]["sent"]:
                yield f"bus: {received} received of what was sent"


def _end(process: subprocess.Popen, run: Run) -> None:
    try:
        run.stdout, run.stderr = process.communicate(timeout=DEADLINE_S)
        return
    except subprocess.TimeoutExpired:
        run.hung = "stopped"
        process.send_signal(signal.SIGTERM)
    try:
        run.stdout, run.stderr = process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        run.hung = "killed"
        process.kill()
        run.stdout, run.stderr = process.communicate()


def prepare(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("lib", "more", "state", "conf.d"):
        (folder / name).mkdir(parents=True)
    (folder / "awaitd.yaml").write_text(CONFIG)
    (folder / "conf.d" / "more.yaml").write_text(DROP_IN)
    (folder / "drive.log").write_text(LOG)
    for script in ("main.py", "other.py"):
        shutil.copy(HERE / "scenario" / script, folder)


def environment_in(folder: Path, cache: Path) -> dict[str, str]:
    return os.environ | {
        "AWAITD_SOCKET": str(folder / "socket"),
        "AWAITD_FAULT_LOG": str(folder / "faults"),
        "STATE_DIRECTORY": str(folder / "state"),
        "NOTIFY_SOCKET": str(folder / "notify"),
        "PYTHONMALLOC": "malloc",
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONDONTWRITEBYTECODE": "",
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def play(
    program: Path, folder: Path, cache: Path, environment: dict[str, str]
) -> Run:
    """Runs it in a folder and a network of its own; `cache` keeps what Python
    has compiled."""
    prepare(folder)
    run = Run()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        process = subprocess.Popen(
            [*NETWORK, program, "run", "-c", "awaitd.yaml"]
            + ["--stats-json", "stats.json"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment_in(folder, cache) | environment,
        )
        _end(process, run)
    run.status = process.returncode
    if (folder / "faults").exists():
        run.log = (folder / "faults").read_text().splitlines()
    if (folder / "stats.json").exists():
        try:
            run.stats = json.loads((folder / "stats.json").read_text())
        except ValueError:
            run.stats = None
    return run
