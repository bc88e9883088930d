"""The probe points, as a tracer finds them in the files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import _awaitd
import pytest

ROOT = Path(__file__).resolve().parents[2]
# How many arguments each has; docs/tracing.md says what they are.
PROBES = {"enqueue": 4, "drop": 4, "wake": 3, "resume": 3}


def has_header() -> bool:
    return not subprocess.run(
        ["cc", "-E", "-include", "sys/sdt.h", "-x", "c", "/dev/null"],
        capture_output=True,
    ).returncode


def probes(binary: Path) -> dict[str, set[int]]:
    """The names of our probes, and how many arguments each of its places has."""
    notes = subprocess.run(
        ["readelf", "--notes", "--wide", binary],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: dict[str, set[int]] = {}
    for provider, name, arguments in re.findall(
        r"Provider: (\S+)\s+Name: (\S+)\s+Location:.*\s+Arguments: (.*)", notes
    ):
        if provider == "awaitd":
            count = len(re.findall(r"-?[1248]@", arguments))
            found.setdefault(name, set()).add(count)
    return found


def check(binary: Path) -> None:
    if not has_header():
        pytest.skip("built without <sys/sdt.h>: systemtap-sdt-dev has it")
    assert probes(binary) == {name: {n} for name, n in PROBES.items()}


@pytest.mark.daemon
def test_daemon_has_each_probe_with_its_arguments(awaitd_binary):
    check(awaitd_binary)


@pytest.mark.extension
def test_extension_has_each_probe_with_its_arguments():
    check(Path(_awaitd.__file__))


def test_probes_are_documented():
    text = (ROOT / "docs" / "tracing.md").read_text()
    for name in PROBES:
        assert f"| `{name}` |" in text
        assert f":awaitd:{name} " in text
