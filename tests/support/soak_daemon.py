"""The daemon of a soak, and what is done to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from control import Client, connect_soon, wait_until
from namespaces import Pair
from soak_judge import Gauge
from soak_plan import ASKED, SCRIPTS, Action
from soak_traffic import SERVICE, Sender, wire_seen

HERE = Path(__file__).resolve().parent.parent / "soak" / "scripts"
STOP_S = 90
GAUGE_S = 10
GAUGES = 20
QUIET_S = 60
CLIENTS = 2  # the watcher and the sender
TURNS = 3  # of a loop: what a script has from its beginning is there
QUEUES = 12
CONFIG = """\
stall_ms: 0
stop_grace_s: 30
stop_timeout_s: 60
environment: [SOAK_SINK={sink}, SOAK_SEED={seed}]
devices:
  - {{name: bus, driver: virtual}}
  - {{name: net, driver: udp, bind: "{host}:{port}"}}
  - {{name: wire, driver: packet, interface: near0, direction: in,
     on_loss: wait}}
  - {{name: drive, driver: replay, path: drive.log, loop: yes, start: ready}}
scripts:
  - {{path: keeper.py, state: persist}}
  - {{path: echo.py, state: persist}}
  - {{path: sampler.py, state: persist}}
  - {{path: blocker.py, state: persist, stall_ms: 500}}
  - {{path: crasher.py, state: persist, restart: always, restart_limit: 0,
     restart_delay_s: 0.1, restart_interval_s: 0.2}}
  - {{path: leaker.py}}
"""
DRIVE = "".join(
    f"(1700000000.{number * 2000:06d}) can0 {number:03X}#{number:04X}\n"
    for number in range(500)
)
BROKEN = "import nothing_of_that_name\n"


class Daemon:
    """Starts it in the near namespace, within a folder of its own."""

    def __init__(
        self, binary: Path, folder: Path, pair: Pair, sink: int, seed: int
    ) -> None:
        self.folder, self.pair = folder, pair
        self.socket = folder / "control.sock"
        self.refused: list[str] = []
        self.failed_reloads = 0
        self.wire_sender: Sender | None = None
        self.wire_seen_before = 0  # by interfaces that are gone
        self._sleepers: list[Client] = []
        self._version = 0
        self._first_turns: dict[tuple[str, int], int] = {}
        pair.near.ip("address", "add", f"{SERVICE[0]}/32", "dev", "lo")
        (folder / "state").mkdir()
        (folder / "drive.log").write_text(DRIVE)
        (folder / "awaitd.yaml").write_text(
            CONFIG.format(
                sink=sink, seed=seed, host=SERVICE[0], port=SERVICE[1]
            )
        )
        for script in SCRIPTS:
            shutil.copy(HERE / f"{script}.py", folder)
        self._stderr = (folder / "stderr").open("w")
        with pair.near:
            self.process = subprocess.Popen(
                [binary, "run", "-c", "awaitd.yaml", "--socket", self.socket,
                 "--stats-json", "stats.json"],
                cwd=folder, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=self._stderr,
                env=os.environ | {"STATE_DIRECTORY": str(folder / "state")},
            )  # fmt: skip
        self.watcher = connect_soon(self.socket)
        wait_until(lambda: len(self.queues()) == QUEUES)

    def queues(self) -> list[dict[str, Any]]:
        queues = self.watcher.get("queues")["queues"]
        assert isinstance(queues, list)
        return queues

    def _device(self, name: str) -> dict[str, Any]:
        devices = self.watcher.get("devices")["devices"]
        (device,) = [found for found in devices if found["name"] == name]
        assert isinstance(device, dict)
        return device

    def scripts(self) -> list[dict[str, Any]]:
        scripts = self.watcher.get("scripts")["scripts"]
        assert isinstance(scripts, list)
        return scripts

    # ---- what is done to it ----

    def do(self, action: Action) -> None:
        getattr(self, f"_{action.kind}")(action)

    def _change(self, script: str, before: str = "") -> None:
        self._version += 1
        path = self.folder / f"{script}.py"
        text = (HERE / path.name).read_text()
        # As an editor does it, whole or not at all.
        new = path.with_suffix(".new")
        new.write_text(f"{before}{text}# version {self._version}\n")
        new.rename(path)

    def _reload_answer(self, script: str) -> dict[str, Any]:
        (answer,) = self.watcher.get("reload", script=script)["scripts"]
        assert isinstance(answer, dict)
        return answer

    def _reload(self, action: Action) -> None:
        self._change(action.script)
        answer = self._reload_answer(action.script)
        # The crasher may end in the middle of it.
        if not answer["ok"] and action.script != "crasher":
            self.refused.append(f"reload of {action.script}: {answer}")

    def _break(self, action: Action) -> None:
        self._change(action.script, BROKEN)
        answer = self._reload_answer(action.script)
        if action.script == "crasher":
            pass  # being started again, it is no failed reload
        elif answer["ok"] or "nothing_of_that_name" not in answer["text"]:
            self.refused.append(f"broken {action.script}: {answer}")
        else:
            self.failed_reloads += 1
        self._change(action.script)

    def _hang_up(self, action: Action) -> None:
        self._change(action.script)
        for _ in range(action.number):
            self.process.send_signal(signal.SIGHUP)

    def _restart(self, action: Action) -> None:
        (answer,) = self.watcher.get("restart", script=action.script)["scripts"]
        if not answer["ok"] and action.script != "crasher":
            self.refused.append(f"restart of {action.script}: {answer}")

    def _link(self, action: Action) -> None:
        self.pair.take_down()
        time.sleep(action.lasts_s)
        self.pair.take_up()

    def _address(self, action: Action) -> None:
        words = (f"{SERVICE[0]}/32", "dev", "lo")
        self.pair.near.ip("address", "del", *words)
        time.sleep(action.lasts_s)
        self.pair.near.ip("address", "add", *words)

    def _unplug(self, action: Action) -> None:
        """Nothing is sent meanwhile: what comes to the new interface before the
        daemon has opened it nobody could count. What came before is still on
        its way to the scripts."""
        assert self.wire_sender
        reopened = self._device("wire")["link"]["reopened"] + 1

        def is_back() -> bool:
            link = self._device("wire")["link"]
            return bool(link["state"] == "up" and link["reopened"] == reopened)

        with self.wire_sender.held:
            self.wire_seen_before += wire_seen(self.pair.near)
            self.pair.unplug()
            time.sleep(action.lasts_s)
            self.pair.make()
            wait_until(is_back)

    def _ask(self, action: Action) -> None:
        command = ASKED[action.number % len(ASKED)]
        client = Client(self.socket)
        for number in range(action.number):
            if client.ask(command, id=number).get("id") != number:
                self.refused.append(f"{command}: no answer")
        client.close()

    def _dump(self, action: Action) -> None:
        client = Client(self.socket)
        client.get("dump", device=("bus", "net", "drive")[action.number % 3])
        for _ in range(action.number):
            client.receive()
        client.close()

    def _unread(self, action: Action) -> None:
        client = Client(self.socket)
        self._sleepers.append(client)
        client.write(b'{"command": "dump", "device": "net"}\n')
        client.socket.setblocking(False)
        try:
            for _ in range(200):
                client.socket.send(b'{"command": "queues"}\n' * 50)
        except BlockingIOError:
            pass

    def _half(self, action: Action) -> None:
        client = Client(self.socket)
        client.write(b'{"command": "queues"}\n{"command": "stat' * action.number)
        client.close()

    def _nonsense(self, action: Action) -> None:
        client = Client(self.socket)
        client.write(b'{"command": ]\n' * action.number)
        for _ in range(action.number):
            if client.receive()["ok"]:
                self.refused.append("nonsense is accepted")
        client.close()

    # ---- how it is ----

    def _unrest(self) -> list[str]:
        """Nothing, if there is no client but the watcher and the sender, and
        all scripts are up and have turned: their loops, since their version was
        first seen here. One is said to run before it has a thread, a loop and
        queues."""
        clients = self.watcher.get("status")["clients"]
        unrest = [] if clients == CLIENTS else [f"{clients} clients"]
        for script in self.scripts():
            version = script["name"], script["generation"]
            turns = script["turns"]["count"]
            first = self._first_turns.setdefault(version, turns)
            if (
                script["state"] != "running"
                or script["reloading"]
                or script["stopping"]
                or turns < first + TURNS
            ):
                unrest.append(f"{script}, with {turns - first} turns")
        return unrest

    def _generations(self) -> list[int]:
        return [script["generation"] for script in self.scripts()]

    def gauge(self) -> Gauge:
        """What there mostly was, of many times between two looks that find it
        quiet and the same: the thread of a blocker that has ended may sleep for
        a moment yet, a crasher may have closed its loop already, and the keeper
        collects what nobody refers to once a second."""
        found: list[Gauge] = []
        unrest: list[str] = []
        until = time.monotonic() + GAUGE_S
        for client in self._sleepers:
            client.close()
        self._sleepers = []

        def measured() -> bool:
            before = self._generations()
            unrest[:] = self._unrest()
            if unrest:
                return False
            process = Path(f"/proc/{self.process.pid}")
            status = dict(
                line.split(":", 1)
                for line in (process / "status").read_text().splitlines()
            )
            now = Gauge(
                int(status["VmRSS"].split()[0]),
                self._descriptors(process / "fd"),
                int(status["Threads"]),
            )
            # A version that has ended may still be saving its state.
            saving = [kind for kind in now.descriptors if "/.state-" in kind]
            unrest[:] = self._unrest() + saving
            if self._generations() != before:
                unrest.append("another version")
            if not unrest:
                found.append(now)
            return len(found) >= GAUGES and time.monotonic() > until

        try:
            wait_until(measured, QUIET_S)
        except AssertionError as error:
            raise AssertionError(f"never quiet: {unrest}") from error
        kinds = {kind for gauge in found for kind in gauge.descriptors}
        return Gauge(
            min(gauge.memory_kib for gauge in found),
            {
                kind: statistics.mode(
                    gauge.descriptors.get(kind, 0) for gauge in found
                )
                for kind in sorted(kinds)
            },
            statistics.mode(gauge.threads for gauge in found),
        )

    def _descriptors(self, folder: Path) -> dict[str, int]:
        kinds = Counter()
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                # A socket or pipe without its number.
                kinds[re.sub(r"\[\d+\]$", "[]", os.readlink(path))] += 1
        return dict(kinds)

    def drain(self, came: dict[str, int]) -> None:
        """Returns once so much has come to the devices to which nobody sends
        any more, and whoever reads well has taken it. What a reader has not
        read yet is in no queue. If less comes, the judge tells."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: all(
                queue["received"] >= came[queue["device"]]
                and queue["pending"] == 0
                for queue in self.queues()
                if queue["name"] in ("kept", "asked", "hasty")
                and queue["device"] in came
            ))  # fmt: skip

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_S)
        self._stderr.close()
        return status

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def report(self) -> dict[str, Any]:
        report = json.loads((self.folder / "stats.json").read_text())
        assert isinstance(report, dict)
        return report

    def states(self) -> dict[str, dict[str, Any]]:
        return {
            path.stem: json.loads(path.read_text())
            for path in (self.folder / "state").glob("*.json")
        }
