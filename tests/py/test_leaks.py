"""Nothing is left behind: no object, no memory, no thread, no descriptor, and
no word at the interpreter's exit.

Each kind of work is done many times over. A leak of one object a time would
show as thousands; what else the interpreter keeps, as tens.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import tracemalloc
import warnings
import weakref

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension
wakeup = rig.every_wakeup

COUNT = 2000


# ---- the work ----


async def frames_there(bus, queue):
    for number in range(COUNT):
        await bus.send(rig.can(number % 2048))
    taken = 0
    while taken < COUNT // 2:
        await queue.get()
        taken += 1
    while taken < COUNT:
        taken += len(await queue.get_many(64))


async def frames_to_come(bus, queue):
    for number in range(COUNT):
        task = asyncio.ensure_future(queue.get())
        await bus.send(rig.can(number % 2048))
        await task


async def cancelled(bus, queue):
    for _ in range(COUNT):
        task = asyncio.ensure_future(queue.get(timeout=1000))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def timed_out(bus, queue):
    for _ in range(COUNT):
        for get in (queue.get(timeout=0), queue.get(timeout=1e-9)):
            try:
                await get
            except TimeoutError:
                pass
        assert await queue.get_many(5, timeout=0) == []


async def given_up(bus, queue):
    """By hand: closed, thrown at, forgotten."""
    for _ in range(COUNT):
        for end in (
            lambda get: get.close(),
            lambda get: get.throw(KeyError()),
            lambda get: None,
        ):
            get = queue.get()
            get.send(None)._asyncio_future_blocking = False
            try:
                end(get)
            except KeyError:
                pass


async def refused(bus, queue):
    for _ in range(COUNT):
        for wrong in (
            lambda: bus.queue(filters=[{"can_id": 1}]),
            lambda: bus.queue(name=queue.name),
            lambda: bus.queue(depth=0),
            lambda: bus.send(5),
            lambda: queue.get(timeout="x"),
            lambda: queue.recv(),
            lambda: queue.get_nowait(),
            lambda: queue.get_many(0),
            lambda: queue.get_batch(5, min=6),
            lambda: queue.lease(0),
            lambda: queue.snapshot(),
            lambda: queue.peek(1),
            lambda: awaitd.merge(queue, queue),
            lambda: awaitd.open("x=lin:x"),
        ):
            try:
                wrong()
            except Exception:
                pass


async def sends_given_up(bus, queue):
    alive = weakref.WeakSet()
    for number in range(COUNT):
        send = bus.send(rig.can(number % 2048))
        alive.add(send)
        task = asyncio.ensure_future(send)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bus.send(rig.can(1)).close()
    del send, task
    # Each lives until the reader's answer to it has come back.
    while alive:
        await asyncio.sleep(0.001)
    await drained(bus, queue)


async def sends_of_many(bus, queue):
    for number in range(COUNT // 10):
        frames = rig.cans([number % 2048] * 10)
        await bus.send_many(frames)
        await bus.send_many(frames, confirm=True)
        bus.send_nowait(frames[0])
        given_up = asyncio.ensure_future(bus.send_many(frames))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        await bus.send_many(frames, expires=0, return_exceptions=True)
        await drained(bus, queue)


async def drained(bus, queue):
    """Until everything sent has come, and been thrown away."""
    while bus.stats()["send"].pending:
        await asyncio.sleep(0)
    sent = bus.stats()["send"].sent
    while queue.stats().received < sent:
        await asyncio.sleep(0)
    queue.clear()


async def ledgers(bus, queue):
    for _ in range(COUNT):
        queue.stats()
        bus.stats()
        repr(queue), repr(bus), queue.device, queue.name


async def filters_changed(bus, queue):
    for number in range(COUNT):
        queue.set_filters([{"can_id": number % 2048, "can_mask": 0x7FF}] * 9)
    queue.set_filters(None)


async def queues_made(bus, queue):
    for _ in range(COUNT // 10):
        with bus.queue(depth=16) as other:
            await bus.send(rig.can(1))
            await other.get(timeout=rig.DEADLINE_S)
    await drained(bus, queue)


async def devices_made(bus, queue):
    for _ in range(COUNT // 20):
        with awaitd.open("virtual:bytes") as device:
            other = device.queue(depth=16)
            await device.send(b"x")
            await other.get(timeout=rig.DEADLINE_S)


async def put(bus, *queues, count=8):
    """So many frames, which lie in each of the queues."""
    received = [queue.stats().received + count for queue in queues]
    for number in range(count):
        await bus.send(rig.can(number))
    for queue, enough in zip(queues, received):
        while queue.stats().received < enough:
            await asyncio.sleep(0)
        queue.stats()  # see rig.looked_at()


async def given_up_in_the_middle(awaitable):
    """A task that is cancelled while it waits."""

    async def wait():
        return await awaitable

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def batches(bus, queue):
    for _ in range(COUNT // 10):
        await given_up_in_the_middle(queue.get_batch(9, min=9))
        await put(bus, queue)
        await given_up_in_the_middle(queue.get_batch(9, min=9))
        batch = await queue.get_batch(8, min=8)
        view = memoryview(batch)
        assert len(list(batch)) == len(view) == batch.candump().count("\n")
        with contextlib.suppress(IndexError):
            batch[8]
        assert len(await queue.get_batch(8, timeout=1e-9)) == 0
        batch, view = await queue.get_batch(8, timeout=0), None


async def arrays(bus, queue):
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    for _ in range(COUNT // 10):
        await put(bus, queue)
        array = numpy.asarray(await queue.get_batch(8, min=8))
        assert array["id"].sum() == 28


async def leases(bus, queue):
    for _ in range(COUNT // 10):
        await given_up_in_the_middle(hold(queue))
        with contextlib.suppress(TimeoutError):
            await hold(queue, timeout=1e-9)
        await put(bus, queue)
        await given_up_in_the_middle(hold(queue, asyncio.sleep, 1000))
        with contextlib.suppress(KeyError):
            await hold(queue, fail)
        lease = queue.lease(4)
        frames = await lease.__aenter__()
        del lease, frames  # and so given back
        await hold(queue, asyncio.sleep, 0)
        assert queue.qsize() == 0


async def hold(queue, work=None, *arguments, timeout=None):
    async with queue.lease(8, timeout) as frames:
        assert len(frames) == 8
        await work(*arguments)


async def fail():
    raise KeyError


async def gaps(bus, queue):
    with bus.queue(depth=2, gaps=True, overflow="drop-oldest") as gappy:
        for _ in range(COUNT // 10):
            await given_up_in_the_middle(gappy.get())
            await put(bus, gappy)
            assert isinstance(await gappy.get(), awaitd.Gap)
            await gappy.get()
            await gappy.get()
            await put(bus, gappy)
            gap, *frames = await gappy.get_many(2)
            assert (gap.lost, len(frames)) == (6, 2)
    await drained(bus, queue)


async def merged(bus, queue):
    with bus.queue(depth=16) as other:
        for _ in range(COUNT // 20):
            stream = awaitd.merge(queue, other, wait=60)
            await given_up_in_the_middle(anext(stream))
            await put(bus, queue, other)
            for _ in range(15):
                await anext(stream)
            # The other has none, and would be waited for.
            await given_up_in_the_middle(anext(stream))
            await stream.aclose()
            queue.clear()
            other.clear()


async def looks(bus, queue):
    with bus.queue(depth=16, overflow="latest") as latest:
        for number in range(1000, 1008):  # small integers are kept for good
            await bus.send(rig.can(number))
        for _ in range(COUNT // 10):
            while len(latest.snapshot()) < 8:
                await asyncio.sleep(0)
            assert latest.peek(1007) and not latest.peek(8)
            for wrong in ("x", -1, 2**40):
                with contextlib.suppress(Exception):
                    latest.peek(wrong)
            latest._head()
        latest.clear()
        assert latest.qsize() == 0
    await drained(bus, queue)


async def queues_watched(bus, queue):
    """By an fd, and dropped: by the script, or while they are waited on."""
    for _ in range(COUNT // 20):
        other = bus.queue(depth=16, wakeup="fd")
        waiting = asyncio.ensure_future(other.get())
        await asyncio.sleep(0)
        await bus.send(rig.can(1))
        await waiting
        await given_up_in_the_middle(other.get(timeout=1000))
        del other, waiting
        await asyncio.sleep(0)
    await drained(bus, queue)
    while asyncio.get_running_loop()._ready:
        await asyncio.sleep(0)


class Forgotten(asyncio.SelectorEventLoop):
    def __del__(self):
        """Does not close: its sockets may have been taken apart before it."""


async def loops_left_open(bus, queue):
    """With who waits on them, dropped without being closed."""

    async def leave():
        for wakeup in ("bridge", "fd"):
            other = bus.queue(depth=16, wakeup=wakeup)
            task = asyncio.ensure_future(other.get(timeout=1000))
            task._log_destroy_pending = False
        await asyncio.sleep(0)

    def work():
        Forgotten().run_until_complete(leave())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(COUNT // 100):
            await asyncio.to_thread(work)
        gc.collect()


WORK = [
    batches,
    arrays,
    leases,
    gaps,
    merged,
    looks,
    queues_watched,
    loops_left_open,
    frames_there,
    frames_to_come,
    cancelled,
    timed_out,
    given_up,
    refused,
    sends_given_up,
    sends_of_many,
    ledgers,
    filters_changed,
    queues_made,
    devices_made,
]


# ---- the measures ----


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(*kept: object) -> dict[str, int]:
    gc.collect()
    return {
        "references": sum(map(sys.getrefcount, kept)),
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),
        "traced": tracemalloc.get_traced_memory()[0],
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "resident": resident_bytes(),
    }


# Per round of work, at most; the rarest work is done COUNT / 20 times.
ALLOWED = {
    "references": COUNT // 50,
    "objects": COUNT // 50,
    "blocks": COUNT // 25,
    "traced": COUNT * 4,
    "descriptors": 0,
    "threads": 0,
    "resident": 2**20,
}


ROUNDS = 8


def least_growth(measures: list[dict[str, int]]) -> dict[str, int]:
    """A leak shows in every round; what else the interpreter does, in some."""
    return {
        name: min(
            after[name] - before[name]
            for before, after in zip(measures, measures[1:])
        )
        for name in ALLOWED
    }


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_work_leaves_nothing_behind(bus, q, work):
    with asyncio.Runner() as runner:

        async def once():
            await work(bus, q)

        tracemalloc.start()
        try:
            # What is made once, and kept: caches, the bridge, arenas.
            runner.run(once())
            measures = [measure(bus, q)]
            while len(measures) <= ROUNDS:
                runner.run(once())
                measures.append(measure(bus, q))
                grown = least_growth(measures)
                if all(grown[name] <= ALLOWED[name] for name in grown):
                    break
        finally:
            tracemalloc.stop()
    assert all(grown[name] <= ALLOWED[name] for name in grown), grown
    assert rig.exact(q.stats())


def test_types_are_not_leaked_by_their_instances(bus, q):
    """A heap type is kept by each of its objects, and by no dead one."""
    types = [awaitd.Queue, awaitd.CanFrame, awaitd.CanDevice]
    types += [type(q.get()), awaitd.QueueStats, awaitd.Batch, awaitd.Gap]
    types += [type(q.lease())]
    counts = []

    async def main():
        for _ in range(2):
            await frames_to_come(bus, q)
            await timed_out(bus, q)
            await ledgers(bus, q)
            for work in (batches, leases, gaps, queues_watched):
                await work(bus, q)
            bus.queue()
            gc.collect()
            counts.append([sys.getrefcount(type_) for type_ in types])

    with asyncio.Runner() as runner:  # it takes its time
        runner.run(main())
    before, after = counts
    assert all(now - then < 20 for now, then in zip(after, before)), counts


# ---- the interpreter's exit ----

# Readers flood, coroutines wait, a recv() blocks; then the program ends.
FLOOD = """
    import asyncio, awaitd, os, socket, sys, threading

    bus = awaitd.open("bus=virtual:can")
    log = awaitd.open({{"driver": "replay", "path": sys.argv[1], "speed": "max",
                        "loop": True}})
    flooded = log.queue(depth=64)
    waiting = bus.queue()
    blocked = bus.queue()
    threading.Thread(target=blocked.recv, daemon=True).start()

    async def take():
        while True:
            await flooded.get()

    async def send():
        while True:
            await bus.send(awaitd.CanFrame(1))

    async def main():
        tasks = [asyncio.ensure_future(work)
                 for work in (take(), send(), waiting.get(), take())]
        while flooded.stats().delivered < 200:
            await asyncio.sleep(0)
        {end}

    {run}
"""

ENDS = {
    "returns": ("pass", "asyncio.run(main())"),
    "exits": ("sys.exit(0)", "asyncio.run(main())"),
    "leaves_its_loop_open": (
        "[setattr(t, '_log_destroy_pending', False) for t in tasks]",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(main())",
    ),
    "runs_in_a_daemon_thread": (
        "done.set(); await asyncio.sleep(1000)",
        "done = threading.Event();"
        " threading.Thread(target=lambda: asyncio.run(main()),"
        " daemon=True).start();"
        " done.wait()",
    ),
}


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "flood.log"
    path.write_text(
        "".join(
            f"(1700000000.{i:06}) can0 {i % 2048:03X}#00\n" for i in range(1000)
        )
    )
    return str(path)


@pytest.mark.parametrize("end", ENDS)
def test_program_that_ends_under_a_flood_ends_cleanly(python, log, end):
    ending, running = ENDS[end]
    for _ in range(15):
        program = FLOOD.format(end=ending, run=running)
        process = python(program, log)
        assert process.finish() == 0, process.stderr
        assert process.stderr == ""


def test_program_whose_devices_are_left_open_sends_what_it_accepted(python):
    """A virtual bus that nobody closes, with frames on their way."""
    process = python(
        """
        import asyncio, awaitd
        bus = awaitd.open("bus=virtual:can")

        async def main():
            for number in range(500):
                asyncio.ensure_future(bus.send(awaitd.CanFrame(number)))
            await asyncio.sleep(0)

        asyncio.run(main())
        print(bus.stats()["send"].submitted)
        """
    )
    assert process.finish() == 0
    assert (process.stdout, process.stderr) == ("500\n", "")


def test_program_that_awaits_at_its_exit_gets_an_error(python):
    process = python(
        """
        import asyncio, atexit

        def late():
            import awaitd
            try:
                asyncio.run(queue.get(timeout=5))
            except awaitd.Error as error:
                print("shutting down" in str(error), flush=True)

        # Registered first, so called after awaitd's own.
        atexit.register(late)
        import awaitd
        bus = awaitd.open("bus=virtual:can")
        queue = bus.queue()
        """
    )
    assert process.finish() == 0, process.stderr
    assert (process.stdout, process.stderr) == ("True\n", "")


def test_program_under_the_development_mode_ends_cleanly(python):
    """Its allocator checks each block that is freed after the types are."""
    process = python(
        """
        import asyncio, awaitd

        async def main():
            with awaitd.open("bus=virtual:can") as bus, bus.queue() as queue:
                try:
                    await queue.get(timeout=0.01)
                except TimeoutError:
                    print("timeout")

        # Asyncio's own debug mode tells of a machine that is slow.
        asyncio.run(main(), debug=False)
        """,
        env={"PYTHONDEVMODE": "1"},
    )
    assert process.finish() == 0, process.stderr
    assert (process.stdout, process.stderr) == ("timeout\n", "")
