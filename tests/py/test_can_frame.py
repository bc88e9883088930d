"""CanFrame: construction, refusals, and candump's form."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import awaitd
from awaitd import CanFrame

pytestmark = pytest.mark.extension

FD_LENGTHS = [*range(9), 12, 16, 20, 24, 32, 48, 64]


# ---- construction ----


def test_can_frame_without_arguments_is_an_empty_standard_frame() -> None:
    frame = CanFrame()
    assert (frame.arbitration_id, frame.data, frame.dlc) == (0, b"", 0)
    assert not frame.is_extended_id
    assert not frame.is_remote_frame
    assert not frame.is_error_frame
    assert not frame.is_fd
    assert not frame.is_xl
    assert (frame.timestamp, frame.channel, frame.is_rx) == (0.0, None, True)


def test_can_frame_by_position_takes_id_and_data() -> None:
    frame = CanFrame(0x123, b"\x01\x02")
    assert (frame.arbitration_id, frame.data) == (0x123, b"\x01\x02")


def test_can_frame_flags_by_position_raise_type_error() -> None:
    with pytest.raises(TypeError):
        CanFrame(0x123, b"", True)  # type: ignore[misc]


def test_can_frame_with_data_none_has_none() -> None:
    assert CanFrame(1, None).data == b""


def test_can_frame_with_list_of_integers_has_them_as_bytes() -> None:
    assert CanFrame(1, [1, 255]).data == b"\x01\xff"


@pytest.mark.parametrize(
    ("arbitration_id", "extended"),
    [(0, False), (0x7FF, False), (0x800, True), (0x1FFFFFFF, True)],
)
def test_can_frame_with_extended_none_goes_by_the_id(
    arbitration_id: int, extended: bool
) -> None:
    frame = CanFrame(arbitration_id)
    assert frame.is_extended_id is extended
    assert frame.arbitration_id == arbitration_id


def test_can_frame_with_small_extended_id_stays_extended() -> None:
    frame = CanFrame(0x123, is_extended_id=True)
    assert frame.is_extended_id
    assert frame.arbitration_id == 0x123


@pytest.mark.parametrize("dlc", range(9))
def test_can_frame_remote_has_dlc_and_no_data(dlc: int) -> None:
    frame = CanFrame(0x123, is_remote_frame=True, dlc=dlc)
    assert (frame.dlc, len(frame), frame.data) == (dlc, dlc, b"")
    assert frame.is_remote_frame


def test_can_frame_remote_without_dlc_asks_for_nothing() -> None:
    assert CanFrame(0x123, is_remote_frame=True).dlc == 0


@pytest.mark.parametrize("length", FD_LENGTHS)
def test_can_frame_fd_of_each_length_has_its_code(length: int) -> None:
    frame = CanFrame(0x123, bytes(length), is_fd=True)
    assert frame.is_fd
    assert (frame.dlc, len(frame.data)) == (length, length)
    assert frame.raw_dlc == FD_LENGTHS.index(length)


def test_can_frame_fd_flags_are_kept() -> None:
    frame = CanFrame(is_fd=True, bitrate_switch=True)
    assert (frame.bitrate_switch, frame.error_state_indicator) == (True, False)
    frame = CanFrame(is_fd=True, error_state_indicator=True)
    assert (frame.bitrate_switch, frame.error_state_indicator) == (False, True)


@pytest.mark.parametrize("raw_dlc", range(8, 16))
def test_can_frame_of_eight_bytes_keeps_a_raw_dlc(raw_dlc: int) -> None:
    frame = CanFrame(0x123, bytes(8), raw_dlc=raw_dlc)
    assert (frame.dlc, frame.raw_dlc) == (8, raw_dlc)


def test_can_frame_error_has_its_class_as_id() -> None:
    frame = CanFrame(0x88, bytes(8), is_error_frame=True)
    assert frame.is_error_frame
    assert (frame.arbitration_id, frame.is_extended_id) == (0x88, False)


def test_can_frame_error_without_data_has_eight_zeros() -> None:
    frame = CanFrame(0x40, is_error_frame=True)
    assert (frame.dlc, frame.data) == (8, bytes(8))


def test_can_frame_with_dlc_of_its_data_is_taken() -> None:
    assert CanFrame(1, b"abc", dlc=3).dlc == 3


@pytest.mark.parametrize(
    "timestamp", [0.0, 0.1, 1.5, 1700000000.000001, 1700000000.123456]
)
def test_can_frame_timestamp_given_is_the_timestamp(timestamp: float) -> None:
    frame = CanFrame(timestamp=timestamp)
    assert frame.timestamp == timestamp
    assert abs(frame.timestamp_ns - timestamp * 1e9) <= 256


def test_can_frame_channel_and_direction_are_kept() -> None:
    frame = CanFrame(channel="can0", is_rx=False)
    assert (frame.channel, frame.is_rx) == ("can0", False)


def test_can_frame_that_is_not_xl_has_zero_xl_fields() -> None:
    frame = CanFrame(0x123, bytes(8))
    assert (frame.sdt, frame.vcid) == (0, 0)
    assert (frame.acceptance_field, frame.xl_flags) == (0, 0)


# ---- refusals ----


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"arbitration_id": -1}, "arbitration_id -1 is negative"),
        ({"arbitration_id": 1 << 29}, "0x20000000 does not fit in 29 bits"),
        ({"arbitration_id": 1 << 80}, "arbitration_id .* is too large"),
        (
            {"arbitration_id": 0x800, "is_extended_id": False},
            "0x800 does not fit in 11 bits.*is_extended_id=True",
        ),
        ({"data": bytes(9)}, "at most 8 bytes, not 9; CAN FD"),
        ({"data": bytes(9), "is_fd": True}, "12, 16.*not 9"),
        ({"data": bytes(65), "is_fd": True}, "or 64 bytes, not 65"),
        ({"is_remote_frame": True, "is_fd": True}, "no remote frames"),
        ({"is_remote_frame": True, "data": b"a"}, "carries no data.*dlc="),
        ({"is_remote_frame": True, "dlc": 9}, "0 to 8 bytes, not 9"),
        ({"is_remote_frame": True, "is_error_frame": True}, "not both"),
        ({"is_error_frame": True, "is_fd": True}, "no CAN FD form"),
        ({"is_error_frame": True, "is_extended_id": True}, "error class"),
        ({"is_error_frame": True, "data": b"abc"}, "8 bytes.*not 3"),
        ({"bitrate_switch": True}, "bitrate_switch needs is_fd"),
        ({"error_state_indicator": True}, "indicator needs is_fd"),
        ({"dlc": 2, "data": b"abc"}, "in bytes: 3, not 2"),
        ({"dlc": -1}, "dlc -1 is negative"),
        ({"raw_dlc": 9, "data": bytes(7)}, "raw_dlc 9 .* 7 bytes.*is 7"),
        ({"raw_dlc": 16, "data": bytes(8)}, "8, or 9 to 15"),
        ({"raw_dlc": 9, "data": bytes(8), "is_fd": True}, "their code is 8$"),
        ({"timestamp": -0.5}, "timestamp is in seconds"),
        ({"timestamp": float("nan")}, "timestamp is in seconds"),
        ({"timestamp": float("inf")}, "timestamp is in seconds"),
        ({"data": [256]}, "256"),
    ],
)
def test_can_frame_that_no_bus_carries_raises_value_error(
    arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        CanFrame(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"arbitration_id": "0x123"},
        {"arbitration_id": 1.0},
        {"data": "0102"},
        {"data": 8},
        {"dlc": "1"},
        {"channel": 0},
        {"timestamp": "now"},
        {"unknown": 1},
    ],
)
def test_can_frame_with_wrong_type_raises_type_error(
    arguments: dict[str, Any],
) -> None:
    with pytest.raises(TypeError):
        CanFrame(**arguments)


# ---- candump's form ----


@pytest.mark.parametrize(
    "text",
    [
        "123#",
        "123#0102",
        "12345678#",
        "00000123#11",
        "123#1122334455667788",
        "123#1122334455667788_E",
        "123#R",
        "123#R5",
        "123#R8_9",
        "123##0112233",
        "123##3",
        "12345678##1112233445566778899AABBCC",
        "20000004#0004000000000060",
        "45123#81:00:12345678#11223344556677",
    ],
)
def test_parse_then_str_gives_the_text(text: str) -> None:
    assert str(CanFrame.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("123#01.02", "123#0102"),
        ("7a1#r", "7A1#R"),
        ("123##5aa", "123##1AA"),
        ("123#R0", "123#R"),
    ],
)
def test_parse_of_another_spelling_gives_the_frame(
    text: str, same: str
) -> None:
    assert str(CanFrame.parse(text)) == same


def test_parse_of_a_classic_frame_fills_the_attributes() -> None:
    frame = CanFrame.parse("123#1122334455667788_E")
    assert (frame.arbitration_id, frame.is_extended_id) == (0x123, False)
    assert frame.data == bytes.fromhex("1122334455667788")
    assert (frame.dlc, frame.raw_dlc) == (8, 14)


def test_parse_of_an_extended_frame_fills_the_attributes() -> None:
    frame = CanFrame.parse("00000123#11")
    assert (frame.arbitration_id, frame.is_extended_id) == (0x123, True)


def test_parse_of_a_remote_frame_fills_the_attributes() -> None:
    frame = CanFrame.parse("123#R5")
    assert frame.is_remote_frame
    assert (frame.dlc, len(frame), frame.data) == (5, 5, b"")


def test_parse_of_an_fd_frame_fills_the_attributes() -> None:
    frame = CanFrame.parse("123##3112233")
    assert (frame.is_fd, frame.data) == (True, b"\x11\x22\x33")
    assert (frame.bitrate_switch, frame.error_state_indicator) == (True, True)


def test_parse_of_an_error_frame_fills_the_attributes() -> None:
    frame = CanFrame.parse("20000088#0000800000000000")
    assert frame.is_error_frame
    assert (frame.arbitration_id, frame.is_extended_id) == (0x88, False)


def test_parse_of_an_xl_frame_fills_the_attributes() -> None:
    frame = CanFrame.parse("45123#81:02:12345678#1122")
    assert frame.is_xl
    assert (frame.arbitration_id, frame.vcid) == (0x123, 0x45)
    assert (frame.xl_flags, frame.sdt) == (0x81, 2)
    assert frame.acceptance_field == 0x12345678
    assert (frame.data, frame.dlc, frame.raw_dlc) == (b"\x11\x22", 2, 1)
    assert not frame.is_fd


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123",
        "#01",
        "12#01",
        "1234#01",
        "800#",
        "FFFFFFFF#",
        "123#0",
        "123#0g",
        "123#112233445566778899",
        "123#11_9",
        "123#1122334455667788_8",
        "123#R9",
        "123##",
        "123##0112233445566778899",
        "20000004#00",
        "45123#81:00:12345678#",
        "123#01 R",
        " 123#01",
        "123#01\n",
        "123#01\0",
        "123#é",
        "9" * 10000,
    ],
)
def test_parse_of_no_frame_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        CanFrame.parse(text)


def test_parse_of_no_frame_names_text_and_reason() -> None:
    with pytest.raises(ValueError, match="'123#0' is no CAN frame: half a"):
        CanFrame.parse("123#0")


def test_parse_of_bytes_raises_type_error() -> None:
    with pytest.raises(TypeError, match="takes a str, not bytes"):
        CanFrame.parse(b"123#")  # type: ignore[arg-type]


frames = st.one_of(
    st.builds(
        CanFrame,
        st.integers(0, 0x1FFFFFFF),
        st.binary(max_size=8),
    ),
    st.builds(
        CanFrame,
        st.integers(0, 0x1FFFFFFF),
        is_extended_id=st.just(True),
        is_remote_frame=st.just(True),
        dlc=st.integers(0, 8),
    ),
    st.builds(
        CanFrame,
        st.integers(0, 0x7FF),
        st.sampled_from(FD_LENGTHS).flatmap(
            lambda n: st.binary(min_size=n, max_size=n)
        ),
        is_fd=st.just(True),
        bitrate_switch=st.booleans(),
        error_state_indicator=st.booleans(),
    ),
    st.builds(
        CanFrame,
        st.integers(0, 0x1FFFFFFF),
        st.binary(min_size=8, max_size=8),
        is_error_frame=st.just(True),
    ),
)


@settings(derandomize=True, deadline=None)
@given(frames)
def test_str_then_parse_gives_the_same_frame(frame: CanFrame) -> None:
    assert CanFrame.parse(str(frame)).equals(frame)


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet="0123456789ABCDEFRr#:._ -\n", max_size=40))
def test_parse_of_any_text_gives_a_frame_or_value_error(text: str) -> None:
    try:
        frame = CanFrame.parse(text)
    except ValueError:
        return
    assert CanFrame.parse(str(frame)).equals(frame)


def test_can_frame_repr_is_candumps_form() -> None:
    assert repr(CanFrame(0x123, b"\x01")) == "<awaitd.CanFrame 123#01>"
    text = repr(CanFrame(0x123, channel="can0"))
    assert text == "<awaitd.CanFrame 123# channel='can0'>"


# ---- equals and pickle ----


@pytest.mark.parametrize(
    "other",
    [
        "124#0102",
        "00000123#0102",
        "123#0103",
        "123#010200",
        "123##00102",
        "123#R2",
        "45123#81:00:12345678#0102",
    ],
)
def test_equals_of_another_frame_is_false(other: str) -> None:
    assert not CanFrame(0x123, b"\x01\x02").equals(CanFrame.parse(other))


def test_equals_of_another_raw_dlc_is_false() -> None:
    plain = CanFrame(0x123, bytes(8))
    assert not plain.equals(CanFrame(0x123, bytes(8), raw_dlc=9))
    assert plain.equals(CanFrame(0x123, bytes(8), raw_dlc=8))


@settings(derandomize=True, deadline=None)
@given(frames)
def test_can_frame_pickled_is_the_same(frame: CanFrame) -> None:
    back = pickle.loads(pickle.dumps(frame))
    assert type(back) is CanFrame
    assert back.equals(frame, timestamp_delta=0, check_channel=True)


def test_can_frame_is_a_frame() -> None:
    assert isinstance(CanFrame(), awaitd.Frame)


# ---- beside python-can ----

SHARED = [
    "timestamp",
    "arbitration_id",
    "is_extended_id",
    "is_remote_frame",
    "is_error_frame",
    "is_rx",
    "channel",
    "is_fd",
    "bitrate_switch",
    "error_state_indicator",
    "dlc",
    "data",
]


@pytest.mark.parametrize(
    "arguments",
    [
        {"arbitration_id": 0x123, "data": b"\x01", "is_extended_id": False},
        {"arbitration_id": 0x123, "data": [1, 2], "is_extended_id": True},
        {"arbitration_id": 0x1ABCDEF0, "is_extended_id": True, "dlc": 0},
        {
            "arbitration_id": 0x123,
            "is_extended_id": False,
            "is_remote_frame": True,
            "dlc": 5,
        },
        {
            "arbitration_id": 0x123,
            "is_extended_id": False,
            "data": bytes(12),
            "is_fd": True,
            "bitrate_switch": True,
            "timestamp": 1700000000.5,
            "channel": "can0",
            "is_rx": False,
        },
    ],
)
def test_can_frame_has_the_attributes_of_python_cans_message(
    arguments: dict[str, Any],
) -> None:
    try:
        import can
    except (ImportError, TypeError) as error:
        # TypeError: Debian 12's typing_extensions is too old for later Pythons.
        pytest.skip(f"python-can cannot be imported here: {error}")
    theirs = can.Message(check=True, **arguments)
    ours = CanFrame(**arguments)
    for name in SHARED:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert len(ours) == len(theirs)
    assert bytes(ours) == bytes(theirs)
    assert bool(ours) == bool(theirs)
