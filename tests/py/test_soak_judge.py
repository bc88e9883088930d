"""The judge of the soak finds each number that is wrong."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from soak_judge import GROWTH_KIB, Gauge, Outcome, judge
from soak_plan import KINDS, plan


def queue(script: str, name: str, received: int, **gone: int) -> dict[str, Any]:
    causes = ("kernel", "overflow", "cleared", "closed")
    dropped = {cause: gone.get(cause, 0) for cause in causes}
    pending = gone.get("pending", 0)
    return {
        "name": name, "script": script, "received": received, "filtered": 0,
        "delivered": received - sum(dropped.values()) - pending,
        "dropped": dropped, "pending": pending, "exact": True,
    }  # fmt: skip


def device(name: str, *queues: dict[str, Any], sent: int = 0) -> dict[str, Any]:
    send = {"submitted": sent, "sent": sent, "expired": 0, "timed_out": 0,
            "failed": 0, "pending": 0}
    return {"name": name, "queues": list(queues), "send": send}


STDERR = """\
awaitd: 0.1.0 runs keeper.py with bus (virtual:can)
awaitd: warning: leaker: queue unread of device bus loses frames: it was full
awaitd: warning: script crasher ended with status 1, and is started again in 0.1 s
crasher: IndexError: list index out of range
echo: Traceback (most recent call last):
echo:   File "echo.py", line 1, in <module>
echo: ModuleNotFoundError: No module named 'nothing_of_that_name'
awaitd: warning: script echo: reload failed: echo.py:1: ModuleNotFoundError: \
No module named 'nothing_of_that_name'
awaitd: ledger
  anything
"""


# A crash when all are told to stop, and a traceback whose last line was lost.
CRASH_AT_THE_END = STDERR.replace(
    "awaitd: ledger",
    "awaitd: warning: script crasher ended with status 3\nawaitd: ledger",
)
LOST_LINES = STDERR.replace(
    "echo: ModuleNotFoundError: No module named 'nothing_of_that_name'",
    "awaitd: warning: 12 lines of output dropped: nobody reads",
)


@pytest.fixture
def outcome() -> Outcome:
    """Of a soak in which all is well."""
    return Outcome(
        status=0,
        report={
            "exact": True,
            "devices": [
                device(
                    "bus",
                    queue("keeper", "kept", 100),
                    queue("sampler", "newest", 100, overflow=40),
                    queue("leaker", "unread", 100, overflow=90, closed=10),
                    queue("blocker", "blocked", 100, overflow=50),
                    queue("crasher", "crashing", 100, closed=5),
                    sent=100,
                ),
                device("net", queue("keeper", "kept", 80, kernel=3),
                       queue("echo", "asked", 80), sent=7),
                device("wire", queue("keeper", "kept", 60)),
                device("drive", queue("keeper", "kept", 50, pending=2)),
            ],
        },
        states={
            "keeper": {"bus": [100, 100, 0], "net": [77, 80, 0],
                       "wire": [60, 60, 0], "drive": [48, 48, 0]},
            "sampler": {"bus": 60},
            "blocker": {"bus": 50},
            "crasher": {"bus": 95},
            "echo": {"net": 80},
        },
        sent={"bus": 100, "net": 80, "wire": 66},
        seen={"udp": 87, "wire": 60},
        echoes=7,
        warm=Gauge(80_000, {"socket": 9}, 12),
        end=Gauge(81_000, {"socket": 9}, 12),
        stderr=STDERR,
        failed_reloads=1,
        actions=dict.fromkeys(KINDS, 1),
    )


def set_in(*path: Any, to: Any) -> Callable[[Outcome], None]:
    """Doctors one number: the first names an attribute."""

    def doctor(outcome: Outcome) -> None:
        first, *rest = path
        if not rest:
            setattr(outcome, first, to)
            return
        inner = getattr(outcome, first)
        for key in rest[:-1]:
            inner = inner[key]
        inner[rest[-1]] = to

    return doctor


KEPT = ("report", "devices", 0, "queues", 0)
UNREAD = ("report", "devices", 0, "queues", 2)
BLOCKED = ("report", "devices", 0, "queues", 3)
DOCTORED = {
    "status": (set_in("status", to=1), "exit status"),
    "refused": (set_in("refused", to=["reload of echo"]), "reload of echo"),
    "not exact": (set_in("report", "exact", to=False), "not exact"),
    "queue not exact": (set_in(*KEPT, "exact", to=False), "100 came"),
    "frame lost": (set_in(*KEPT, "received", to=101), "100 went"),
    "frame not received": (set_in("sent", "bus", to=101), "bus: sent and seen"),
    "lost by the reader": (set_in("seen", "udp", to=88), "net: sent and seen"),
    "lost on the wire": (set_in("seen", "wire", to=61), "60 of 61"),
    "more than sent": (set_in("sent", "wire", to=59), "more frames seen"),
    "not taken": (set_in("states", "keeper", "bus", to=[99, 100, 0]), "99 taken"),
    "gap": (set_in("states", "keeper", "bus", to=[100, 100, 1]), "1 gaps"),
    "last lost": (set_in("states", "keeper", "bus", to=[100, 99, 0]), "frame 99"),
    "twice": (set_in("states", "keeper", "wire", to=[60, 61, 0]), "frame 61"),
    "miscounted": (set_in("states", "crasher", "bus", to=94), "94 taken"),
    "unread taken": (set_in(*UNREAD, "delivered", to=1), "0 taken of 1"),
    "sends": (set_in("report", "devices", 1, "send", "failed", to=1),
              "7 submitted"),
    "answers": (set_in("echoes", to=6), "6 answers came of 7"),
    "memory": (set_in("end", to=Gauge(80_001 + GROWTH_KIB, {"socket": 9}, 12)),
               "memory has grown"),
    "descriptors": (set_in("end", to=Gauge(80_000, {"socket": 10}, 12)),
                    "9 socket after the warm-up, 10"),
    "queues": (
        set_in("end", to=Gauge(80_000, {"/memfd:crashing (deleted)": 3}, 12)),
        "0 /memfd:crashing (deleted) after the warm-up, 3",
    ),
    "threads": (set_in("end", to=Gauge(80_000, {"socket": 9}, 13)),
                "12 threads"),
    "error line": (set_in("stderr", to=f"awaitd: error: what\n{STDERR}"),
                   "unexpected: awaitd: error: what"),
    "status of a crash": (set_in("stderr", to=CRASH_AT_THE_END), "exit status 0"),
    "traceback": (set_in("stderr", to=f"keeper: ValueError: no\n{STDERR}"),
                  "keeper, which is well, said"),
    "traceback beside lost lines": (
        set_in("stderr", to=f"keeper: ValueError: no\n{LOST_LINES}"),
        "keeper, which is well, said",
    ),
    "piece of a traceback": (
        set_in("stderr", to=STDERR.replace("echo: ModuleNot", "other: ModuleNot")),
        "echo, which is well, said: Traceback",
    ),
    "reload that did not fail": (set_in("failed_reloads", to=2), "1 reloads"),
    "nothing done": (set_in("actions", "link", to=0), "link never happened"),
    "never full": (set_in(*BLOCKED, "dropped", "overflow", to=0), "never was full"),
    "no crash": (set_in("stderr", to=STDERR.replace("again", "")),
                 "never crashed"),
}  # fmt: skip


def test_soak_without_a_flaw_is_passed(outcome):
    assert judge(outcome) == []


def test_crash_when_all_are_told_to_stop_is_passed(outcome):
    outcome.status, outcome.stderr = 3, CRASH_AT_THE_END
    assert judge(outcome) == []


def test_traceback_of_which_a_line_was_dropped_is_passed(outcome):
    outcome.stderr = LOST_LINES
    assert judge(outcome) == []


@pytest.mark.parametrize("name", DOCTORED)
def test_each_number_that_is_doctored_is_found(outcome, name):
    doctor, word = DOCTORED[name]
    doctor(outcome)
    assert any(word in wrong for wrong in judge(outcome)), judge(outcome)


def test_queue_that_was_closed_and_made_anew_is_found(outcome):
    queues = outcome.report["devices"][0]["queues"]
    second = copy.deepcopy(queues[0])
    for half in (queues[0], second):
        half["received"] = half["delivered"] = 50
    queues.append(second)
    assert any("2 queues of that name" in wrong for wrong in judge(outcome))


def test_plan_is_the_same_for_a_seed_and_has_everything_soon():
    first, again, other = (
        list(itertools.islice(plan(seed), 100)) for seed in (5, 5, 6)
    )
    assert first == again != other
    assert {action.kind for action in first[: len(KINDS)]} == set(KINDS)
