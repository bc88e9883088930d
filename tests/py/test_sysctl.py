"""The kernel setting that is installed (systemd/awaitd-sysctl.conf) gives what
devices ask for if nobody says otherwise."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACTORS = {"": 1, "k": 1024, "M": 1024 * 1024}

pytestmark = pytest.mark.daemon


def number(text: str) -> int:
    """As a configuration has it: 16M."""
    found = re.fullmatch(r"(\d+)([kM]?)", text)
    assert found, text
    return int(found[1]) * FACTORS[found[2]]


def in_guide() -> list[str]:
    """The default of each driver that has it."""
    text = (ROOT / "docs/configuration.md").read_text()
    return re.findall(r"(?m)^\| `receive_buffer` \| (\S+) \|", text)


def in_sample() -> list[str]:
    text = (ROOT / "config/awaitd.yaml").read_text()
    return re.findall(r"(?m)^ *# receive_buffer: (\S+)$", text)


def in_program(awaitd_binary: Path) -> list[str]:
    text = subprocess.run(
        [awaitd_binary, "help", "devices"],
        capture_output=True, text=True, check=True,
    ).stdout
    return re.findall(r" receive_buffer +.*\n.*, default (\S+)$", text, re.M)


def shipped(name: str) -> int:
    text = (ROOT / "systemd/awaitd-sysctl.conf").read_text()
    (value,) = re.findall(rf"(?m)^{re.escape(name)} *= *(\d+)$", text)
    return int(value)


def test_receive_buffer_that_devices_ask_for_is_covered(
    awaitd_binary: Path,
) -> None:
    defaults = in_program(awaitd_binary)
    assert len(defaults) > 1
    # The kernel doubles both alike: socket(7).
    assert max(map(number, defaults)) <= shipped("net.core.rmem_max")


def test_receive_buffer_is_documented_as_it_is(awaitd_binary: Path) -> None:
    defaults = [number(it) for it in in_program(awaitd_binary)]
    assert [number(it) for it in in_guide()] == defaults
    assert [number(it) for it in in_sample()] == defaults
