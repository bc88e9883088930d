"""Hosted scripts that run trio."""

from __future__ import annotations

import importlib.util

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

if importlib.util.find_spec("trio") is None:
    pytest.skip("trio is not installed: NOT tested", allow_module_level=True)

COUNT = """
    import trio
    from awaitd.devices import CANbus
    async def main():
        count = 0
        async for frame in CANbus.queue():
            count += 1
        print(count)
    trio.run(main)
"""

# Waits for what the other sends when the replay is over.
LISTEN = """
    import trio
    from awaitd.devices import bus
    print("heard", trio.run(bus.queue().get).arbitration_id)
"""

TALK = """
    from awaitd import CanFrame
    from awaitd.devices import CANbus, bus
    async for frame in CANbus.queue():
        pass
    await bus.send(CanFrame(7))
"""


def replay(host) -> str:
    """A held replay of five frames, as a device."""
    lines = (f"({number}.000000) can0 123#{number:02X}\n" for number in range(5))
    host.write("five.log", "".join(lines))
    return f"CANbus=replay:{host.folder}/five.log,speed=max,start=ready"


def test_script_on_trio_gets_all_of_a_replay(host):
    process = host.run(COUNT, devices=(replay(host),))
    assert process.stdout == "5\n"


def test_script_on_trio_that_waits_does_not_hold_a_replay(host):
    process = host.run(
        listen=LISTEN, talk=TALK, devices=(replay(host), "bus=virtual:can")
    )
    assert "listen: heard 7\n" in process.stdout
