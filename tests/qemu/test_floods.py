"""Ten seconds of ISO-TP messages and of data-ready edges, each as fast as one
sender can, beside a script that does not listen to either."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import floods
import pytest
from can_peers import ip
from can_protocols import CAN_ISOTP, require_protocol
from floods import FLOOD_S, Flood
from spi_sensor import Sensor

TESTER, ECU = 0x7E0, 0x7E8
SINGLE_FRAME = "07"  # seven bytes of data follow

# The last sample comes by itself, behind the flood: only an edge tells of those
# before it that were missed.
EDGES = """
import sys, time
from pathlib import Path
attribute = Path(sys.argv[1])
end = time.monotonic() + float(sys.argv[2])
sent = 0
while time.monotonic() < end:
    attribute.write_text("100 0")
    sent += 100
attribute.write_text("1 0")
print(sent + 1)
"""


@pytest.fixture
def interface() -> Iterator[str]:
    name = "vcan6"
    ip("link", "add", name, "type", "vcan")
    ip("link", "set", name, "up")
    yield name
    subprocess.run(
        ["ip", "link", "delete", name], check=False, stderr=subprocess.DEVNULL
    )


def test_flood_beside_a_stalled_script_is_accounted_for_to_the_last(
    run_daemon, tmp_path, interface, sensor
):
    require_protocol(CAN_ISOTP)
    ids = f"tx_id={ECU},rx_id={TESTER}"
    edges = (sys.executable, "-c", EDGES, str(sensor.PLAY), str(FLOOD_S))
    found = floods.run(
        run_daemon,
        tmp_path,
        ecu=Flood(
            f"isotp:{interface},{ids},receive_buffer=64k",
            floods.can_sender(interface, TESTER, SINGLE_FRAME),
            "block",
            7,
        ),
        imu=Flood(
            f"spi:{Sensor.NODE},sample=80,sample_bytes=12,"
            f"data_ready={Sensor.DATA_READY}",
            edges,
            "drop-oldest",
        ),
    )
    for outcome in found.values():
        outcome.check()
    assert found["ecu"].queue["dropped"]["kernel"] > 0
    assert found["imu"].sent == sensor.produced
    assert (
        found["imu"].status["missed"]
        == found["imu"].queue["dropped"]["kernel"]
        > 0
    )
