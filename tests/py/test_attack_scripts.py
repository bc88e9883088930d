"""Scripts that fork, start programs and use threads as they should not, while
frames flow: each gets a clear error, and no frame of anybody is lost."""

from __future__ import annotations

import pytest
from attack import target  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

PROGRAMS = """
    import asyncio, awaitd, json, os, subprocess, sys
    from awaitd.devices import bus
    queue = bus.queue(name="own")
    print("ready", flush=True)
    found = {"taken": 0, "wrong": 0}

    async def take():
        async for frame in queue:
            found["taken"] += 1

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(take())
            while not found["taken"]:
                await asyncio.sleep(0.001)
            for number in range(40):
                # Blocks this loop until the program has ended.
                done = subprocess.run(
                    ["sh", "-c", "ls /proc/self/fd; exit 7"],
                    capture_output=True, text=True, close_fds=False)
                # 0, 1, 2 and the listing's own: awaitd's all close by themselves.
                fds = done.stdout.split()
                found["wrong"] += done.returncode != 7 or len(fds) > 4
                process = await asyncio.create_subprocess_exec(
                    "sh", "-c", "exit 5")
                found["wrong"] += await process.wait() != 5
            print("programs: 40", flush=True)
    try:
        await main()
    finally:
        print(json.dumps(found), flush=True)
"""


def test_subprocesses_under_flood_end_right_and_lose_nothing(target):
    target.start(scripts={"runner": PROGRAMS})
    target.process.line("runner: programs: 40")
    target.go_on()
    devices = target.stop()
    found = target.printed("runner")
    assert found["wrong"] == 0
    (own,) = [q for q in devices["bus"]["queues"] if q["name"] == "own"]
    assert own["delivered"] == found["taken"] > 0
    assert own["received"] == devices["bus"]["send"]["sent"]


FORKS = """
    import asyncio, awaitd, json, os, warnings
    from awaitd.devices import bus
    warnings.simplefilter("ignore", DeprecationWarning)
    queue = bus.queue(name="own")
    print("ready", flush=True)
    found = {"taken": 0, "refused": 0}

    def child():
        refused = 0
        for touch in (queue.get_nowait, queue.recv, queue.clear, queue.stats,
                      bus.queue, lambda: queue.get().send(None)):
            try:
                touch()
            except awaitd.Error as error:
                refused += "os.fork()" in str(error)
            except BaseException:
                pass
        os._exit(refused)

    async def take():
        async for frame in queue:
            found["taken"] += 1

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(take())
            while not found["taken"]:
                await asyncio.sleep(0.001)
            for number in range(40):
                pid = os.fork()
                if pid == 0:
                    child()
                _, status = os.waitpid(pid, 0)
                found["refused"] += os.waitstatus_to_exitcode(status)
                await asyncio.sleep(0)
            print("forks: 40", flush=True)
    try:
        await main()
    finally:
        print(json.dumps(found), flush=True)
"""


def test_forks_under_flood_touch_no_ring(target):
    target.start(scripts={"forker": FORKS})
    target.process.line("forker: forks: 40")
    target.go_on()
    devices = target.stop()
    found = target.printed("forker")
    assert found["refused"] == 40 * 6
    (own,) = [q for q in devices["bus"]["queues"] if q["name"] == "own"]
    assert own["delivered"] == found["taken"] > 0
    assert own["dropped"]["cleared"] == 0
    assert own["received"] == devices["bus"]["send"]["sent"]


# 50 threads at the queue of another loop: half by get() on loops of their own,
# half by recv(), which may take what is there. These are also at a queue that
# nobody awaits. And all are at one that a recv() has for itself, and at one that
# the loop has, where nothing comes.
THREADS = """
    import asyncio, awaitd, json, threading
    from awaitd.devices import bus
    queue = bus.queue(name="own")
    shared = bus.queue(name="shared")
    nothing = [{"can_id": 1, "can_mask": 0x7FF}]
    held = bus.queue(name="held", filters=nothing)
    awaited = bus.queue(name="awaited", filters=nothing)
    print("ready", flush=True)
    found = {"taken": 0, "received": 0, "refused": 0, "nothing": 0,
             "shared": 0, "shared refused": 0, "held": 0, "awaited": 0,
             "other": []}
    lock = threading.Lock()
    begun = threading.Event()

    def count(name, number=1):
        with lock:
            found[name] += number

    def in_recv(error, name):
        return f"queue {name} of device bus: a recv() in thread" in str(error)

    def is_awaited(error, name):
        return f"queue {name} of device bus is being awaited" in str(error)

    def has_loop(error, name):
        return (f"queue {name} of device bus belongs" in str(error)
                and str(error).count("EventLoop") == 2)

    async def attempt_one(taking, name, is_right):
        try:
            async with asyncio.timeout(5):
                await taking.get()
        except RuntimeError as error:
            count(name, is_right(error, name))

    async def attempt():
        # What is there it may take; to wait is for the one loop alone.
        for _ in range(20):
            try:
                async with asyncio.timeout(5):
                    await queue.get()
                count("received")
            except RuntimeError as error:
                count("refused", in_recv(error, "own") or has_loop(error, "own"))
            await attempt_one(held, "held", in_recv)
            await attempt_one(awaited, "awaited", has_loop)

    def wrong_loop():
        begun.wait()
        asyncio.run(attempt())

    def receive_own():
        try:
            frame = queue.recv(timeout=0.01)
            count("received" if frame else "nothing")
        except RuntimeError as error:
            count("refused", in_recv(error, "own") or is_awaited(error, "own"))

    def receive_shared():
        try:
            count("shared", shared.recv(timeout=0.01) is not None)
        except RuntimeError as error:
            count("shared refused", in_recv(error, "shared"))

    def receive_none(taking, name, is_right):
        try:
            taking.recv(timeout=0.01)
        except RuntimeError as error:
            count(name, is_right(error, name))

    def receiver():
        begun.wait()
        for _ in range(20):
            receive_own()
            receive_shared()
            receive_none(held, "held", in_recv)
            receive_none(awaited, "awaited", is_awaited)

    def hold():
        while True:
            try:
                held.recv()
            except RuntimeError:
                pass  # the one that looks for this one came before it
            except awaitd.QueueClosed:
                return

    def guarded(work):
        try:
            work()
        except BaseException as error:
            with lock:
                found["other"].append(repr(error))

    async def take():
        while True:
            try:
                await queue.get()
            except RuntimeError as error:
                # Where it had not waited yet, a recv() came before it.
                assert in_recv(error, "own"), error
                await asyncio.sleep(0)
            else:
                found["taken"] += 1

    async def let_hold():
        # Until another recv() finds it there.
        while not found["held"]:
            await asyncio.to_thread(receive_none, held, "held", in_recv)
        found["held"] = 0
        begun.set()

    async def wait_in_vain():
        try:
            await awaited.get()
        except awaitd.QueueClosed:
            pass

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(take())
            group.create_task(wait_in_vain())
            await asyncio.sleep(0)
            works = [hold, *(wrong_loop, receiver) * 25]
            threads = [
                threading.Thread(target=guarded, args=(work,))
                for work in works]
            for thread in threads:
                thread.start()
            await let_hold()
            while any(thread.is_alive() for thread in threads[1:]):
                await asyncio.sleep(0.005)
            for queue_of_threads in (held, shared, awaited):
                queue_of_threads.close()
            while threads[0].is_alive():
                await asyncio.sleep(0.005)
            print("threads: 50", flush=True)
    try:
        await main()
    finally:
        print(json.dumps(found), flush=True)
"""


def test_50_threads_at_a_queue_of_another_are_refused_clearly(target):
    target.start(scripts={"threads": THREADS})
    target.process.line("threads: threads: 50")
    target.go_on()
    devices = target.stop()
    found = target.printed("threads")
    assert found["other"] == []
    asked = found["refused"] + found["received"] + found["nothing"]
    assert asked == 50 * 20
    assert found["refused"] > 0
    assert found["held"] == found["awaited"] == 50 * 20
    assert found["shared"] > 0
    queues = {queue["name"]: queue for queue in devices["bus"]["queues"]}
    own = queues["own"]
    assert own["delivered"] == found["taken"] + found["received"]
    assert own["received"] == devices["bus"]["send"]["sent"]
    assert queues["shared"]["delivered"] == found["shared"]
