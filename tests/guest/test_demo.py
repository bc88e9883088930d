"""The demo where there is vcan: the drive passes a real interface too."""

from __future__ import annotations

import os
import socket

from process import Process


def ledger_row(process: Process, device: str) -> list[str]:
    """device, queue, script, received, filtered, delivered, dropped, …"""
    rows = (line.split() for line in process.stderr.splitlines())
    return next(row for row in rows if row[:2] == [device, "1"])


def test_demo_sends_the_drive_through_vcan(start_process, pytestconfig):
    before = socket.if_nameindex()
    process = start_process(
        pytestconfig.rootpath / "examples" / "demo.sh", "5", deadline_s=60,
        env={"AWAITD_DEMO_PORT": "5995",
             "AWAITD_BUILD": os.environ.get("AWAITD_BUILD", "build")},
    )
    process.line("the car")
    assert process.finish() == 0, process.stderr
    row = ledger_row(process, "bus")
    assert int(row[5]) > 600, process.stderr
    assert row[6:] == ["0", "0", "exact"]
    assert socket.if_nameindex() == before
