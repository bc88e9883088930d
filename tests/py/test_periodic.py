"""send_periodic() without a bus: what it refuses. What the kernel then sends is
tested in the guest."""

from __future__ import annotations

import errno

import awaitd
import pytest

pytestmark = pytest.mark.extension

FRAME = awaitd.CanFrame(0x123, b"\x01")


@pytest.mark.parametrize(
    "period", [0, -1, 0.00005, 86401, float("nan"), float("inf")]
)
def test_period_out_of_range_is_refused(bus, period):
    with pytest.raises(ValueError, match="0.0001 to 86400"):
        bus.send_periodic(FRAME, period)


@pytest.mark.parametrize("frame", [b"\x01", awaitd.Frame(b""), None])
def test_what_is_no_can_frame_is_refused(bus, frame):
    with pytest.raises(TypeError, match="CanFrame"):
        bus.send_periodic(frame, 1)


@pytest.mark.parametrize("text", ["45123#81:00:12345678#11", "20000004#" + "00" * 8])
def test_neither_xl_nor_error_frames_are_sent_cyclically(bus, text):
    with pytest.raises(ValueError, match="cyclically"):
        bus.send_periodic(awaitd.CanFrame.parse(text), 1)


def test_driver_that_cannot_says_so(bus):
    with pytest.raises(awaitd.DeviceError, match="driver virtual") as caught:
        bus.send_periodic(FRAME, 1)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_closed_device_sends_nothing(bus):
    bus.close()
    with pytest.raises(awaitd.DeviceLost):
        bus.send_periodic(FRAME, 1)


def test_devices_of_other_kinds_have_no_such_method():
    with awaitd.open("bus=virtual:bytes") as device:
        assert not hasattr(device, "send_periodic")


def test_it_cannot_be_made_by_hand():
    with pytest.raises(TypeError):
        awaitd.PeriodicSend()
