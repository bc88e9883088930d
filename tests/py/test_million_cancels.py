"""A million waits given up at random, and not one frame lost.

Rounds of waiters of all kinds on one queue, over a UDP socket, so that frames
come whenever they like: before the wait, with the wake on its way, between wake
and resume. Most are given up at random; a few are left, and each of these must
get a frame: a wake that a cancelled waiter kept would leave them waiting beside
pending frames for ever.

Only waits that ended without a frame count. AWAITD_CANCELS sets how many
there are, AWAITD_SEED repeats a run's choices.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import rig
from ports import free_port

import awaitd

pytestmark = pytest.mark.extension

DEADLINE_S = 400.0
IN_ALL = 1_000_000 if sys.version_info < (3, 12) else 200_000
CANCELS = int(os.environ.get("AWAITD_CANCELS", IN_ALL))
# The common way gets all of them; each of the others gets a share.
COMMON = ("asyncio", "bridge")
SHARE = 0.25

Datagrams = awaitd.Queue[awaitd.Datagram]


def number(frame: awaitd.Frame) -> int:
    return int.from_bytes(frame.data, "big")


class Round:
    """What the waiters of a run have got."""

    def __init__(self, queue: Datagrams) -> None:
        self.queue = queue
        self.given_up = 0
        self.taken: list[int] = []  # noted in the step that took it
        # Through a task of wait_for's own, which may be overtaken.
        self.passed_on: list[int] = []

    def note(self, frame: awaitd.Datagram) -> None:
        self.taken.append(number(frame))

    def note_passed_on(self, frame: awaitd.Datagram) -> None:
        # From 3.12 on it awaits in the caller's own task.
        late = sys.version_info < (3, 12)
        (self.passed_on if late else self.taken).append(number(frame))


# ---- the kinds of waiters ----


async def plain(run: Round) -> None:
    try:
        run.note(await run.queue.get())
    except asyncio.CancelledError:
        run.given_up += 1


async def many(run: Round) -> None:
    try:
        for frame in await run.queue.get_many(3):
            run.note(frame)
    except asyncio.CancelledError:
        run.given_up += 1


async def batch(run: Round) -> None:
    try:
        for frame in await run.queue.get_batch(3):
            run.note(frame)
    except asyncio.CancelledError:
        run.given_up += 1


async def lease(run: Round) -> None:
    try:
        async with run.queue.lease(3) as frames:
            for frame in frames:
                run.note(frame)
    except asyncio.CancelledError:
        run.given_up += 1


async def iterated(run: Round) -> None:
    try:
        async for frame in run.queue:
            run.note(frame)
            return
    except asyncio.CancelledError:
        run.given_up += 1


async def wait_for(run: Round) -> None:
    try:
        run.note_passed_on(await asyncio.wait_for(run.queue.get(), 60))
    except asyncio.CancelledError:
        run.given_up += 1


async def scope(run: Round) -> None:
    try:
        async with asyncio.timeout(60):
            run.note(await run.queue.get())
    except asyncio.CancelledError:
        run.given_up += 1


async def native(run: Round) -> None:
    try:
        run.note(await run.queue.get(timeout=60))
    except asyncio.CancelledError:
        run.given_up += 1


# These end by themselves, by the clock.
SOON_S = 0.0002


async def wait_for_soon(run: Round) -> None:
    try:
        run.note_passed_on(await asyncio.wait_for(run.queue.get(), SOON_S))
    except TimeoutError:
        run.given_up += 1


async def scope_soon(run: Round) -> None:
    try:
        async with asyncio.timeout(SOON_S):
            run.note(await run.queue.get())
    except TimeoutError:
        run.given_up += 1


async def native_soon(run: Round) -> None:
    try:
        run.note(await run.queue.get(timeout=SOON_S))
    except TimeoutError:
        run.given_up += 1


Kind = Callable[[Round], Coroutine[Any, Any, None]]
LASTING: list[Kind] = [plain, plain, plain, many, batch, lease, iterated,
                       wait_for, scope, native]
SOON: list[Kind] = [wait_for_soon, scope_soon, native_soon]
SURVIVORS: list[Kind] = [plain, iterated, wait_for, scope, native]


# ---- the rounds ----


class Sender:
    """Numbered datagrams, sent at once from this very thread."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))

    def send(self) -> None:
        self._socket.send(self.sent.to_bytes(8, "big"))
        self.sent += 1

    def close(self) -> None:
        self._socket.close()


async def disturb(
    dice: random.Random, tasks: list[asyncio.Task[None]], sender: Sender
) -> None:
    """Give all of them up, in any order; frames and turns come between."""
    dice.shuffle(tasks)
    frames = dice.random() * 0.3
    turns = dice.random() * 0.2
    for task in tasks:
        chance = dice.random()
        if chance < frames:
            sender.send()
            if chance < frames / 2:
                # Time for reader and bridge: the wake comes before the cancel.
                time.sleep(0)
        elif chance < frames + turns:
            await asyncio.sleep(0)
        task.cancel()


async def one_round(dice: random.Random, run: Round, sender: Sender) -> None:
    loop = asyncio.get_running_loop()
    kinds = dice.choices(LASTING, k=dice.randrange(1, 120))
    tasks = [loop.create_task(kind(run)) for kind in kinds]
    if dice.random() < 0.3:
        soon = [loop.create_task(kind(run)) for kind in SOON]
    else:
        soon = []
    # Somewhere among them, so that wakes are passed to both sides.
    survivors = [
        loop.create_task(kind(run))
        for kind in dice.choices(SURVIVORS, k=dice.randrange(3))
    ]
    if dice.random() < 0.9:
        await asyncio.sleep(0)
    behind = [loop.create_task(plain(run)) for _ in range(dice.randrange(4))]
    if dice.random() < 0.5:
        await asyncio.sleep(0)
    await disturb(dice, tasks + behind, sender)
    for task in (*soon, *tasks, *behind):
        if not task.done():
            # Cancelled before its first step, it raises.
            await asyncio.wait([task])
    # Now nobody else takes: each that still waits must get one.
    left = [task for task in survivors if not task.done()]
    for _ in left:
        sender.send()
    for task in left:
        await task
    while run.queue.qsize():
        run.note(run.queue.get_nowait())


async def all_rounds(seed: int, run: Round, sender: Sender, count: int) -> None:
    dice = random.Random(seed)
    while run.given_up < count:
        await one_round(dice, run, sender)
    # What the reader has not yet read.
    while len(run.taken) + len(run.passed_on) < sender.sent:
        run.note(await run.queue.get())


def check(run: Round, sender: Sender) -> None:
    assert run.taken == sorted(set(run.taken)), "out of order, or twice"
    assert sorted(run.taken + run.passed_on) == list(range(sender.sent))
    stats = run.queue.stats()
    assert rig.exact(stats)
    assert (stats.received, stats.delivered, stats.dropped, stats.pending) == (
        sender.sent, sender.sent, 0, 0)


def share(loop_name: str, wakeup: str) -> int:
    return int(CANCELS * (1 if (loop_name, wakeup) == COMMON else SHARE))


@pytest.mark.parametrize("wakeup", ["bridge", "fd"])
@rig.on_every_loop
def test_million_cancels_lose_no_frame_and_no_wake(
    request, loop_class, wakeup
):
    name = "uvloop" if "uvloop" in request.node.callspec.id else "asyncio"
    seed = int(os.environ.get("AWAITD_SEED", random.randrange(1 << 32)))
    count = share(name, wakeup)
    port = free_port()
    sender = Sender(port)

    async def bounded(work: Awaitable[None]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await work

    with awaitd.open({"driver": "udp", "bind": f"127.0.0.1:{port}"}) as net:
        run = Round(net.queue(depth=65_536, wakeup=wakeup))
        try:
            with asyncio.Runner(loop_factory=loop_class) as runner:
                runner.run(bounded(all_rounds(seed, run, sender, count)))
        finally:
            print(f"seed {seed}: {run.given_up} given up, {sender.sent} sent, "
                  f"{len(run.taken) + len(run.passed_on)} taken")
            sender.close()
        check(run, sender)
