"""frame.error: what a CAN error frame says, by linux/can/error.h."""

from __future__ import annotations

import pickle

import pytest

import awaitd

pytestmark = pytest.mark.extension


def error(text: str) -> awaitd.CanError:
    """That of a frame in candump's form."""
    found = awaitd.CanFrame.parse(text).error
    assert isinstance(found, awaitd.CanError)
    return found


@pytest.mark.parametrize("text", ["123#0102", "123##10102", "123#R"])
def test_other_frames_have_none(text):
    assert awaitd.CanFrame.parse(text).error is None


def test_error_says_nothing_that_its_frame_does_not():
    assert tuple(error("20000080#0000000000000000")) == (
        False, None, (), None, None, False, False, True, False, None, None
    )


@pytest.mark.parametrize(
    "bit, name",
    [
        (0x001, "tx_timeout"),
        (0x020, "no_ack"),
        (0x040, "bus_off"),
        (0x080, "bus_error"),
        (0x100, "restarted"),
    ],
)
def test_class_is_a_flag(bit, name):
    found = error(f"{0x20000000 | bit:08X}#0000000000000000")
    flags = ("tx_timeout", "no_ack", "bus_off", "bus_error", "restarted")
    assert [flag for flag in flags if getattr(found, flag)] == [name]


@pytest.mark.parametrize("bit", [0, 1, 29])
def test_lost_arbitration_tells_the_bit(bit):
    found = error(f"20000002#{bit:02X}00000000000000")
    assert found.lost_arbitration == bit


@pytest.mark.parametrize(
    "byte, states",
    [
        (0x00, ("unspecified",)),
        (0x01, ("rx-overflow",)),
        (0x02, ("tx-overflow",)),
        (0x04, ("rx-warning",)),
        (0x08, ("tx-warning",)),
        (0x10, ("rx-passive",)),
        (0x20, ("tx-passive",)),
        (0x40, ("error-active",)),
        (0x30, ("rx-passive", "tx-passive")),
    ],
)
def test_controller_state(byte, states):
    found = error(f"20000004#00{byte:02X}000000000000")
    assert found.controller_state == states


@pytest.mark.parametrize(
    "byte, violations",
    [
        (0x00, ("unspecified",)),
        (0x01, ("bit",)),
        (0x02, ("form",)),
        (0x04, ("stuff",)),
        (0x08, ("bit0",)),
        (0x10, ("bit1",)),
        (0x20, ("overload",)),
        (0x40, ("active",)),
        (0x80, ("tx",)),
        (0x84, ("stuff", "tx")),
    ],
)
def test_protocol_tells_the_violations(byte, violations):
    found = error(f"20000008#0000{byte:02X}0000000000")
    assert found.protocol == (violations, None)
    assert found.protocol.violations == violations


@pytest.mark.parametrize(
    "byte, location",
    [
        (0x00, None),
        (0x03, "start-of-frame"),
        (0x02, "id28-21"),
        (0x06, "id20-18"),
        (0x04, "srtr"),
        (0x05, "ide"),
        (0x07, "id17-13"),
        (0x0F, "id12-05"),
        (0x0E, "id04-00"),
        (0x0C, "rtr"),
        (0x0D, "reserved1"),
        (0x09, "reserved0"),
        (0x0B, "dlc"),
        (0x0A, "data"),
        (0x08, "crc-sequence"),
        (0x18, "crc-delimiter"),
        (0x19, "ack-slot"),
        (0x1B, "ack-delimiter"),
        (0x1A, "end-of-frame"),
        (0x12, "intermission"),
        (0x55, "0x55"),
    ],
)
def test_protocol_tells_the_place(byte, location):
    found = error(f"20000008#000001{byte:02X}00000000")
    assert found.protocol.location == location


@pytest.mark.parametrize(
    "byte, text",
    [
        (0x00, "unspecified"),
        (0x04, "canh-no-wire"),
        (0x05, "canh-short-to-battery"),
        (0x06, "canh-short-to-vcc"),
        (0x07, "canh-short-to-ground"),
        (0x40, "canl-no-wire"),
        (0x50, "canl-short-to-battery"),
        (0x60, "canl-short-to-vcc"),
        (0x70, "canl-short-to-ground"),
        (0x80, "canl-short-to-canh"),
        (0x47, "canh-short-to-ground+canl-no-wire"),
    ],
)
def test_transceiver(byte, text):
    found = error(f"20000010#00000000{byte:02X}000000")
    assert found.transceiver == text


def test_counters_are_given_where_the_frame_says_so():
    """CAN_ERR_CNT, of Linux 6.0: before it nobody could know."""
    assert error("20000200#000000000000FF07")[-2:] == (255, 7)
    assert error("20000004#000400000000FF07")[-2:] == (None, None)


def test_several_classes_at_once():
    found = error("2000022C#050C840A00006080")
    assert found.no_ack and not found.bus_off
    assert found.controller_state == ("rx-warning", "tx-warning")
    assert found.protocol == (("stuff", "tx"), "data")
    assert (found.tx_errors, found.rx_errors) == (0x60, 0x80)
    assert found.lost_arbitration is None


def test_error_prints_and_pickles():
    found = error("20000048#0000010300000000")
    assert "bus_off=True" in repr(found)
    assert pickle.loads(pickle.dumps(found)) == found
