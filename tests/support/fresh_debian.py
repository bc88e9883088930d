"""A fresh Debian, booted in namespaces: tests/package runs a scenario on it.

AWAITD_IMAGE is the folder of the system (default: build/image); it is made when it
is not there.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests" / "package"
PACKAGES = ROOT / "build" / "package"
IMAGE = Path(os.environ.get("AWAITD_IMAGE", ROOT / "build" / "image"))
NAMES = ("awaitd", "python3-awaitd", "awaitd-dev")

_SECTION = re.compile(r"^== (\S+)\n(.*?)\n-- (\d+)$", re.M | re.S)


@dataclass
class Step:
    """One step of the scenario: what it printed, and its exit status."""

    output: str
    status: int

    @property
    def lines(self) -> list[str]:
        return self.output.split("\n")


def refusal() -> str | None:
    """Why no system can be booted here, or None."""
    if os.geteuid() != 0:
        return "only root can boot a system in namespaces"
    mounts = Path("/proc/mounts").read_text().splitlines()
    if not any(line.split()[2] == "cgroup2" for line in mounts):
        return "there is no cgroup2 here"
    return None


def built(version: str) -> list[Path]:
    """The packages of that version, without those of debug symbols."""
    files = [
        next(PACKAGES.glob(f"{name}_{version}_*.deb"), None) for name in NAMES
    ]
    assert all(files), f"{PACKAGES}: ./run package makes what is missing"
    return [file for file in files if file]


def steps_of(output: str) -> dict[str, Step]:
    """The steps of tests/package/scenario, by name."""
    return {
        name: Step(text.strip("\n"), int(status))
        for name, text, status in _SECTION.findall(output)
    }
