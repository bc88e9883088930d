"""Datagram: data and an address, as the socket module has it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import awaitd
from awaitd import Datagram

pytestmark = pytest.mark.extension


def test_datagram_without_address_has_none() -> None:
    frame = Datagram(b"abc")
    assert (frame.data, frame.address) == (b"abc", None)


def test_datagram_length_is_that_of_its_data() -> None:
    frame = Datagram(b"abc", ("127.0.0.1", 5005))
    assert (frame.length, len(frame), bytes(frame)) == (3, 3, b"abc")
    assert not frame.truncated


def test_datagram_without_data_is_a_datagram() -> None:
    assert Datagram(b"")
    assert Datagram(b"").length == 0


@pytest.mark.parametrize(
    "address",
    [
        ("127.0.0.1", 5005),
        ("255.255.255.255", 65535),
        ("::1", 5005, 0, 0),
        ("fe80::1:2", 5005, 0, 7),
        ("ff02::1", 0, 0, 0),
    ],
)
def test_datagram_address_is_kept(address: Any) -> None:
    assert Datagram(b"", address).address == address


def test_datagram_address_of_two_for_ipv6_is_filled_up() -> None:
    assert Datagram(b"", ("::1", 5005)).address == ("::1", 5005, 0, 0)


def test_datagram_address_is_written_in_its_short_form() -> None:
    assert Datagram(b"", ("0:0::0:1", 1)).address == ("::1", 1, 0, 0)


def test_datagram_scope_in_the_host_is_the_scope_id() -> None:
    address = Datagram(b"", ("fe80::1%1", 5005)).address
    assert address == ("fe80::1", 5005, 0, 1)


def test_datagram_mapped_address_is_ipv4() -> None:
    assert Datagram(b"", ("::ffff:10.0.0.1", 5)).address == ("10.0.0.1", 5)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (("localhost", 5005), "'localhost' is no numeric.*getaddrinfo"),
        (("", 5005), "'' is no numeric"),
        (("127.0.0.256", 5005), "is no numeric"),
        (("fe80::1%none0", 5005), "is no numeric"),
        (("127.0.0.1", 65536), "port is 0 to 65535, not 65536"),
        (("127.0.0.1", -1), "port is 0 to 65535, not -1"),
        (("::1", 1, 0, 1 << 32), "scope_id is 0 to 4294967295"),
    ],
)
def test_datagram_to_an_impossible_address_raises_value_error(
    address: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Datagram(b"", address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:5005",
        5005,
        ["127.0.0.1", 5005],
        ("127.0.0.1",),
        ("::1", 1, 0, 0, 0),
        ("127.0.0.1", "5005"),
        (b"127.0.0.1", 5005),
    ],
)
def test_datagram_address_of_wrong_type_raises_type_error(
    address: Any,
) -> None:
    with pytest.raises(TypeError, match="address|str|int"):
        Datagram(b"", address)


def test_datagram_without_data_argument_raises_type_error() -> None:
    with pytest.raises(TypeError):
        Datagram()  # type: ignore[call-arg]


def test_datagram_too_long_for_a_slot_raises_value_error() -> None:
    assert Datagram(bytes(65504)).length == 65504
    with pytest.raises(ValueError, match="65505 bytes long.*65504"):
        Datagram(bytes(65505))


def test_datagram_equals_goes_by_data_and_address() -> None:
    here, there = ("127.0.0.1", 1), ("127.0.0.1", 2)
    assert Datagram(b"a", here).equals(Datagram(b"a", here))
    assert not Datagram(b"a", here).equals(Datagram(b"b", here))
    assert not Datagram(b"a", here).equals(Datagram(b"a", there))


def test_datagram_pickled_is_the_same() -> None:
    frame = Datagram(b"abc", ("fe80::1", 5005, 0, 3))
    back = pickle.loads(pickle.dumps(frame))
    assert type(back) is Datagram
    assert back.equals(frame)
    assert (back.address, back.length) == (frame.address, 3)


def test_datagram_repr_shows_data_and_address() -> None:
    assert repr(Datagram(b"\x01", ("127.0.0.1", 5005))) == (
        "<awaitd.Datagram 1 byte: 01 address=('127.0.0.1', 5005)>"
    )
    assert repr(Datagram(b"\x01")) == "<awaitd.Datagram 1 byte: 01>"


def test_datagram_is_a_frame() -> None:
    assert isinstance(Datagram(b""), awaitd.Frame)
