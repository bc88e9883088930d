"""Stress, and a history of it that must hold (history.py, test_history.py).

Each episode: one device, a witness and a queue of each policy, each with two
consumers that take in every way there is, are slow, give up, clear, fail in a
lease; queues give Gaps or not, are woken by the bridge or an fd, and two of
them are read as one; they are closed, and in some episodes the device is lost
or closed while frames flow. AWAITD_HISTORY_S sets how long it goes on in all,
AWAITD_SEED repeats a run's choices.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rig
from history import History, Missing, QueueLog, Seen, check

import awaitd

pytestmark = [pytest.mark.extension, rig.on_every_loop]

SECONDS = float(os.environ.get("AWAITD_HISTORY_S", 15)) / 6
EPISODE_S = 60.0
FRAMES = 3000
KEYS = 8
POLICIES = ["drop-newest", "drop-oldest", "latest", "block"]
COUNTS = ("received", "filtered", "delivered", "dropped", "pending",
          "dropped_kernel", "dropped_overflow", "dropped_cleared",
          "dropped_closed")

Queue = awaitd.Queue[Any]


def seen(frame: awaitd.Frame) -> Seen:
    return Seen(int.from_bytes(frame.data, "big"), frame.seq,
                frame.lost_before)


def note(log: QueueLog, items: Iterable[awaitd.Frame | awaitd.Gap]) -> None:
    for item in items:
        if isinstance(item, awaitd.Gap):
            log.miss(Missing(item.seq, item.lost, item.cause))
        else:
            log.take([seen(item)])


class Planned(Exception):
    """Raised in a lease."""


# ---- consumers ----


class Consumer:
    """Takes from one queue, in every way, until it has ended."""

    ended = (awaitd.QueueClosed, awaitd.DeviceLost)

    def __init__(self, dice: random.Random, queue: Queue, log: QueueLog,
                 clears: bool, slow: float) -> None:
        self.dice, self.queue, self.log = dice, queue, log
        self.slow = slow
        self.ways = [self.get, self.get, self.many, self.nowait, self.native,
                     self.scope, self.wait_for, self.iterate, self.cancelled]
        self.ways += [self.batch, self.merged, self.lease, self.lease]
        if clears:
            self.ways.append(self.clear)
        if queue.overflow == "latest":
            self.ways.append(self.look)

    def note(self, *items: awaitd.Frame | awaitd.Gap) -> None:
        note(self.log, items)

    def soon(self) -> float:
        return self.dice.choice([0.0, 0.0001, 0.001])

    async def get(self) -> None:
        self.note(await self.queue.get())

    async def many(self) -> None:
        self.note(*await self.queue.get_many(
            self.dice.randrange(1, 40), timeout=self.soon()))

    async def batch(self) -> None:
        batch = await self.queue.get_batch(
            self.dice.randrange(4, 40),
            min=min(self.queue.depth, self.dice.randrange(1, 4)),
            timeout=self.soon())
        self.log.take_batch(map(seen, batch))
        assert batch.lost == sum(frame.lost_before for frame in batch)

    async def merged(self) -> None:
        """A stream of one queue."""
        stream = awaitd.merge(self.queue)
        for _ in range(self.dice.randrange(1, 5)):
            self.note(await take_next(stream))

    async def look(self) -> None:
        """Takes none; the newest of each key is there, or was taken."""
        frames = self.queue.snapshot()
        for frame in frames.values():
            assert [seen(other).number % KEYS for other in frames.values()
                    ].count(seen(frame).number % KEYS) == 1
        for key in frames:
            frame = self.queue.peek(key)
            assert frame is None or frame.seq >= frames[key].seq
        await asyncio.sleep(0)

    async def nowait(self) -> None:
        with contextlib.suppress(awaitd.QueueEmpty):
            self.note(self.queue.get_nowait())
        await asyncio.sleep(0)

    async def native(self) -> None:
        with contextlib.suppress(TimeoutError):
            self.note(await self.queue.get(timeout=self.soon()))

    async def scope(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.soon()):
                self.note(await self.queue.get())

    async def wait_for(self) -> None:
        # Before 3.12 it has a task of its own: note it there, in order.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.get(), self.soon())

    async def iterate(self) -> None:
        count = self.dice.randrange(1, 10)
        async for frame in self.queue:
            self.note(frame)
            count -= 1
            if not count:
                return
        raise awaitd.QueueClosed("closed")

    async def cancelled(self) -> None:
        way = self.dice.choice([self.get, self.many, self.batch, self.merged,
                                self.iterate, self.lease])
        task = asyncio.ensure_future(way())
        for _ in range(self.dice.randrange(4)):
            await asyncio.sleep(0)
        if self.dice.random() < 0.5:
            await asyncio.sleep(self.soon())
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def clear(self) -> None:
        if self.dice.random() < 0.1:
            self.log.clear(self.queue.clear())

    async def lease(self) -> None:
        """Fails at random: then its frames are pending again."""
        mark = self.dice.getrandbits(62)
        leased = False
        try:
            async with self.queue.lease(
                self.dice.randrange(1, 6), timeout=self.soon()
            ) as frames:
                self.log.lease(mark, map(seen, frames))
                leased = True
                if self.dice.random() < 0.5:
                    await asyncio.sleep(self.soon())
                if self.dice.random() < 0.3:
                    raise Planned
            self.log.settle(mark)
        except (Planned, asyncio.CancelledError) as reason:
            if leased:
                self.log.give_back(mark)
            if not isinstance(reason, Planned):
                raise
        except TimeoutError:
            assert not leased

    async def run(self) -> None:
        with contextlib.suppress(*self.ended):
            while True:
                await self.dice.choice(self.ways)()
                if self.dice.random() < self.slow:
                    await asyncio.sleep(self.dice.random() * 0.005)


class Merged:
    """Takes from two queues as one stream, in order of time."""

    def __init__(self, dice: random.Random,
                 pairs: list[tuple[Queue, QueueLog]]) -> None:
        self.dice = dice
        self.queues = [queue for queue, _ in pairs]
        self.logs = [log for _, log in pairs]
        self.timestamps: list[int] = []

    def note(self, item: awaitd.Frame | awaitd.Gap) -> None:
        """Which of the queues it is of, its place tells."""
        (log,) = (log for log in self.logs if log.accepts(item.seq))
        note(log, [item])
        self.timestamps.append(item.timestamp_ns)

    async def some(self) -> None:
        # For as long as it takes: so that none comes late.
        stream = awaitd.merge(*self.queues, wait=1000)
        for _ in range(self.dice.randrange(1, 50)):
            self.note(await take_next(stream))

    async def run(self) -> None:
        with contextlib.suppress(*Consumer.ended):
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.dice.choice(
                            [0.0, 0.0001, 0.001, None])):
                        await self.some()


async def take_next(stream: awaitd.Merge[Any]) -> Any:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        raise awaitd.QueueClosed("end") from None


def drain(queue: Queue, log: QueueLog) -> None:
    with contextlib.suppress(*Consumer.ended, awaitd.QueueEmpty):
        while True:
            note(log, [queue.get_nowait()])


# ---- sources ----


class Source:
    """Sends numbered units from a thread of its own."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.sent = 0
        self.stop = False
        self._thread = threading.Thread(target=self.run)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self.stop = True
        self._thread.join(rig.DEADLINE_S)

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def pauses(self) -> Iterator[int]:
        """The numbers, in bursts."""
        number = 0
        while number < FRAMES and not self.stop:
            for number in range(number, number + self.dice.randrange(1, 200)):
                yield number
            number += 1
            time.sleep(self.dice.random() * 0.004)

    def run(self) -> None:
        raise NotImplementedError


class Bus(Source):
    """A virtual CAN bus: filters have ids to look at."""

    options = {"driver": "virtual", "kind": "can"}
    kernel_loses = False

    def __init__(self, dice: random.Random) -> None:
        super().__init__(dice)
        self.device: Any = awaitd.open({**self.options, "name": "bus",
                                        "allow_block": "yes"})

    def run(self) -> None:
        asyncio.run(self.send())

    async def send(self) -> None:
        try:
            for number in self.pauses():
                self.sent += 1
                await self.device.send(awaitd.CanFrame(
                    0x100 + number % KEYS, number.to_bytes(8, "big")))
        except awaitd.Error:
            pass  # closed meanwhile: what was under way may have come or not


class Network(Source):
    """Datagrams over loopback, from as many senders as there are keys, to a
    socket whose buffer is too small for a blocked reader."""

    kernel_loses = True

    def __init__(self, dice: random.Random) -> None:
        super().__init__(dice)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.device: Any = awaitd.open({
            "driver": "udp", "bind": f"127.0.0.1:{self.port}", "name": "net",
            "receive_buffer": dice.choice([65536, 1 << 22]),
            "allow_block": "yes", "max_payload": 64})

    def run(self) -> None:
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                for _ in range(KEYS)]
            for number in self.pauses():
                with contextlib.suppress(ConnectionRefusedError):
                    sockets[number % KEYS].sendto(
                        number.to_bytes(8, "big"), ("127.0.0.1", self.port))
                self.sent += 1


# ---- an episode ----


class Episode:
    def __init__(self, dice: random.Random, source: Source) -> None:
        self.dice, self.source = dice, source
        self.pairs: list[tuple[Queue, QueueLog]] = []
        self.merged: Merged | None = None

    def open_queue(self, overflow: str, name: str, half: int | None = None,
                   **options: Any) -> None:
        """`half`: 0 for the even numbers only, 1 for the odd ones."""
        filters = ([] if half is None
                   else [{"can_id": half, "can_mask": 1}])
        gaps = self.dice.random() < 0.5
        queue = self.source.device.queue(
            name=name, overflow=overflow, filters=filters, gaps=gaps,
            budget_us=self.dice.choice([0, 0, 200, 2000]),
            wakeup=self.dice.choice(["bridge", "fd"]), **options)
        self.pairs.append((queue, QueueLog(
            name, overflow,
            lambda number: half is None or number % 2 == half,
            lambda number: number % KEYS, gaps=gaps)))

    def open_queues(self, policies: Iterable[str]) -> None:
        self.open_queue("drop-newest", "witness", depth=2 * FRAMES + 1000)
        for overflow in policies:
            half = (0 if isinstance(self.source, Bus)
                    and self.dice.random() < 0.5 else None)
            depth = (KEYS if overflow == "latest"
                     else self.dice.choice([1, 3, 16, 100]))
            self.open_queue(overflow, overflow, half, depth=depth)

    def open_halves(self) -> None:
        """Two queues to be merged, each with half of the numbers."""
        for half in range(2):
            self.open_queue(
                self.dice.choice(["drop-newest", "drop-oldest"]),
                f"half {half}", half, depth=self.dice.choice([1, 16, 100]))
        self.merged = Merged(self.dice, self.pairs[-2:])

    def consumers(self) -> list[asyncio.Task[None]]:
        tasks = []
        if self.merged:
            tasks = [asyncio.ensure_future(self.merged.run())
                     for _ in range(2)]
        for queue, log in self.pairs[:-2] if self.merged else self.pairs:
            clears = log.name != "witness" and self.dice.random() < 0.3
            slow = self.dice.choice([0.0, 0.05, 0.5])
            tasks += [asyncio.ensure_future(
                Consumer(self.dice, queue, log, clears, slow).run())
                for _ in range(2)]
        return tasks

    async def disturb(self, cut: bool) -> None:
        """While the source sends, close one queue, or the device."""
        until = self.dice.randrange(FRAMES)
        close_one = self.dice.random() < 0.4
        while not self.source.ended:
            await asyncio.sleep(0.001)
            if self.source.sent < until:
                continue
            if cut:
                break
            if close_one:
                queue, log = self.dice.choice(self.pairs[1:])
                queue.close()
                log.closed_early = True
                close_one = False
        if cut:  # though the source may have ended since the last look
            self.source.device.close()

    async def settle(self) -> None:
        """All that was sent has been read, and then the device ends."""
        queue, _ = self.pairs[0]
        while queue.stats().received < self.source.sent:
            await asyncio.sleep(0.001)
        self.source.device.close()

    async def run(self, cut: bool) -> None:
        tasks = self.consumers()
        self.source.start()
        await self.disturb(cut)
        if not cut:
            await self.settle()
        await asyncio.gather(*tasks)
        for queue, log in self.pairs:
            self.end(queue, log)

    def end(self, queue: Queue, log: QueueLog) -> None:
        """Take the rest, most of the time: else it is pending for good."""
        if log.name == "witness" or self.dice.random() < 0.8:
            drain(queue, log)
        stats = queue.stats()
        log.stats = {name: getattr(stats, name) for name in COUNTS}

    def history(self, cut: bool) -> History:
        return History(self.source.sent, [log for _, log in self.pairs],
                       "witness" if self.source.kernel_loses else "", cut)


def told(episode: Episode) -> str:
    return "; ".join(
        f"{log.name}: " + " ".join(
            f"{name}={count}" for name, count in log.stats.items() if count)
        for _, log in episode.pairs)


def play(
    run: Callable[[Awaitable[Any]], Any], make: Callable[[random.Random], Any],
    seed: int, cut: bool,
) -> None:
    dice = random.Random(seed)
    source = make(dice)
    episode = Episode(dice, source)

    async def bounded() -> None:
        async with asyncio.timeout(EPISODE_S):
            await episode.run(cut)

    try:
        episode.open_queues(dice.sample(POLICIES, dice.randrange(1, 5)))
        if isinstance(source, Bus):
            episode.open_halves()
        run(bounded())
    finally:
        source.join()
        source.device.close()
        print(f"seed {seed} sent={source.sent} cut={cut}: {told(episode)}")
    assert check(episode.history(cut)) == []
    if episode.merged:
        times = episode.merged.timestamps
        assert times == sorted(times)


@pytest.fixture
def fresh_run(loop_class: type[Any]) -> Callable[[Awaitable[Any]], Any]:
    """Each run on a loop of its own."""

    def run(coroutine: Any) -> Any:
        with asyncio.Runner(loop_factory=loop_class) as runner:
            return runner.run(coroutine)

    return run


def seeds() -> Iterator[int]:
    """One after the other, until the time is up; a given one alone."""
    given = os.environ.get("AWAITD_SEED")
    if given:
        yield int(given)
        return
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        yield random.randrange(1 << 32)


@pytest.mark.parametrize("make", [Bus, Network])
def test_history_of_a_device_under_stress_holds(fresh_run, make):
    for seed in seeds():
        # Half of the devices are closed while frames flow. The seed decides.
        play(fresh_run, make, seed, cut=seed % 2 == 1)


# ---- a link that is lost ----


def damaged_log(path: Path, dice: random.Random) -> int:
    """A gzipped log whose end is cut off. Returns how many lines it had."""
    text = "".join(
        f"({number / 1000:.6f}) can0 {0x100 + number % KEYS:03X}#"
        f"{number:016X}\n" for number in range(FRAMES))
    packed = gzip.compress(text.encode())
    path.write_bytes(packed[:dice.randrange(len(packed) // 4, len(packed))])
    return FRAMES


class Replayed:
    """A replay that ends in the middle, as a device that is lost."""

    kernel_loses = False
    ended = True

    def __init__(self, dice: random.Random, path: Path) -> None:
        self.sent = damaged_log(path, dice)
        self.device: Any = awaitd.open({
            "driver": "replay", "path": path, "speed": "max", "name": "log",
            "allow_block": "yes"})

    def start(self) -> None:
        pass

    def join(self) -> None:
        pass


def play_loss(run: Any, seed: int, path: Path) -> None:
    """The replay starts with its first queue: so there is one."""
    dice = random.Random(seed)
    episode = Episode(dice, Replayed(dice, path))  # type: ignore[arg-type]
    overflow = dice.choice(POLICIES)
    episode.open_queue(overflow, overflow, depth=dice.choice([8, 16, 100]))

    async def bounded() -> None:
        async with asyncio.timeout(EPISODE_S):
            await episode.run(cut=True)

    # Not closed by us: the device is lost by itself.
    episode.disturb = wait_for_nothing  # type: ignore[method-assign]
    run(bounded())
    print(f"seed {seed}: {told(episode)}")
    assert check(episode.history(cut=True)) == []
    queue, log = episode.pairs[0]
    assert 0 < log.stats["received"] <= FRAMES
    with pytest.raises(awaitd.DeviceLost):
        queue.get_nowait()
    episode.source.device.close()


async def wait_for_nothing(cut: bool) -> None:
    assert cut


def test_history_of_a_device_that_is_lost_holds(fresh_run, tmp_path):
    for seed in seeds():
        play_loss(fresh_run, seed, tmp_path / "drive.log.gz")
