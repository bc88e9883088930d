"""A system whose pid 1 is the real systemd, with awaitd installed in it.

    with booted.System(stage, folder) as system:
        system.run("systemctl", "start", "awaitd")

It lives in namespaces of its own, on this machine's root below an overlay in
memory (tests/boot/init), and goes with all that is in it. It needs root.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

INIT = Path(__file__).resolve().parent.parent / "boot" / "init"
BOOT_S = 180.0
DEADLINE_S = 180.0
NAMESPACES = ("--pid", "--mount", "--uts", "--ipc", "--net")
PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def refusal() -> str:
    """Why there can be none here, or ""."""
    if os.geteuid() != 0:
        return "no namespaces without root"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    probe = subprocess.run(
        ["unshare", *NAMESPACES, "--fork", "true"],
        capture_output=True, text=True, check=False,
    )
    return probe.stderr.strip()


def wait_until(
    condition: Callable[[], bool],
    what: Callable[[], object] = lambda: "it does not come true",
    deadline_s: float = DEADLINE_S,
) -> None:
    """Asks again and again: a program run in the system each time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, what()


def _cgroup_root() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    place = "/sys/fs/cgroup"
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", place], check=True)
    return Path(place)


class Systemd:
    """A system whose pid 1 is systemd, and what can be done in it, as root."""

    def before(self) -> list[str]:
        """What to put before a command that is to run in it."""
        raise NotImplementedError

    def path(self, path: str) -> Path:
        """The same file, for this process."""
        raise NotImplementedError

    def start(
        self, *command: object, **options: object
    ) -> subprocess.Popen[str]:
        """A program in it."""
        return subprocess.Popen(
            [*self.before(), "env", "-i", f"PATH={PATH}", "LANG=C.UTF-8",
             *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,  # type: ignore[call-overload]
        )

    def run(self, *command: object, status: int | None = 0) -> str:
        """What it says; it must end with this status (None: any)."""
        process = self.start(*command)
        try:
            text, _ = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
        words = " ".join(map(str, command))
        assert status in (None, process.returncode), (
            f"{words}: status {process.returncode}\n{text}"
        )
        return text

    def write(self, path: str, text: str) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", unit, "-P", name).strip()

    def journal(self, unit: str, *more: str) -> str:
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-u", unit, "-o", "cat", "--no-pager",
                        *more)


class Here(Systemd):
    """The one that this process is in."""

    def before(self) -> list[str]:
        return []

    def path(self, path: str) -> Path:
        return Path(path)


class System(Systemd):
    """In namespaces of its own; booted from its making on."""

    def __init__(self, stage: Path, folder: Path) -> None:
        self.stage = stage
        self.base = folder / "base"
        self.base.mkdir()
        self.cgroup = _cgroup_root() / f"awaitd-test-{os.getpid()}"
        self.cgroup.mkdir()
        # Where the machine lets us: limits are enforced then.
        for controller in ("+memory", "+pids"):
            with contextlib.suppress(OSError):
                (self.cgroup.parent / "cgroup.subtree_control").write_text(
                    controller
                )
        # Nobody but pid 1 may be in there: cgroups with limits have no
        # processes of their own beside those in their children.
        join = 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"'
        self.unshare = subprocess.Popen(
            # However these tests end, the system does as well.
            ["setpriv", "--pdeathsig", "KILL",
             "unshare", "--kill-child", "--fork", *NAMESPACES,
             "bash", "-c", join, "boot", self.cgroup,
             "unshare", "--cgroup", INIT, stage, self.base],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self.pid = self._find_child()
            wait_until(self._is_up, self._say, BOOT_S)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _say(self) -> str:
        self.unshare.kill()
        assert self.unshare.stdout is not None
        return f"systemd has not come up: {self.unshare.stdout.read()}"

    def _find_child(self) -> int:
        found: list[int] = []

        def look() -> bool:
            assert self.unshare.poll() is None, self._say()
            for status in Path("/proc").glob("[0-9]*/status"):
                with contextlib.suppress(OSError):
                    if f"PPid:\t{self.unshare.pid}\n" in status.read_text():
                        found.append(int(status.parent.name))
            return bool(found)

        wait_until(look)
        return found[0]

    def _is_up(self) -> bool:
        assert self.unshare.poll() is None, self._say()
        if Path(f"/proc/{self.pid}/comm").read_text() != "systemd\n":
            return False
        state = self.run("systemctl", "is-system-running", status=None)
        return state.strip() in ("running", "degraded")

    # ---- what can be done in it ----

    def before(self) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p",
                "-C", "-r", "-w"]

    def path(self, path: str) -> Path:
        return Path(f"/proc/{self.pid}/root{path}")

    def close(self) -> None:
        self.unshare.kill()
        self.unshare.communicate()
        wait_until(self._remove_cgroup)

    def _remove_cgroup(self) -> bool:
        """All in it were killed: they are gone soon."""
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        return not self.cgroup.exists()


def install(build: Path, stage: Path) -> None:
    """What `cmake --install` installs, below `stage`."""
    subprocess.run(
        ["cmake", "--install", build],
        env=os.environ | {"DESTDIR": str(stage)},
        check=True, stdout=subprocess.DEVNULL,
    )
