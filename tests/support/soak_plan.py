"""What a soak does to its daemon, drawn from a seed: the same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

SCRIPTS = ("keeper", "echo", "sampler", "blocker", "crasher", "leaker")
ASKED = ("status", "devices", "queues", "scripts", "metrics", "log")
# How often, in relation to each other.
KINDS = {
    "reload": 6,  # a script that has changed, by command
    "break": 2,  # a version that has an error, and the good one again
    "hang_up": 3,  # changes and SIGHUPs
    "restart": 2,
    "link": 3,  # down for a while
    "address": 3,  # away for a while
    "unplug": 2,  # an interface removed, and made again
    "ask": 8,
    "dump": 3,  # so many frames, and the client goes
    "unread": 1,  # a dump and questions, of which nothing is read
    "half": 2,  # half a request, and the client goes
    "nonsense": 2,
}


@dataclass(frozen=True)
class Action:
    pause_s: float  # before it
    kind: str
    script: str
    number: int  # whatever there is to count
    lasts_s: float


def plan(seed: int) -> Iterator[Action]:
    """Without an end. Each kind comes once before any comes twice."""
    dice = random.Random(seed)
    first = list(KINDS)
    dice.shuffle(first)
    while True:
        kind = (
            first.pop()
            if first
            else dice.choices(list(KINDS), list(KINDS.values()))[0]
        )
        yield Action(
            dice.uniform(0.02, 0.4),
            kind,
            dice.choice(SCRIPTS),
            dice.randrange(1, 40),
            dice.uniform(0.05, 0.8),
        )
