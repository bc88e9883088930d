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
# half by recv(), which may take what is there.
THREADS = """
    import asyncio, awaitd, json, threading
    from awaitd.devices import bus
    queue = bus.queue(name="own")
    print("ready", flush=True)
    found = {"taken": 0, "received": 0, "refused": 0, "other": []}
    lock = threading.Lock()
    begun = threading.Event()

    def count(name, number=1):
        with lock:
            found[name] += number

    async def attempt():
        # What is there it may take; to wait is for the one loop alone.
        for _ in range(20):
            try:
                async with asyncio.timeout(5):
                    await queue.get()
                count("received")
            except RuntimeError as error:
                text = str(error)
                count("refused", "queue own of device bus" in text
                      and text.count("EventLoop") == 2)

    def wrong_loop():
        begun.wait()
        try:
            asyncio.run(attempt())
        except BaseException as error:
            with lock:
                found["other"].append(repr(error))

    def receiver():
        begun.wait()
        for _ in range(20):
            try:
                if queue.recv(timeout=0.01) is not None:
                    count("received")
            except RuntimeError as error:
                count("refused", "queue own of device bus" in str(error))
            except BaseException as error:
                with lock:
                    found["other"].append(repr(error))

    async def take():
        async for frame in queue:
            found["taken"] += 1
            begun.set()

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(take())
            threads = [
                threading.Thread(target=(wrong_loop, receiver)[n % 2])
                for n in range(50)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                await asyncio.sleep(0.005)
            print("threads: 50", flush=True)
    try:
        await main()
    finally:
        print(json.dumps(found), flush=True)
"""


def test_50_threads_at_a_queue_of_another_loop_are_refused_clearly(target):
    target.start(scripts={"threads": THREADS})
    target.process.line("threads: threads: 50")
    target.go_on()
    devices = target.stop()
    found = target.printed("threads")
    assert found["other"] == []
    assert found["refused"] + found["received"] == 50 * 20
    assert found["refused"] > 0
    (own,) = [q for q in devices["bus"]["queues"] if q["name"] == "own"]
    assert own["delivered"] == found["taken"] + found["received"]
    assert own["received"] == devices["bus"]["send"]["sent"]
