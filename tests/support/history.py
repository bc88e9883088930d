"""The history checker: what a stress run noted, and what must hold of it.

Every unit that is handed to a device has a number, counted from 0, in its
payload. Each queue's log says, in order, what became of the frames its
consumers saw; `check()` compares that with the queue's ledger. It knows
nothing of awaitd but the ledger's names: pure functions over the log.

What must hold: each number is delivered, or counted by exactly one cause;
none is delivered twice, but those that a lease gave back; frames come in order
(under `latest`, in order within a key); `lost_before` says how many are missing
right before a frame; a queue with gaps gives a Gap that says the same, with its
cause, right before such a frame, and no other; and the ledger's sum is what the
log says, count by count.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

CAUSES = ("kernel", "overflow", "cleared", "closed")


class Seen(NamedTuple):
    """A frame as a consumer saw it."""

    number: int  # the payload's
    seq: int
    lost_before: int


class Missing(NamedTuple):
    """A Gap as a consumer saw it."""

    seq: int  # of the frame behind it
    lost: int
    cause: str


class Event(NamedTuple):
    """`taken`: frames, for good, each behind its Gap if the queue gives them.
    `batched`: the same without any Gap. `leased`: frames, without, until
    `settled` or `returned` with the same lease. `cleared`: `count` frames,
    unseen. `gap`: a Gap."""

    kind: str
    frames: tuple[Seen, ...] = ()
    lease: int = 0
    count: int = 0
    gap: Missing | None = None


@dataclass
class QueueLog:
    name: str
    overflow: str = "drop-newest"
    accepts: Callable[[int], bool] = lambda _number: True
    key: Callable[[int], int] = lambda _number: 0
    events: list[Event] = field(default_factory=list)
    stats: Mapping[str, int] = field(default_factory=dict)
    closed_early: bool = False  # while frames flowed
    gaps: bool = False  # it was opened to give Gaps

    def take(self, frames: Iterable[Seen]) -> None:
        self.events.append(Event("taken", tuple(frames)))

    def take_batch(self, frames: Iterable[Seen]) -> None:
        self.events.append(Event("batched", tuple(frames)))

    def miss(self, gap: Missing) -> None:
        self.events.append(Event("gap", gap=gap))

    def lease(self, lease: int, frames: Iterable[Seen]) -> None:
        self.events.append(Event("leased", tuple(frames), lease))

    def settle(self, lease: int) -> None:
        self.events.append(Event("settled", lease=lease))

    def give_back(self, lease: int) -> None:
        self.events.append(Event("returned", lease=lease))

    def clear(self, count: int) -> None:
        self.events.append(Event("cleared", count=count))


@dataclass
class History:
    """Of one device. All queues were attached before the first number. With a
    `witness`, a queue that takes everything and loses nothing of its own, its
    gaps are what the kernel lost; without one the kernel cannot lose."""

    sent: int
    queues: list[QueueLog]
    witness: str = ""
    cut: bool = False  # the device ended before it had read all


class Outcome(NamedTuple):
    """What the events of a log come to."""

    delivered: dict[int, int]  # number: lost_before
    cleared: int
    findings: list[str]


class Replay:
    """Walks through the events of one queue."""

    def __init__(self, log: QueueLog) -> None:
        self.log = log
        self.findings: list[str] = []
        self.delivered: dict[int, int] = {}
        self.returned: dict[int, Seen] = {}
        self.leases: dict[int, tuple[Seen, ...]] = {}
        self.newest: dict[int, int] = {}  # by key
        self.cleared = 0

    def find(self, what: str) -> None:
        self.findings.append(f"{self.log.name}: {what}")

    def see(self, frame: Seen) -> None:
        """In order, and only once, but after a lease gave it back."""
        latest = self.log.overflow == "latest"
        key = self.log.key(frame.number) if latest else 0
        if frame.number in self.returned:
            if self.returned.pop(frame.number) != frame:
                self.find(f"{frame} is not as it was when it was leased")
        elif frame.number <= self.newest.get(key, -1):
            self.find(f"{frame} seen twice, or behind {self.newest[key]}")
        else:
            self.newest[key] = frame.number
        if not latest and any(n < frame.number for n in self.returned):
            self.find(f"{frame} taken ahead of one that was given back")

    def step(self, event: Event) -> None:
        for frame in event.frames:
            self.see(frame)
        if event.kind in ("taken", "batched"):
            self.deliver(event.frames)
        elif event.kind == "leased":
            self.leases[event.lease] = event.frames
        elif event.kind == "settled":
            self.deliver(self.leases.pop(event.lease))
        elif event.kind == "returned":
            for frame in self.leases.pop(event.lease):
                self.returned[frame.number] = frame
        elif event.kind == "cleared":
            self.cleared += event.count
            # What was given back is pending, and so it is cleared too.
            self.returned.clear()

    def deliver(self, frames: Iterable[Seen]) -> None:
        for frame in frames:
            if frame.number in self.delivered:
                self.find(f"{frame} delivered twice")
            self.delivered[frame.number] = frame.lost_before

    def run(self) -> Outcome:
        for event in self.log.events:
            self.step(event)
        for lease in self.leases:
            self.find(f"lease {lease} has no end")
        return Outcome(self.delivered, self.cleared, self.findings)


class GapReplay:
    """Walks through the Gaps of one queue. Each comes once, behind what was
    taken before and ahead of its frame; where a lease gave frames back, it may
    come again, as they do."""

    def __init__(self, log: QueueLog) -> None:
        self.log = log
        self.findings: list[str] = []
        self.told: dict[int, Missing] = {}  # by the frame's number
        self.repeatable: set[int] = set()  # of them
        self.unmet: set[int] = set()  # their frames have not come
        self.gone: set[int] = set()  # frames taken for good

    def find(self, what: str) -> None:
        self.findings.append(f"{self.log.name}: {what}")

    def hear(self, gap: Missing) -> None:
        if not self.log.gaps:
            self.find(f"{gap} of a queue without gaps")
        if gap.seq in self.told and gap.seq not in self.repeatable:
            self.find(f"{gap} is given twice")
        if gap.seq in self.gone:
            self.find(f"{gap} comes behind its frame")
        self.told[gap.seq] = gap
        self.repeatable.discard(gap.seq)
        self.unmet.add(gap.seq)

    def meet(self, frame: Seen, kind: str) -> None:
        self.unmet.discard(frame.number)
        if kind != "leased":
            self.gone.add(frame.number)
        gap = self.told.get(frame.number)
        if gap and gap.lost != frame.lost_before:
            self.find(f"{gap} is not what {frame} says")
        if not gap and kind == "taken" and frame.lost_before:
            self.find(f"{frame} comes without a Gap")

    def step(self, event: Event) -> None:
        if event.gap:
            self.hear(event.gap)
        elif event.kind == "returned":
            self.repeatable |= self.told.keys()
        for frame in event.frames if self.log.gaps else ():
            self.meet(frame, event.kind)

    def run(self) -> list[str]:
        for event in self.log.events:
            self.step(event)
        stats = self.log.stats
        left = (stats["pending"] + stats["dropped_cleared"]
                + stats["dropped_closed"])
        if len(self.unmet) > left:
            self.find(f"Gaps without their frames: {sorted(self.unmet)}")
        return self.findings


def seen(log: QueueLog) -> Iterable[Seen]:
    for event in log.events:
        yield from event.frames


def check_frames(log: QueueLog, lost: set[int]) -> list[str]:
    """Each frame is one that the queue was to have, with its place."""
    findings = []
    received = log.stats["received"]
    for frame in seen(log):
        if frame.seq != frame.number:
            findings.append(f"{log.name}: {frame}: seq is not its place")
        if not 0 <= frame.number < received or frame.number in lost:
            findings.append(f"{log.name}: {frame} never was received")
        elif not log.accepts(frame.number):
            findings.append(f"{log.name}: {frame} should be filtered")
    return findings


def kernel_at_close(log: QueueLog, lost: set[int]) -> int:
    """What the kernel has lost so far is charged at the close, behind frames
    in its buffer that are not read any more: at most all losses, at least
    those before the last frame seen."""
    last = max((frame.number for frame in seen(log)), default=-1)
    least = sum(number < last for number in lost)
    return min(max(log.stats["dropped_kernel"], least), len(lost))


def expected_counts(
    log: QueueLog, outcome: Outcome, lost: set[int]
) -> dict[str, int]:
    """What the ledger must say, where the log knows it."""
    received = log.stats["received"]
    units = range(received)
    kernel = sum(number in lost for number in units)
    if log.closed_early:
        kernel = kernel_at_close(log, lost)
    # The frames that its reader gave it, in order.
    read = itertools.islice(
        (n for n in itertools.count() if n not in lost),
        max(0, received - kernel))
    filtered = sum(not log.accepts(number) for number in read)
    accounted = filtered + kernel + len(outcome.delivered) + outcome.cleared
    others = log.stats["dropped_closed"] + log.stats["pending"]
    return {
        "filtered": filtered,
        "delivered": len(outcome.delivered),
        "dropped_kernel": kernel,
        "dropped_cleared": outcome.cleared,
        # The one count that no event tells of, so that every number has one
        # cause.
        "dropped_overflow": len(units) - accounted - others,
    }


def check_counts(
    log: QueueLog, outcome: Outcome, lost: set[int]
) -> list[str]:
    stats = log.stats
    expected = expected_counts(log, outcome, lost)
    expected["dropped"] = sum(stats[f"dropped_{cause}"] for cause in CAUSES)
    expected["received"] = sum(
        stats[name] for name in ("filtered", "delivered", "dropped", "pending")
    )
    if log.overflow == "block":
        expected["dropped_overflow"] = 0
    return [
        f"{log.name}: {name} is {stats[name]}, and should be {count}"
        for name, count in expected.items()
        if stats[name] != count
    ]


def wanted_by_key(log: QueueLog, lost: set[int]) -> dict[int, list[int]]:
    """The numbers that a queue misses if it has not got them."""
    wanted: dict[int, list[int]] = {}
    for number in range(log.stats["received"]):
        if number in lost or log.accepts(number):
            key = log.key(number) if log.overflow == "latest" else 0
            wanted.setdefault(key, []).append(number)
    return wanted


def check_gaps(log: QueueLog, outcome: Outcome, lost: set[int]) -> list[str]:
    """lost_before of each frame against the numbers that are missing."""
    findings = []
    told = sum(outcome.delivered.values())
    dropped = log.stats["dropped_kernel"] + log.stats["dropped_overflow"]
    if told > dropped:
        findings.append(
            f"{log.name}: lost_before adds up to {told} of {dropped} lost")
    if log.overflow == "latest" and lost:
        return findings  # the kernel's losses have no key
    for numbers in wanted_by_key(log, lost).values():
        last = -1
        got = (n for n in numbers if n in outcome.delivered)
        for number in got:
            place = bisect.bisect_left(numbers, number)
            missing, last = place - last - 1, place
            lost_before = outcome.delivered[number]
            # What was cleared is missing too, and not lost.
            if lost_before > missing or (
                lost_before < missing and not outcome.cleared
            ):
                findings.append(
                    f"{log.name}: lost_before of {number} is {lost_before}, "
                    f"and {missing} are missing")
    return findings


def cause_of(missing: Iterable[int], lost: set[int]) -> str:
    """Why these numbers are missing, as a Gap says it."""
    by_kernel = Counter(number in lost for number in missing)
    return "+".join(
        name for name, count in (("kernel", by_kernel[True]),
                                 ("overflow", by_kernel[False])) if count)


def check_causes(
    log: QueueLog, outcome: Outcome, lost: set[int]
) -> list[str]:
    """The cause of each Gap against the numbers that are missing."""
    if log.overflow == "latest" or outcome.cleared:
        return []  # check_gaps() says why
    (wanted,) = wanted_by_key(log, lost).values() or ([],)
    got = [n for n in wanted if n in outcome.delivered]
    findings = []
    for gap in (event.gap for event in log.events if event.gap):
        place = bisect.bisect_left(got, gap.seq)
        behind = bisect.bisect_right(wanted, got[place - 1]) if place else 0
        cause = cause_of(
            wanted[behind:bisect.bisect_left(wanted, gap.seq)], lost)
        if gap.seq in outcome.delivered and gap.cause != cause:
            findings.append(f"{log.name}: the cause of {gap} is {cause}")
    return findings


def check_queue(log: QueueLog, lost: set[int]) -> list[str]:
    outcome = Replay(log).run()
    return [
        *outcome.findings,
        *check_frames(log, lost),
        *check_counts(log, outcome, lost),
        *check_gaps(log, outcome, lost),
        *GapReplay(log).run(),
        *check_causes(log, outcome, lost),
    ]


def kernel_losses(history: History) -> set[int]:
    """What the witness, which got all that there was, did not get."""
    for log in history.queues:
        if log.name == history.witness:
            got = Counter(frame.number for frame in seen(log))
            return set(range(log.stats["received"])) - set(got)
    return set()


def check(history: History) -> list[str]:
    """What does not hold; empty when all does."""
    lost = kernel_losses(history)
    findings = []
    for log in history.queues:
        received = log.stats["received"]
        still_open = log.stats["dropped_closed"] == 0 and not history.cut
        if received > history.sent:
            findings.append(f"{log.name}: received more than was sent")
        if log.name == history.witness:
            if still_open and received != history.sent:
                findings.append(f"{log.name}: not all that was sent came")
            if log.stats["dropped"] != log.stats["dropped_kernel"]:
                findings.append(f"{log.name}: a witness that loses frames")
        findings += check_queue(log, lost)
    return findings
