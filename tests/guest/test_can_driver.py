"""The tests of the driver `can` in C that want a kernel of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROGRAMS = (
    "test_can_kernel_device",
    "test_can_kernel_frames",
    "test_can_kernel_link",
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_driver_in_c(program):
    build = Path(os.environ.get("AWAITD_BUILD", "build"))
    run = subprocess.run(
        [build / "tests" / "unit" / program],
        capture_output=True,
        text=True,
        timeout=240,
    )
    print(run.stdout, run.stderr)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SKIPPED" not in run.stdout + run.stderr
