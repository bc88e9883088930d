"""Frame: what every unit received or sent has, whatever its kind."""

from __future__ import annotations

import copy
import gc
import pickle
import struct
import sys
from typing import Any

import pytest

import _awaitd
import awaitd

pytestmark = pytest.mark.extension

KIND_BYTES, KIND_CAN, KIND_CAN_XL, KIND_DATAGRAM = range(4)
SENT, TRUNCATED = 0x8, 0x10
KERNEL, OVERFLOW, AWAY = 1, 2, 4

# What a pickled frame is made again with: its one private way in.
restore: Any = getattr(_awaitd, "_restore_frame")


def received(
    payload: bytes = b"\x01\x02",
    *,
    kind: int = KIND_BYTES,
    flags: int = 0,
    timestamp_ns: int = 1_700_000_000_000_001_002,
    lost_before: int = 0,
    lost_cause: int = 0,
    device: str | None = "bus",
    channel: str | None = "chan0",
) -> awaitd.Frame:
    """A frame as a queue makes it of a slot (devices/queue/frame.h)."""
    head = struct.pack(
        "=QQQIIHHHBB",
        timestamp_ns,
        77_000_000_005,
        12,
        0,
        lost_before,
        len(payload),
        flags,
        0,
        kind,
        lost_cause,
    )
    frame: awaitd.Frame = restore(1, head + payload, device, channel)
    return frame


def test_frame_made_of_bytes_carries_them() -> None:
    assert awaitd.Frame(b"\x01\x02").data == b"\x01\x02"


@pytest.mark.parametrize(
    "data", [bytearray(b"\x01\x02"), memoryview(b"\x01\x02"), [1, 2], (1, 2)]
)
def test_frame_made_of_bytes_like_or_integers_carries_bytes(
    data: Any,
) -> None:
    frame = awaitd.Frame(data)
    assert type(frame.data) is bytes
    assert frame.data == b"\x01\x02"


@pytest.mark.parametrize("data", ["text", 3, None, [1.5]])
def test_frame_made_of_something_else_raises_type_error(data: Any) -> None:
    with pytest.raises(TypeError):
        awaitd.Frame(data)


def test_frame_made_of_integer_above_255_raises_value_error() -> None:
    with pytest.raises(ValueError, match="256"):
        awaitd.Frame([256])


def test_frame_too_long_for_a_slot_raises_value_error() -> None:
    assert len(awaitd.Frame(bytes(65528))) == 65528
    with pytest.raises(ValueError, match="65529 bytes long.*65528"):
        awaitd.Frame(bytes(65529))


def test_frame_made_by_hand_has_neutral_attributes() -> None:
    frame = awaitd.Frame()
    assert (frame.device, frame.channel) == ("", None)
    assert (frame.seq, frame.lost_before, frame.lost_cause) == (0, 0, "")
    assert (frame.timestamp, frame.timestamp_ns) == (0.0, 0)
    assert frame.monotonic_ns == 0
    assert (frame.data, frame.truncated, frame.is_rx) == (b"", False, True)


def test_frame_received_has_the_attributes_of_its_slot() -> None:
    frame = received()
    assert type(frame) is awaitd.Frame
    assert (frame.device, frame.channel, frame.seq) == ("bus", "chan0", 12)
    assert frame.timestamp_ns == 1_700_000_000_000_001_002
    assert frame.timestamp == 1_700_000_000.000001
    assert frame.monotonic_ns == 77_000_000_005
    assert frame.data == b"\x01\x02"


@pytest.mark.parametrize(
    ("cause", "name"),
    [
        (0, ""),
        (KERNEL, "kernel"),
        (OVERFLOW, "overflow"),
        (KERNEL | OVERFLOW, "kernel+overflow"),
        (AWAY, "away"),
        (KERNEL | OVERFLOW | AWAY, "kernel+overflow+away"),
    ],
)
def test_frame_after_a_loss_names_the_cause(cause: int, name: str) -> None:
    frame = received(lost_before=3, lost_cause=cause)
    assert (frame.lost_before, frame.lost_cause) == (3, name)


def test_frame_that_this_machine_sent_is_not_rx() -> None:
    assert received(flags=SENT).is_rx is False


def test_frame_cut_to_its_slot_is_truncated() -> None:
    assert received(flags=TRUNCATED).truncated is True


def test_frame_len_and_bytes_are_those_of_its_data() -> None:
    frame = awaitd.Frame(b"abc")
    assert len(frame) == 3
    assert bytes(frame) == b"abc"


def test_frame_without_data_is_true() -> None:
    assert awaitd.Frame()


def test_frame_compares_and_hashes_by_identity() -> None:
    one, other = awaitd.Frame(b"a"), awaitd.Frame(b"a")
    assert one == one
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize(
    "name",
    ["data", "seq", "timestamp", "timestamp_ns", "device", "channel", "new"],
)
def test_frame_attribute_set_raises_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(awaitd.Frame(), name, None)


@pytest.mark.parametrize(
    "kind", [awaitd.Frame, awaitd.CanFrame, awaitd.Datagram]
)
def test_frame_type_subclassed_raises_type_error(kind: type) -> None:
    with pytest.raises(TypeError):
        type("Mine", (kind,), {})


def test_frame_type_changed_raises_type_error() -> None:
    with pytest.raises(TypeError, match="immutable"):
        setattr(awaitd.Frame, "data", None)


# ---- equals ----


def test_equals_of_same_content_at_other_time_is_true() -> None:
    assert received(b"a").equals(received(b"a", timestamp_ns=5))
    assert received(b"a").equals(awaitd.Frame(b"a"))


@pytest.mark.parametrize("data", [b"", b"b", b"ab"])
def test_equals_of_other_data_is_false(data: bytes) -> None:
    assert not awaitd.Frame(b"a").equals(awaitd.Frame(data))


def test_equals_of_other_kind_is_false() -> None:
    assert not awaitd.Frame(b"a").equals(awaitd.CanFrame(data=b"a"))


def test_equals_with_timestamp_delta_compares_the_clocks() -> None:
    early, late = received(timestamp_ns=1_000), received(timestamp_ns=2_000)
    assert late.equals(early, timestamp_delta=1e-6)
    assert early.equals(late, timestamp_delta=1e-6)
    assert not early.equals(late, timestamp_delta=0.9e-6)


def test_equals_with_check_channel_compares_the_channels() -> None:
    one, other, none = (received(channel=c) for c in ("a", "b", None))
    assert one.equals(other)
    assert not one.equals(other, check_channel=True)
    assert not one.equals(none, check_channel=True)
    assert one.equals(received(channel="a"), check_channel=True)
    assert none.equals(awaitd.Frame(b"\x01\x02"), check_channel=True)


def test_equals_with_check_direction_compares_is_rx() -> None:
    there, back = received(flags=SENT), received()
    assert there.equals(back)
    assert not there.equals(back, check_direction=True)


@pytest.mark.parametrize("other", [None, b"a", 1])
def test_equals_of_no_frame_raises_type_error(other: Any) -> None:
    with pytest.raises(TypeError):
        awaitd.Frame(b"a").equals(other)


def test_equals_with_wrong_delta_raises_type_error() -> None:
    with pytest.raises(TypeError):
        awaitd.Frame().equals(
            awaitd.Frame(),
            timestamp_delta="1",  # type: ignore[arg-type]
        )


# ---- copies and pickles ----


def test_frame_copied_is_itself() -> None:
    frame = received()
    assert copy.copy(frame) is frame
    assert copy.deepcopy(frame) is frame


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_frame_pickled_keeps_everything(protocol: int) -> None:
    frame = received(
        flags=SENT | TRUNCATED, lost_before=9, lost_cause=KERNEL | OVERFLOW
    )
    back = pickle.loads(pickle.dumps(frame, protocol))
    assert type(back) is awaitd.Frame
    names = [n for n in dir(awaitd.Frame) if n[0] != "_" and n != "age"]
    names.remove("equals")
    for name in names:
        assert getattr(back, name) == getattr(frame, name), name


def test_frame_made_by_hand_pickled_stays_so() -> None:
    back = pickle.loads(pickle.dumps(awaitd.Frame(b"x")))
    assert (back.data, back.device, back.channel) == (b"x", "", None)


def state_of(frame: awaitd.Frame) -> Any:
    return frame.__reduce__()[1]


@pytest.mark.parametrize("length", [0, 1, 39, 40, 41, 43])
def test_restore_of_a_slot_of_another_length_raises_value_error(
    length: int,
) -> None:
    version, slot, device, channel = state_of(received(b"\x01\x02"))
    wrong = (slot + b"x")[:length]
    with pytest.raises(ValueError, match="not a frame"):
        restore(version, wrong, device, channel)


def test_restore_of_another_format_raises_value_error() -> None:
    version, *rest = state_of(received())
    with pytest.raises(ValueError, match="this version"):
        restore(version + 1, *rest)


@pytest.mark.parametrize("kind", [KIND_DATAGRAM, KIND_CAN_XL, 4, 255])
def test_restore_of_a_kind_without_its_head_raises_value_error(
    kind: int,
) -> None:
    with pytest.raises(ValueError, match="not a frame"):
        received(b"\x01\x02", kind=kind)


def test_restore_of_a_device_that_is_no_name_raises_value_error() -> None:
    version, slot, _, channel = state_of(received())
    with pytest.raises(ValueError, match="not a frame"):
        restore(version, slot, 5, channel)


# ---- text and memory ----


def test_frame_repr_shows_content_and_origin() -> None:
    text = repr(received(lost_before=3, lost_cause=KERNEL))
    assert text == (
        "<awaitd.Frame 2 bytes: 0102 device='bus' channel='chan0' seq=12 "
        "timestamp=1700000000.000001002 lost_before=3 (kernel)>"
    )


def test_frame_repr_of_a_frame_made_by_hand_is_short() -> None:
    assert repr(awaitd.Frame(b"\xab")) == "<awaitd.Frame 1 byte: AB>"
    assert repr(awaitd.Frame()) == "<awaitd.Frame 0 bytes>"


def test_frame_repr_of_long_data_is_cut() -> None:
    assert repr(awaitd.Frame(bytes(17))) == (
        "<awaitd.Frame 17 bytes: " + "00" * 16 + "...>"
    )


def test_frame_size_is_slot_and_header() -> None:
    header = 24 + 2 * 8 + 40  # object, two names, slot
    assert sys.getsizeof(awaitd.Frame(bytes(8))) == header + 8


def test_frame_is_unknown_to_the_collector() -> None:
    assert not gc.is_tracked(awaitd.Frame())


def test_frame_freed_releases_its_names() -> None:
    name = "".join(["a", " name of its own"])
    before = sys.getrefcount(name)
    frame = received(device=name, channel=name)
    assert sys.getrefcount(name) == before + 2
    del frame
    assert sys.getrefcount(name) == before
