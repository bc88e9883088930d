"""Filters: python-can's form, what they let pass, and what is no good."""

from __future__ import annotations

import random
from typing import Any

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension

STANDARD = awaitd.CanFrame(0x123)
EXTENDED = awaitd.CanFrame(0x123, is_extended_id=True)
REMOTE = awaitd.CanFrame(0x123, is_remote_frame=True)
FD = awaitd.CanFrame(0x123, is_fd=True)
OTHER = awaitd.CanFrame(0x124)


def passes(bus, peer, filters: Any, *frames: awaitd.CanFrame) -> list[int]:
    """Which of the frames, by their place, a queue with these filters gets."""
    queue = bus.queue(filters=filters)
    everything = bus.queue()
    peer.send(bus, *frames)
    rig.until(lambda: everything.qsize() == len(frames))
    first = everything.get_nowait().seq
    got = [queue.get_nowait().seq - first for _ in range(queue.qsize())]
    stats = queue.stats()
    assert stats.received == len(frames)
    assert stats.filtered == len(frames) - len(got)
    assert rig.exact(stats)
    return got


@pytest.mark.parametrize(
    "filters, expected",
    [
        (None, [0, 1, 2, 3, 4]),
        ([], [0, 1, 2, 3, 4]),
        ((), [0, 1, 2, 3, 4]),
        ([{"can_id": 0x123, "can_mask": 0x7FF}], [0, 1, 2, 3]),
        ([{"can_id": 0x123, "can_mask": 0x7FE}], [0, 1, 2, 3]),
        ([{"can_id": 0x120, "can_mask": 0x7F0}], [0, 1, 2, 3, 4]),
        ([{"can_id": 0, "can_mask": 0}], [0, 1, 2, 3, 4]),
        ([{"can_id": 0x7FF, "can_mask": 0x7FF}], []),
        (
            [{"can_id": 0x123, "can_mask": 0x7FF, "extended": False}],
            [0, 2, 3],
        ),
        ([{"can_id": 0x123, "can_mask": 0x7FF, "extended": True}], [1]),
        ([{"can_id": 0x123, "can_mask": 0x1FFFFFFF, "extended": 1}], [1]),
        # Inverted, by the key or by the kernel's bit.
        ([{"can_id": 0x123, "can_mask": 0x7FF, "inverted": True}], [4]),
        ([{"can_id": 0x123, "can_mask": 0x7FF, "inverted": False}],
         [0, 1, 2, 3]),
        ([{"can_id": 0x20000123, "can_mask": 0x7FF}], [4]),
        (
            [
                {
                    "can_id": 0x123,
                    "can_mask": 0x7FF,
                    "extended": True,
                    "inverted": True,
                }
            ],
            [0, 2, 3, 4],
        ),
        # Any of them is enough.
        (
            [
                {"can_id": 0x124, "can_mask": 0x7FF},
                {"can_id": 0x123, "can_mask": 0x7FF, "extended": True},
            ],
            [1, 4],
        ),
        # The kernel's bit for the inverse: CAN_INV_FILTER.
        ([{"can_id": 0x20000123, "can_mask": 0x7FF}], [4]),
    ],
)
def test_filters_let_pass(bus, peer, filters, expected):
    frames = (STANDARD, EXTENDED, REMOTE, FD, OTHER)
    assert passes(bus, peer, filters, *frames) == expected


def test_filters_match_as_the_rule_says(bus, peer):
    """rx & mask == id & mask, on frames and filters from a seeded generator."""
    seed = 20240229
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(20):
        filters = [
            {
                "can_id": dice.randrange(0x800),
                "can_mask": dice.choice([0x7FF, 0x7F0, 0x700, 0x00F, 1]),
            }
            for _ in range(dice.randrange(1, 5))
        ]
        numbers = [dice.randrange(0x800) for _ in range(50)]
        expected = [
            place
            for place, number in enumerate(numbers)
            if any(
                number & f["can_mask"] == f["can_id"] & f["can_mask"]
                for f in filters
            )
        ]
        assert passes(bus, peer, filters, *rig.cans(numbers)) == expected


@pytest.mark.parametrize(
    "filters, error, message",
    [
        (5, TypeError, "filters must be a sequence"),
        ("abc", TypeError, r"filters\[0\] must be a dict"),
        ({"can_id": 1, "can_mask": 1}, TypeError, r"filters\[0\] must be"),
        ([None], TypeError, r"filters\[0\] must be a dict .* not None"),
        ([{}], ValueError, r'filters\[0\] has no "can_id"'),
        ([{"can_id": 1}], ValueError, r'filters\[0\] has no "can_mask"'),
        (
            [{"can_id": 1, "can_mask": 1}, {"can_mask": 1}],
            ValueError,
            r'filters\[1\] has no "can_id"',
        ),
        (
            [{"can_id": "0x1", "can_mask": 1}],
            TypeError,
            r"filters\[0\]\[\"can_id\"\] must be an int, not '0x1'",
        ),
        (
            [{"can_id": 1, "can_mask": 1.0}],
            TypeError,
            r"filters\[0\]\[\"can_mask\"\] must be an int, not 1.0",
        ),
        (
            [{"can_id": -1, "can_mask": 1}],
            ValueError,
            r'\["can_id"\] must be 0..0xFFFFFFFF, not -1',
        ),
        (
            [{"can_id": 1, "can_mask": 2**32}],
            ValueError,
            r'\["can_mask"\] must be 0..0xFFFFFFFF',
        ),
        (
            [{"can_id": 1, "can_mask": 1, "mask": 1}],
            ValueError,
            r"filters\[0\]: unknown key 'mask'",
        ),
        (
            [{"can_id": 1, "can_mask": 1, 5: 1}],
            ValueError,
            r"filters\[0\]: unknown key 5",
        ),
        (
            [{"can_id": 1, "can_mask": 1, "extended": "no"}],
            TypeError,
            r"filters\[0\]\[\"extended\"\] must be a bool, not 'no'",
        ),
        (
            [{"can_id": 1, "can_mask": 1, "inverted": "no"}],
            TypeError,
            r"filters\[0\]\[\"inverted\"\] must be a bool, not 'no'",
        ),
        (
            [{"can_id": 1, "can_mask": 1, "extended": None}],
            TypeError,
            r"must be a bool, not None",
        ),
        (
            [{"can_id": 1, "can_mask": 1, "extended": 2}],
            TypeError,
            r"must be a bool, not 2",
        ),
        (
            [{"can_id": 1, "can_mask": 1, "extended": -(2**70)}],
            TypeError,
            r"must be a bool, not -1180591620717411303424",
        ),
        (
            [{"can_id": 1, "can_mask": 1}] * 513,
            ValueError,
            "513 filters: at most 512",
        ),
    ],
)
def test_filters_that_are_no_good_are_refused(
    bus, q, filters, error, message
):
    with pytest.raises(error, match=message):
        bus.queue(filters=filters)
    with pytest.raises(error, match=message):
        q.set_filters(filters)


def test_filter_that_could_only_be_judged_by_its_truth_is_refused(bus):
    class Vague:
        def __bool__(self):
            raise KeyError("vague")

        def __repr__(self):
            return "vague"

    with pytest.raises(TypeError, match="must be a bool, not vague"):
        bus.queue(filters=[{"can_id": 1, "can_mask": 1, "extended": Vague()}])


def test_filters_of_the_greatest_number(bus, peer):
    filters = [{"can_id": n, "can_mask": 0x7FF} for n in range(512)]
    frames = rig.cans([511, 512])
    assert passes(bus, peer, filters, *frames) == [0]


def test_filters_on_a_device_without_can_frames_are_refused():
    with awaitd.open("virtual:bytes") as bus:
        with pytest.raises(ValueError, match="no CAN frames to filter"):
            bus.queue(filters=[{"can_id": 1, "can_mask": 1}])
        assert bus.queue(filters=[]).stats().filtered == 0


# ---- set_filters ----


def test_set_filters_takes_effect_between_two_frames(bus, q, peer):
    peer.put(q, 1, 2)
    q.set_filters([{"can_id": 2, "can_mask": 0x7FF}])
    everything = bus.queue()
    peer.send(bus, *rig.cans([1, 2, 1]))
    rig.until(lambda: everything.qsize() == 3)
    q.set_filters(None)
    peer.put(q, 1)
    numbers = ids(q.get_nowait() for _ in range(q.qsize()))
    assert numbers == [1, 2, 2, 1]
    assert q.stats().filtered == 2


def test_set_filters_that_are_no_good_leaves_the_old(q, peer):
    q.set_filters([{"can_id": 2, "can_mask": 0x7FF}])
    with pytest.raises(ValueError):
        q.set_filters([{"can_id": 1}])
    peer.send(q.device, rig.can(1))
    peer.put(q, 2)
    assert ids([q.get_nowait()]) == [2]


def test_set_filters_on_a_closed_queue_raises(q):
    q.close()
    with pytest.raises(awaitd.QueueClosed):
        q.set_filters(None)


def test_set_filters_under_traffic_keeps_the_ledger(q, peer):
    for number in range(50):
        q.set_filters([{"can_id": number % 2, "can_mask": 1}])
        peer.send(q.device, *rig.cans(range(20)))
    rig.until(lambda: q.stats().received == 1000)
    stats = q.stats()
    assert rig.exact(stats)
    assert 0 < stats.filtered < 1000


def test_filters_apply_to_each_queue_alone(bus, peer):
    odd = bus.queue(filters=[{"can_id": 1, "can_mask": 1}])
    even = bus.queue(filters=[{"can_id": 0, "can_mask": 1}])
    peer.send(bus, *rig.cans(range(10)))
    for queue, numbers in ((odd, [1, 3, 5, 7, 9]), (even, [0, 2, 4, 6, 8])):
        rig.until(lambda: queue.qsize() == 5)
        assert ids(queue.get_nowait() for _ in range(5)) == numbers


# ---- joined ----

EVEN_OF_120 = [
    {"can_id": 0x120, "can_mask": 0x7F0},
    {"can_id": 0x001, "can_mask": 0x001, "inverted": True},
]


def test_joined_filters_must_all_pass(bus, peer):
    queue = bus.queue(filters=EVEN_OF_120, filters_joined=True)
    either = bus.queue(filters=EVEN_OF_120)
    peer.send(bus, *rig.cans(range(0x11E, 0x124)))
    # The later one gets each frame when the other has it.
    rig.until(lambda: either.stats().received == 6)
    got = [queue.get_nowait() for _ in range(queue.qsize())]
    assert ids(got) == [0x120, 0x122]
    assert queue.stats().filtered == 4
    assert either.stats().filtered == 1


def test_joined_filters_stay_joined_when_they_are_replaced(bus, peer):
    queue = bus.queue(filters_joined=True)
    queue.set_filters(EVEN_OF_120)
    peer.send(bus, *rig.cans([0x11F, 0x120, 0x121]))
    rig.until(lambda: queue.stats().received == 3)
    # Counted ahead of what passes, which may still be on its way.
    assert ids([queue.recv(rig.DEADLINE_S)]) == [0x120]
    assert queue.qsize() == 0
    assert queue.stats().filtered == 2


def test_joined_without_filters_passes_all(bus, peer):
    queue = bus.queue(filters=[], filters_joined=True)
    peer.put(queue, 1, 2)
    assert queue.stats().filtered == 0
