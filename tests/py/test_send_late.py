"""What helps against a SendTimeout is another thing with each driver."""

from __future__ import annotations

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension

FRAME = bytes.fromhex("020000000002 020000000001 88b5") + bytes(1000)
NETWORK = {
    "packet": ({"interface": "near0"}, awaitd.EthernetFrame(FRAME)),
    "udp": ({"bind": "0.0.0.0:5005", "peer": "192.0.2.2:4000"},
            awaitd.Datagram(bytes(1000))),
}


@pytest.mark.parametrize("driver", NETWORK)
def test_interface_that_takes_no_more_is_advised_about(veth, run, driver):
    """A byte a millisecond leaves; the rest fills the send buffer."""
    options, frame = NETWORK[driver]

    async def main(net: awaitd.Device) -> awaitd.SendTimeout:
        with pytest.raises(awaitd.SendTimeout) as caught:
            while net.stats()["send"].submitted < 100_000:
                await net.send(frame, timeout=0.01)
        return caught.value

    veth.throttle()
    with veth.near:
        net = awaitd.open({"name": "net", "driver": driver} | options)
    with net:
        error = run(main(net))
        assert net.stats()["send"].timed_out == 1
    assert "`ip -s link`" in error.advice
    assert "send_timeout_s" in error.advice
    assert "bus" not in error.advice
    told = f"net: a frame was not sent in time; {error.advice}"
    assert str(error).endswith(told)


def test_bus_that_is_blocked_is_advised_about(run):
    async def main(bus: awaitd.Device) -> awaitd.SendTimeout:
        with pytest.raises(awaitd.SendTimeout) as caught:
            while bus.stats()["send"].submitted < 100_000:
                await bus.send(rig.can(1), timeout=0.01)
        return caught.value

    with awaitd.open({"driver": "virtual"}) as bus:
        with bus.queue(depth=1, overflow="block"):
            error = run(main(bus))
    assert 'overflow="block"' in error.advice
    assert "acknowledges" not in error.advice
