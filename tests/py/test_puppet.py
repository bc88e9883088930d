"""The tests of the folder puppet/: devices that are lost, come back, and tell
events, without hardware. They need the extension with the driver `puppet`
(tests/support/puppet_driver.c), and so a process of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import _awaitd

FOLDER = Path(__file__).resolve().parent / "puppet"


def test_puppet(start_process):
    process = start_process(
        *(sys.executable, "-m", "pytest", "-q", FOLDER),
        deadline_s=120,
        cwd=FOLDER.parents[2],
        env={
            "AWAITD_BUILD": str(Path(_awaitd.__file__).parent / "puppet"),
            "AWAITD_PUPPET": "1",
            "PYTHONPATH": "",
        },
    )
    assert process.finish() == 0, process.stdout + process.stderr
    assert " passed" in process.stdout
