"""awaitd as a service of a booted system: configured, driven, looked at."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from booted import System, Systemd, install, refusal, wait_until

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AWAITD_BUILD", ROOT / "build")).resolve()

UNIT = "awaitd.service"
SOCKET = "/run/awaitd/control.sock"
DROP_INS = "/usr/local/share/awaitd/awaitd.service.d"
HANG = "/opt/test/hang.so"
# Looked at four times in it: a busy machine may hold a daemon up for a second.
WATCHDOG_S = 3

BUS = "{name: bus, driver: virtual, receive_own: yes}"

# Frames for the counts, and a line for the journal.
SCRIPT = """
    import asyncio
    import awaitd
    from awaitd.devices import bus
    queue = bus.queue()
    for _ in range(5):
        await bus.send(awaitd.CanFrame(0x100))
        await queue.get()
    print("version one", flush=True)
    await asyncio.Event().wait()
"""


class Service:
    """One unit, by default awaitd.service, its own afresh in each test."""

    def __init__(self, system: Systemd, unit: str = UNIT) -> None:
        self.system = system
        self.unit = unit
        self.stem = unit.removesuffix(".service")
        self.instance = self.stem.partition("@")[2] or "awaitd"

    def configure(
        self,
        script: str = SCRIPT,
        *,
        device: str = BUS,
        args: tuple[str, ...] = (),
        more: str = "",
    ) -> None:
        """The configuration, with one device and one script."""
        path = f"/etc/awaitd/{self.instance}.py"
        self.system.write(path, textwrap.dedent(script))
        self.system.write(
            f"/etc/awaitd/{self.instance}.yaml",
            f"devices:\n  - {device}\nscripts:\n"
            f"  - {{path: {path}, args: {json.dumps(args)}}}\n{more}\n",
        )

    def drop_in(self, name: str, text: str) -> None:
        folder = f"/etc/systemd/system/{self.unit}.d"
        self.system.write(f"{folder}/{name}.conf", f"[Service]\n{text}\n")
        self.system.run("systemctl", "daemon-reload")

    def link(self, name: str) -> None:
        """One of the drop-ins that are installed."""
        folder = f"/etc/systemd/system/{self.unit}.d"
        self.system.run(
            "sh", "-c",
            f"mkdir -p {folder} && ln -s {DROP_INS}/{name}.conf {folder}/ &&"
            " systemctl daemon-reload",
        )

    def quick(self, more: str = "") -> None:
        """A short watchdog, and a daemon that can be made to hang."""
        self.drop_in(
            "test",
            f"WatchdogSec={WATCHDOG_S}\nRestartSec=100ms\n"
            f"Environment=LD_PRELOAD={HANG}\n{more}",
        )

    def start(self) -> None:
        self.system.run("systemctl", "start", self.unit)

    def show(self, name: str) -> str:
        return self.system.show(self.unit, name)

    @property
    def pid(self) -> int:
        """As the system sees it."""
        return int(self.show("MainPID"))

    def kill(self, signal: str) -> None:
        self.system.run(
            "systemctl", "kill", "--kill-who=main", "-s", signal, self.unit
        )

    def journal(self) -> str:
        return self.system.journal(self.unit)

    def wait_for(self, name: str, value: str) -> None:
        wait_until(
            lambda: self.show(name) == value,
            lambda: f"{name}={self.show(name)}\n{self.journal()}",
        )

    def wait_for_line(self, text: str) -> None:
        wait_until(lambda: text in self.journal(), self.journal)

    def wait_for_restart(self, before: int) -> None:
        """It is up again, as another process."""
        wait_until(
            lambda: self.show("ActiveState") == "active"
            and self.pid not in (0, before),
            self.journal,
        )

    def awaitctl(self, *words: object, status: int | None = 0) -> str:
        return self.system.run("awaitctl", *words, status=status)

    def as_member(self, groups: str, *words: object) -> str:
        """awaitctl, by a user of no name who is in these groups."""
        return self.system.run(
            "setpriv", "--reuid=4711", "--regid=4711", f"--groups={groups}",
            "awaitctl", *words, status=None,
        )

    def status(self) -> dict[str, object]:
        found = json.loads(self.awaitctl("--json", "status"))
        assert isinstance(found, dict)
        return found

    def clean(self) -> None:
        """As if it had never been: for the next test."""
        units = f"{self.unit} {self.stem}.socket"
        self.system.run(
            "sh", "-c",
            f"systemctl stop {units}; systemctl reset-failed {units};"
            f"rm -rf /etc/systemd/system/{self.unit}.d /etc/awaitd/*"
            " /var/lib/private/awaitd /var/lib/awaitd;"
            "systemctl daemon-reload;"
            "journalctl --rotate; journalctl --vacuum-time=1us",
        )


def add_hang(stage: Path) -> None:
    """What makes a daemon hang: tests/boot/hang.c."""
    place = stage / HANG.lstrip("/")
    place.parent.mkdir(parents=True)
    shutil.copy(BUILD / "tests/boot/hang.so", place)


@pytest.fixture(scope="session")
def system(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[System]:
    """systemd with awaitd installed; where it cannot be, a loud skip."""
    if why := refusal():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("boot")
    # The guest cannot install: its root is read-only.
    stage = Path(os.environ.get("AWAITD_STAGE", folder / "stage"))
    if not stage.exists():
        install(BUILD, stage)
        add_hang(stage)
    with System(stage, folder) as system:
        yield system


@pytest.fixture
def make_service(
    system: Systemd,
) -> Iterator[Callable[[str], Service]]:
    """make_service(unit) -> Service, gone after the test."""
    made = []

    def make(unit: str) -> Service:
        made.append(Service(system, unit))
        return made[-1]

    yield make
    for service in made:
        service.clean()


@pytest.fixture
def service(make_service: Callable[[str], Service]) -> Service:
    return make_service("awaitd.service")
