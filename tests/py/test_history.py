"""The history checker finds what it is there for.

Histories are made by a queue of Python that does all right; then one fault is
planted in the log, and must be found.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from history import Event, History, Missing, QueueLog, Seen, cause_of, check

pytestmark = pytest.mark.extension

SENT = 500


def stats_of(log: QueueLog, **counts: int) -> dict[str, int]:
    stats = dict.fromkeys(
        ("received", "filtered", "delivered", "dropped", "pending",
         "dropped_kernel", "dropped_overflow", "dropped_cleared",
         "dropped_closed"), 0)
    stats.update(counts)
    stats["received"] = SENT
    stats["dropped"] = sum(
        count for name, count in stats.items() if name.startswith("dropped_"))
    return stats


def good_queue(name: str, seed: int, lost: set[int], clears: bool) -> QueueLog:
    """Filters, overflows, clears, and leases, of which some fail."""
    dice = random.Random(seed)
    log = QueueLog(name, accepts=lambda number: number % 5 != 2, gaps=True)
    counts = dict.fromkeys(("filtered", "delivered", "dropped_kernel",
                            "dropped_overflow", "dropped_cleared"), 0)
    missing: list[int] = []
    for number in range(SENT):
        if number in lost:
            counts["dropped_kernel"] += 1
            missing.append(number)
        elif not log.accepts(number):
            counts["filtered"] += 1
        elif dice.random() < 0.2:
            counts["dropped_overflow"] += 1
            missing.append(number)
        elif clears and dice.random() < 0.05:
            counts["dropped_cleared"] += 1
            log.clear(1)
        else:
            counts["delivered"] += 1
            deliver(dice, log, Seen(number, number, len(missing)),
                    cause_of(missing, lost))
            missing = []
    log.stats = stats_of(log, **counts)
    return log


def deliver(
    dice: random.Random, log: QueueLog, frame: Seen, cause: str
) -> None:
    gap = Missing(frame.seq, frame.lost_before, cause)
    while dice.random() < 0.2:
        if cause and dice.random() < 0.5:
            log.miss(gap)
        log.lease(frame.number, [frame])
        log.give_back(frame.number)
    if dice.random() < 0.3:
        log.lease(frame.number, [frame])
        log.settle(frame.number)
    elif dice.random() < 0.2:
        log.take_batch([frame])
    else:
        if cause:
            log.miss(gap)
        log.take([frame])


def good_history(clears: bool = False) -> History:
    lost = {5, 6, 7, 100, 499}
    witness = QueueLog("witness")
    missing = 0
    for number in range(SENT):
        if number in lost:
            missing += 1
        else:
            witness.take([Seen(number, number, missing)])
            missing = 0
    witness.stats = stats_of(witness, delivered=SENT - len(lost),
                             dropped_kernel=len(lost))
    return History(SENT, [witness, good_queue("q", 4711, lost, clears)],
                   "witness")


@pytest.mark.parametrize("clears", [False, True])
def test_history_without_fault_has_no_findings(clears):
    assert check(good_history(clears)) == []


# ---- planted in the events ----

Plant = Callable[[list[Event], int], None]


def lose(events: list[Event], place: int) -> None:
    del events[place]


def double(events: list[Event], place: int) -> None:
    events.insert(place, events[place])


def swap(events: list[Event], place: int) -> None:
    events[place], events[place + 1] = events[place + 1], events[place]


def alter(**changes: int) -> Plant:
    def plant(events: list[Event], place: int) -> None:
        (frame,) = events[place].frames
        values = {name: getattr(frame, name) + change
                  for name, change in changes.items()}
        events[place] = Event("taken", (frame._replace(**values),))

    return plant


def take_back(events: list[Event], place: int) -> None:
    """A frame that was leased and never given back comes again."""
    frames = events[place].frames
    events[place:place + 1] = [Event("leased", frames, -1),
                               Event("settled", lease=-1),
                               events[place]]


def overtake(events: list[Event], place: int) -> None:
    """Given back, and yet the next one comes first."""
    frames = events[place].frames
    events[place:place + 2] = [
        Event("leased", frames, -1), Event("returned", lease=-1),
        events[place + 1], events[place]]


def never_end(events: list[Event], place: int) -> None:
    events[place] = Event("leased", events[place].frames, -1)


def two_taken(events: list[Event]) -> int:
    """A place in the middle where two frames are taken in a row."""
    return next(place for place in range(len(events) // 2, len(events))
                if {e.kind for e in events[place:place + 2]} == {"taken"})


@pytest.mark.parametrize("name", ["q", "witness"])
@pytest.mark.parametrize(
    "plant",
    [lose, double, swap, alter(lost_before=1), alter(seq=1),
     alter(number=1, seq=1), alter(number=SENT, seq=SENT), take_back,
     overtake, never_end],
    ids=["lose", "double", "swap", "lost_before", "seq", "number", "unknown",
         "take_back", "overtake", "never_end"],
)
def test_fault_planted_in_the_events_is_found(name, plant):
    history = good_history()
    (log,) = (log for log in history.queues if log.name == name)
    plant(log.events, two_taken(log.events))
    assert check(history) != []


def test_lost_before_that_is_one_short_is_found():
    history = good_history()
    log = history.queues[1]
    place = next(place for place, event in enumerate(log.events)
                 if event.kind == "taken" and event.frames[0].lost_before)
    alter(lost_before=-1)(log.events, place)
    assert check(history) != []


def test_frame_that_the_filter_refuses_is_found():
    history = good_history()
    log = history.queues[1]
    log.accepts = lambda number: number % 5 != 3
    assert check(history) != []


def test_frame_lost_without_any_count_is_found():
    """A unit that nobody has, and nobody counts: even the sum is right."""
    history = good_history()
    log = history.queues[1]
    lose(log.events, two_taken(log.events))
    log.stats = {**log.stats, "delivered": log.stats["delivered"] - 1,
                 "received": SENT - 1}
    assert check(history) != []


# ---- planted in the Gaps ----


def place_of_gap(events: list[Event], cause: str = "overflow") -> int:
    """One whose frame is taken next, and that no lease has to do with."""
    return next(
        place for place in range(1, len(events))
        if events[place].gap and events[place].gap.cause == cause
        and events[place - 1].kind == events[place + 1].kind == "taken")


def alter_gap(**changes: object) -> Plant:
    def plant(events: list[Event], place: int) -> None:
        gap = events[place].gap
        events[place] = Event("gap", gap=gap._replace(**changes))

    return plant


def miscount(change: int) -> Plant:
    def plant(events: list[Event], place: int) -> None:
        alter_gap(lost=events[place].gap.lost + change)(events, place)

    return plant


def give_again_later(events: list[Event], place: int) -> None:
    events.insert(place + 2, events[place])


def invent(events: list[Event], place: int) -> None:
    """Before a frame that nothing was lost before."""
    place = next(
        at for at in range(place, len(events))
        if events[at].kind == events[at - 1].kind == "taken")
    (frame,) = events[place].frames
    events.insert(place, Event("gap", gap=Missing(frame.seq, 1, "overflow")))


@pytest.mark.parametrize(
    "plant",
    [lose, double, swap, miscount(-1), miscount(1), alter_gap(seq=SENT + 1),
     alter_gap(cause="kernel"), give_again_later, invent],
    ids=["lose", "double", "behind its frame", "one short", "one more", "seq",
         "cause", "again", "invent"],
)
def test_fault_planted_in_the_gaps_is_found(plant):
    history = good_history()
    events = history.queues[1].events
    plant(events, place_of_gap(events))
    assert check(history) != []


@pytest.mark.parametrize("cause", ["overflow", ""])
def test_gap_that_hides_the_kernels_part_is_found(cause):
    history = good_history()
    events = history.queues[1].events
    place = next(place for place, event in enumerate(events)
                 if event.gap and "kernel" in event.gap.cause
                 and event.gap.cause != cause)
    alter_gap(cause=cause)(events, place)
    assert check(history) != []


def test_gap_that_its_frame_denies_is_found():
    """Both are wrong by one, and so agree with each other."""
    history = good_history()
    events = history.queues[1].events
    place = place_of_gap(events)
    miscount(1)(events, place)
    alter(lost_before=1)(events, place + 1)
    assert check(history) != []


def test_gap_of_a_queue_without_gaps_is_found():
    history = good_history()
    history.queues[1].gaps = False
    assert check(history) != []


def test_gap_before_a_batch_alone_is_no_fault():
    """What a batch gives needs no Gap, whatever was lost before it."""
    history = good_history()
    events = history.queues[1].events
    place = place_of_gap(events)
    events[place:place + 2] = [Event("batched", events[place + 1].frames)]
    assert check(history) == []


# ---- planted in the ledger ----

COUNTS = ["received", "filtered", "delivered", "dropped", "pending",
          "dropped_kernel", "dropped_overflow", "dropped_cleared",
          "dropped_closed"]


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("count", COUNTS)
def test_counter_that_misses_one_is_found(count, change):
    history = good_history(clears=True)
    log = history.queues[1]
    log.stats = {**log.stats, count: log.stats[count] + change}
    assert check(history) != []


@pytest.mark.parametrize("cause", ["dropped_kernel", "dropped_overflow",
                                   "dropped_cleared", "dropped_closed"])
@pytest.mark.parametrize("other", ["filtered", "delivered"])
def test_frame_counted_by_the_wrong_cause_is_found(cause, other):
    """The sum is right, and yet two counters are not."""
    history = good_history(clears=True)
    log = history.queues[1]
    log.stats = {**log.stats, other: log.stats[other] - 1,
                 cause: log.stats[cause] + 1,
                 "dropped": log.stats["dropped"] + 1}
    assert check(history) != []


def test_block_that_counts_an_overflow_is_found():
    history = good_history()
    history.queues[1].overflow = "block"
    assert check(history) != []


def test_witness_that_loses_frames_is_found():
    history = good_history()
    history.witness = "q"
    assert check(history) != []


def test_latest_is_in_order_within_a_key_only():
    log = QueueLog("latest", "latest", key=lambda number: number % 2)
    for number, lost_before in ((1, 0), (0, 0), (3, 0), (6, 2)):
        log.take([Seen(number, number, lost_before)])
    log.stats = {**stats_of(log, delivered=4, dropped_overflow=4),
                 "received": 8}
    assert check(History(8, [log])) == []
    log.take([Seen(4, 4, 0)])
    assert check(History(8, [log])) != []
