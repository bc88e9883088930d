"""J1939Message by hand: what it says, what it refuses. On a bus it is tested
in the guests."""

from __future__ import annotations

import pickle

import awaitd
import pytest

pytestmark = pytest.mark.extension

NAME = 0xFEDCBA9876543210


def test_message_says_what_it_was_given():
    message = awaitd.J1939Message(
        b"\x01\x02", 0xEF00, 0x30, 3, destination_name=NAME
    )
    assert (message.pgn, message.data) == (0xEF00, b"\x01\x02")
    assert (message.destination_address, message.priority) == (0x30, 3)
    assert message.destination_name == NAME
    assert len(message) == 2


def test_what_is_not_given_is_none():
    message = awaitd.J1939Message([1, 2, 3], 0xFEF1)
    assert message.data == b"\x01\x02\x03"
    assert message.destination_address is None
    assert message.priority is None
    assert message.source_address is None
    assert message.name is None
    assert message.destination_name is None


def test_address_of_all_is_one_and_priority_zero_too():
    message = awaitd.J1939Message(b"", 0xFEF1, 0xFF, 0)
    assert (message.destination_address, message.priority) == (0xFF, 0)


# Arguments besides the data, and what is said.
REFUSED = [
    ((0x40000,), ValueError, "pgn is 0 to 0x3FFFF"),
    ((-1,), ValueError, "pgn is 0 to 0x3FFFF"),
    ((0xEF20,), ValueError, "last byte is 00"),
    ((None,), TypeError, "pgn is an int"),
    (("0xFEF1",), TypeError, "pgn is an int"),
    ((0xFEF1, 256), ValueError, "destination_address is 0 to 0xFF"),
    ((0xFEF1, 1.0), TypeError, "destination_address is an int"),
    ((0xFEF1, None, 8), ValueError, "priority is 0 to 0x7"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), REFUSED)
def test_what_no_bus_could_carry_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        awaitd.J1939Message(b"", *arguments)


def test_name_of_more_than_64_bits_is_refused():
    with pytest.raises(ValueError, match="destination_name"):
        awaitd.J1939Message(b"", 0xFEF1, destination_name=2**64)


def test_data_longer_than_a_slot_are_refused():
    assert len(awaitd.J1939Message(bytes(65504), 0xFEF1)) == 65504
    with pytest.raises(ValueError, match="at most 65504"):
        awaitd.J1939Message(bytes(65505), 0xFEF1)


def test_pickled_message_is_the_same():
    message = awaitd.J1939Message(b"\x01", 0xEF00, 0x30, 3)
    copy = pickle.loads(pickle.dumps(message))
    assert copy.equals(message)
    assert repr(copy) == repr(message)
    assert not copy.equals(awaitd.J1939Message(b"\x01", 0xEF00, 0x31, 3))
    assert not copy.equals(awaitd.J1939Message(b"\x02", 0xEF00, 0x30, 3))


def test_repr_shows_group_destination_and_data():
    message = awaitd.J1939Message(b"\x01\xff", 0xEF00, 0x30)
    assert repr(message) == (
        "<awaitd.J1939Message pgn=0xef00 to 30, 2 bytes: 01FF>"
    )


def test_other_devices_do_not_send_it():
    with awaitd.open("bus=virtual:can") as bus:
        with pytest.raises(TypeError, match="sends a CanFrame"):
            bus.send(awaitd.J1939Message(b"", 0xFEF1))
