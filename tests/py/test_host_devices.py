"""Devices and queues as hosted scripts have them."""

from __future__ import annotations

import json
import signal

import pytest
from hosted import NO_STALLS, host  # noqa: F401

pytestmark = pytest.mark.daemon

COUNT = """
    from awaitd.devices import CANbus
    count = 0
    async for frame in CANbus.queue():
        count += 1
    print(count)
"""


def replay(host, **options) -> str:
    """A held replay of five frames, as a device."""
    lines = (f"({number}.000000) can0 123#{number:02X}\n" for number in range(5))
    host.write("five.log", "".join(lines))
    more = "".join(f",{key}={value}" for key, value in options.items())
    return f"CANbus=replay:{host.folder}/five.log,speed=max,start=ready{more}"


SIBLINGS = {
    "attaches": COUNT,
    "ends": "pass\n",
    "fails": "raise SystemExit(0)\n",
    "waits": """
        import asyncio
        from awaitd.devices import bus
        await asyncio.sleep(0.1)
        """,
    "waits-by-hand": """
        import asyncio
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()
        """,
    "has-its-own": """
        import awaitd
        own = awaitd.open({"name": "CANbus", "driver": "virtual"})
        own.queue().recv(timeout=0.5)
        """,
    "blocks": """
        from awaitd.devices import bus
        bus.queue().recv(timeout=0.5)
        """,
}


@pytest.mark.parametrize("sibling", SIBLINGS.values(), ids=SIBLINGS)
def test_held_replay_starts_when_every_script_is_ready(host, sibling):
    process = host.run(
        one=COUNT,
        two=sibling,
        devices=(replay(host), "bus=virtual:can"),
    )
    assert "one: 5\n" in process.stdout


def test_held_replay_waits_for_a_script_that_is_not_ready(host):
    process = host.run(
        one="""
        import time
        from awaitd.devices import CANbus
        q = CANbus.queue()
        assert q.recv(timeout=0.3) is None
        open("go", "w").close()
        print(q.recv(timeout=10))
        """,
        two="""
        import os, time
        from awaitd.devices import CANbus
        deadline = time.monotonic() + 10
        while not os.path.exists("go") and time.monotonic() < deadline:
            time.sleep(0.01)
        print(CANbus.queue().recv(timeout=10))
        """,
        devices=(replay(host),),
        cwd=host.folder,
    )
    assert sorted(process.stdout.splitlines()) == [
        "one: 123#00",
        "two: 123#00",
    ]


def test_queue_ends_with_its_script_and_counts_what_is_left(host):
    stats = host.folder / "stats.json"
    script = host.write(
        "left.py",
        """
        from awaitd.devices import CANbus
        queue = CANbus.queue(name="mine")
        keep = [queue]
        keep.append(keep)
        await queue.get()
        while queue.qsize() < 4:
            import asyncio
            await asyncio.sleep(0.01)
        """,
    )
    process = host._run_daemon(
        "run", "-q", "--stats-json", stats, "-d", replay(host), script
    )
    assert process.finish() == 0, process.stderr
    (queue,) = json.loads(stats.read_text())["devices"][0]["queues"]
    assert (queue["name"], queue["script"], queue["open"]) == (
        *("mine", "left", False),
    )
    assert queue["received"] == 5
    assert queue["delivered"] == 1
    assert queue["dropped"]["closed"] == 4
    assert queue["exact"] is True


def test_queue_of_a_script_that_ended_is_closed(host):
    process = host.run(
        short="""
        from awaitd.devices import bus
        queue = bus.queue(name="mine")
        """,
        long="""
        import asyncio
        from awaitd.devices import bus
        async with asyncio.timeout(10):
            while not bus.stats()["queues"] or any(
                queue["open"] for queue in bus.stats()["queues"]
            ):
                await asyncio.sleep(0.01)
        print([(q["name"], q["script"]) for q in bus.stats()["queues"]])
        """,
    )
    assert process.stdout == "long: [('mine', 'short')]\n"


def test_queue_made_in_a_thread_is_its_scripts(host):
    process = host.run(
        """
        import asyncio
        from awaitd.devices import bus
        q = await asyncio.to_thread(bus.queue, name="threaded")
        print([(q["name"], q["script"]) for q in bus.stats()["queues"]])
        """
    )
    assert process.stdout == "[('threaded', 'script')]\n"


def test_thread_with_its_own_loop_ends_by_the_closed_queue(host):
    process = host.start(
        """
        import asyncio, threading
        import awaitd
        from awaitd.devices import bus

        async def follow():
            queue = bus.queue()
            print("ready", flush=True)
            try:
                await queue.get()
            except awaitd.QueueClosed as error:
                print("closed:", error.reason, flush=True)

        thread = threading.Thread(target=asyncio.run, args=(follow(),))
        thread.start()
        try:
            await asyncio.Event().wait()
        finally:
            print("main", flush=True)
        """,
        settings=NO_STALLS,
    )
    process.line("ready")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    assert process.stdout.splitlines()[1:] == ["main", "closed: closed"]
    assert process.stderr == ""


@pytest.mark.parametrize(
    "end", ["loop.close()", "pass"], ids=["closed", "left open"]
)
def test_h46_get_kept_after_its_loop_harms_nothing(host, end):
    process = host.run(
        f"""
        import asyncio
        import awaitd
        from awaitd.devices import bus
        q = bus.queue()
        loop = asyncio.new_event_loop()
        kept = q.get()
        async def step():
            task = asyncio.ensure_future(q.get())
            await asyncio.sleep(0)
            return task
        task = loop.run_until_complete(step())
        {end}
        async def send():
            for _ in range(3):
                await bus.send(awaitd.CanFrame(arbitration_id=1))
        asyncio.run(send())
        del kept, task
        print("ok")
        """
    )
    assert process.stdout == "ok\n"


def test_h01_frames_for_closed_loops_are_swallowed(host):
    process = host.run(
        """
        import asyncio
        import awaitd
        from awaitd.devices import bus
        q = bus.queue()
        async def one_turn():
            try:
                await q.get(timeout=0.001)
            except TimeoutError:
                pass
        async def flood():
            for number in range(200):
                await bus.send(awaitd.CanFrame(arbitration_id=number))
        import threading
        sender = threading.Thread(target=asyncio.run, args=(flood(),))
        sender.start()
        for _ in range(50):
            asyncio.run(one_turn())
        sender.join()
        print("ok")
        """,
        settings=NO_STALLS,
    )
    assert process.stdout == "ok\n"
    assert process.stderr == ""


def test_h02_readers_that_still_fill_do_not_hinder_the_end(host):
    process = host.start(
        """
        import asyncio
        import awaitd
        from awaitd.devices import bus
        async def flood():
            while True:
                await bus.send(awaitd.CanFrame(arbitration_id=1))
        async def follow():
            async for frame in bus.queue():
                pass
        tasks = [asyncio.create_task(t) for t in (flood(), follow(), follow())]
        await asyncio.sleep(0.1)
        print("ready", flush=True)
        await asyncio.gather(*tasks)
        """,
        settings=NO_STALLS,
    )
    process.line("ready")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    assert process.stderr == ""
