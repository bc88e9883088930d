"""SIGTERM and Ctrl-C: what a hosted script may still do, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import textwrap
import threading
import time
from types import SimpleNamespace

import pytest
from hosted import NO_STALLS, host  # noqa: F401

from awaitd._host import stop as stop_module
from awaitd._host.gate import Discarded, Gate

pytestmark = pytest.mark.daemon

DEADLINE_S = 20.0

BOTH = pytest.mark.parametrize(
    "number, status",
    [(signal.SIGTERM, 0), (signal.SIGINT, 130)],
    ids=["sigterm", "ctrl-c"],
)

ASYNCIO_RUN = """
    asyncio.run(main())
"""
TOP_LEVEL = """
    await main()
"""
UVLOOP_INSTALL = """
    import uvloop
    uvloop.install()
    asyncio.run(main())
"""
UVLOOP_FACTORY = """
    import uvloop
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
"""
BY_HAND = """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
"""
DEFAULT_LOOP = """
    asyncio.get_event_loop().run_until_complete(main())
"""
UVLOOP_BY_HAND = """
    import uvloop
    uvloop.new_event_loop().run_until_complete(main())
"""
RUN_FOREVER = """
    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        loop.close()
"""
WAYS = {
    "asyncio.run": ASYNCIO_RUN,
    "top-level": TOP_LEVEL,
    "uvloop.install": UVLOOP_INSTALL,
    "uvloop-factory": UVLOOP_FACTORY,
    "by-hand": BY_HAND,
    "get_event_loop": DEFAULT_LOOP,
    "uvloop-by-hand": UVLOOP_BY_HAND,
    "run_forever": RUN_FOREVER,
}


def stop(process, number=signal.SIGTERM, after="ready"):
    process.line(after)
    process.signal(number)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@BOTH
def test_finally_may_await_a_second_and_send(host, way, number, status):
    if "uvloop" in way:
        pytest.importorskip("uvloop")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(15)
        text = (
            """
    import asyncio
    import awaitd
    from awaitd.devices import net

    async def main():
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            to = ("127.0.0.1", PORT)
            await net.send(awaitd.Datagram(b"brakes on", address=to))
""".replace("PORT", str(receiver.getsockname()[1]))
            + way
        )
        process = host.start(text, devices=("net=udp:127.0.0.1:0",))
        stop(process, number)
        assert receiver.recv(100) == b"brakes on"
        assert process.finish() == status, process.stderr
    assert "Traceback" not in process.stderr


def test_last_frame_reaches_the_other_script(host):
    process = host.start(
        talker="""
        import asyncio
        import awaitd
        from awaitd.devices import bus
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            await bus.send(awaitd.CanFrame(arbitration_id=0x123))
        """,
        listener="""
        import asyncio
        from awaitd.devices import bus
        q = bus.queue()
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("got", await q.get(), flush=True)
            raise
        """,
    )
    process.line("ready")
    process.line("ready")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0, process.stderr
    assert "listener: got 123#" in process.stdout


def test_second_cancel_comes_at_the_grace_and_not_before(host):
    process = host.start(
        """
        import asyncio, time
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("first", flush=True)
            try:
                await asyncio.Event().wait()
            finally:
                print("second", time.monotonic(), flush=True)
        """,
        grace_s=2.0,
    )
    process.line("ready")
    # Not from the first cancel on, which may come late.
    before_s = time.monotonic()
    process.signal(signal.SIGTERM)
    # Without the second one it would be abandoned, with status 1.
    assert process.finish() == 0
    assert process.stdout.startswith("ready\nfirst\nsecond ")
    after_s = float(process.stdout.split()[-1]) - before_s
    assert 1.9 < after_s < 9


def test_h06_swallowed_cancel_is_repeated(host):
    process = host.start(
        """
        import asyncio
        async def main():
            print("ready", flush=True)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
            await asyncio.Event().wait()
        asyncio.run(main())
        """,
        grace_s=2.0,
    )
    stop(process)
    assert process.finish() == 0
    assert "cancelled again" in process.stderr


@pytest.mark.parametrize(
    "policy",
    ["asyncio.DefaultEventLoopPolicy", "uvloop.EventLoopPolicy"],
)
def test_swallowed_cancel_is_repeated_behind_an_interruption(host, policy):
    library = policy.split(".")[0]
    pytest.importorskip(library)
    process = host.start(
        f"""
        import asyncio, time, {library}
        asyncio.set_event_loop_policy({policy}())

        def compute():
            print("ready", flush=True)
            while True:
                time.sleep(0.01)

        async def main():
            asyncio.get_running_loop().call_soon(compute)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("first", flush=True)
            try:
                await asyncio.Event().wait()
            finally:
                print("second", flush=True)

        asyncio.run(main())
        """,
        grace_s=0.3,
    )
    stop(process)
    process.line("first")
    process.line("second")
    process.finish()
    assert "abandoned" not in process.stderr


def test_keyboard_interrupt_follows_asyncio_run(host):
    process = host.start(
        """
        import asyncio
        async def main():
            print("ready", flush=True)
            await asyncio.Event().wait()
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("bye")
        """
    )
    stop(process, signal.SIGINT)
    assert process.finish() == 130
    assert process.stdout.endswith("bye\n")


def test_second_asyncio_run_cleans_up_after_the_first(host):
    process = host.start(
        """
        import asyncio
        async def main():
            print("ready", flush=True)
            await asyncio.Event().wait()
        async def clean_up():
            await asyncio.sleep(0.2)
            print("cleaned up")
        try:
            asyncio.run(main())
        finally:
            asyncio.run(clean_up())
        """
    )
    stop(process)
    assert process.finish() == 0
    assert process.stdout.endswith("cleaned up\n")


def test_two_asyncio_runs_one_after_the_other(host):
    process = host.run(
        """
        import asyncio
        from awaitd.devices import bus
        q = bus.queue()
        async def main():
            try:
                await q.get(timeout=0.01)
            except TimeoutError:
                print("timeout")
        asyncio.run(main())
        asyncio.run(main())
        """
    )
    assert process.stdout == "timeout\n" * 2


def test_h26_nested_run_is_refused_as_in_python3(host):
    process = host.run(
        """
        import asyncio
        async def main():
            asyncio.run(asyncio.sleep(0))
        asyncio.run(main())
        """,
        status=1,
    )
    assert "asyncio.run() cannot be called from a running" in process.stderr


def test_stop_while_a_runner_closes_comes_after_it(host):
    process = host.start(
        """
        import asyncio
        async def helper():
            try:
                await asyncio.Event().wait()
            finally:
                print("ready", flush=True)
                await asyncio.sleep(0.3)
                print("helper is done", flush=True)
        async def main():
            asyncio.get_running_loop().kept = asyncio.create_task(helper())
            await asyncio.sleep(0)
        asyncio.run(main())
        print("never")
        """
    )
    stop(process)
    assert process.finish() == 0
    assert process.stdout == "ready\nhelper is done\n"


def test_stop_between_two_runs_is_not_lost(host):
    process = host.start(
        """
        import asyncio
        try:
            print("ready", flush=True)
            while True:
                asyncio.run(asyncio.sleep(0))
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    stop(process)
    assert process.finish() == 0
    assert process.stdout == "ready\ninterrupted\n"
    assert "cancelled again" not in process.stderr


# ---- stop callbacks ----


@BOTH
def test_signal_handler_is_called_in_place_of_the_cancel(host, number, status):
    process = host.start(
        """
        import asyncio, signal
        async def main():
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            print("ready", flush=True)
            await stop.wait()
            await asyncio.sleep(0.2)
            print("in order")
        asyncio.run(main())
        """
    )
    stop(process, number)
    assert process.finish() == status
    assert process.stdout == "ready\nin order\n"


def test_handler_of_the_other_signal_is_not_called(host):
    process = host.start(
        """
        import asyncio, signal
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, print, "wrong")
        print("ready", flush=True)
        await asyncio.Event().wait()
        """
    )
    stop(process, signal.SIGTERM)
    assert process.finish() == 0
    assert "wrong" not in process.stdout


def test_removed_handler_is_not_called(host):
    process = host.start(
        """
        import asyncio, signal
        loop = asyncio.get_running_loop()
        assert loop.remove_signal_handler(signal.SIGTERM) is False
        loop.add_signal_handler(signal.SIGTERM, print, "wrong")
        assert loop.remove_signal_handler(signal.SIGTERM) is True
        print("ready", flush=True)
        await asyncio.Event().wait()
        """
    )
    stop(process)
    assert process.finish() == 0
    assert "wrong" not in process.stdout


def test_handler_that_does_nothing_is_followed_by_a_cancel(host):
    process = host.start(
        """
        import asyncio, signal
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, print, "called")
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("cancelled")
        """,
        grace_s=2.0,
    )
    stop(process)
    assert process.finish() == 0
    assert process.stdout == "ready\ncalled\ncancelled\n"


def test_h21_other_signals_are_the_daemons(host):
    process = host.run(
        """
        import asyncio, signal
        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print)
        except RuntimeError as error:
            print(error)
        try:
            signal.signal(signal.SIGTERM, print)
        except ValueError as error:
            print(error)
        await asyncio.sleep(0)
        """
    )
    first, second = process.stdout.splitlines()
    assert first.startswith("SIGUSR1 is the daemon's: ")
    assert second.startswith("signal only works in main thread")


# ---- without a loop ----


@BOTH
def test_blocking_recv_ends_by_keyboard_interrupt(host, number, status):
    process = host.start(
        """
        from awaitd.devices import bus
        q = bus.queue()
        try:
            print("ready", flush=True)
            q.recv()
        except KeyboardInterrupt:
            print("interrupted")
            raise
        """
    )
    stop(process, number)
    assert process.finish() == status
    assert process.stdout.endswith("interrupted\n")
    assert "Traceback" not in process.stderr


def test_sleeping_loop_ends_by_keyboard_interrupt(host):
    process = host.start(
        """
        import time
        try:
            print("ready", flush=True)
            while True:
                time.sleep(0.05)
        finally:
            print("finally")
        """
    )
    stop(process)
    assert process.finish() == 0
    assert process.stdout.endswith("finally\n")


# ---- scripts that do not stop ----


def test_h11_busy_coroutine_is_interrupted_at_the_grace(host):
    process = host.start(
        """
        import asyncio
        async def spin_here():
            print("ready", flush=True)
            try:
                while True:
                    pass
            finally:
                print("finally")
        asyncio.run(spin_here())
        """,
        grace_s=0.3,
    )
    stop(process)
    assert process.finish() == 0
    assert process.stdout.endswith("finally\n")
    assert "in spin_here" in process.stderr


# The first KeyboardInterrupt may come between "ready" and what gets stuck.
UNTIL_STUCK = """
        said = False
        while True:
            try:
                if not said:
                    said = True
                    print("ready", flush=True)
                stuck_here()
            except KeyboardInterrupt:
                pass
        """
STUCK = {
    "h10-deaf": """
        async def stuck_here():
            print("ready", flush=True)
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
        asyncio.run(stuck_here())
        """,
    "h12-busy": """
        def stuck_here():
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
        """
    + UNTIL_STUCK,
    "h13-sleep": """
        def stuck_here():
            time.sleep(3600)
        async def main():
        """
    + textwrap.indent(UNTIL_STUCK, "    ")
    + "asyncio.run(main())\n",
    "h13-lock": """
        lock = threading.Lock()
        lock.acquire()
        def stuck_here():
            lock.acquire()
        """
    + UNTIL_STUCK,
    "h14-gil": """
        def stuck_here():
            sum(range(10**12))
        """
    + UNTIL_STUCK,
}


@pytest.mark.parametrize("text", STUCK.values(), ids=STUCK)
def test_h15_script_that_ignores_all_ends_with_its_stack(host, text):
    # Where a loop is to hear of the first request before the second one comes.
    grace_s = 2.0 if "asyncio.Event" in text else 0.2
    process = host.start(
        "        import asyncio, threading, time\n" + text,
        grace_s=grace_s,
        timeout_s=grace_s + 0.6,
    )
    stop(process)
    began = time.monotonic()
    assert process.finish() == 1
    assert time.monotonic() - began < 8
    if "asyncio.Event" not in text:
        # A deaf coroutine is suspended: its loop's stack is what there is.
        assert "in stuck_here" in process.stderr
    assert "script.py" in process.stderr


def test_h29_stuck_executor_does_not_hold_the_end(host):
    process = host.start(
        """
        import asyncio, time
        async def main():
            job = asyncio.to_thread(time.sleep, 3600)
            task = asyncio.create_task(job)
            await asyncio.sleep(0.05)
            print("ready", flush=True)
            await task
        asyncio.run(main())
        """,
        grace_s=0.5,
        timeout_s=5.0,
    )
    stop(process)
    began = time.monotonic()
    assert process.finish() == 0
    assert time.monotonic() - began < 15
    assert "the default executor is still busy" in process.stderr


def test_thread_that_closes_the_executor_is_waited_for(host):
    """Failed before it was: one that ends as Python does keeps its loop."""
    result = host.run(
        """
        import asyncio, sys, threading
        main = threading.get_ident()
        over = threading.Event()
        waited_for = []
        def is_waited_for():
            frame = sys._current_frames()[main]
            while frame and frame.f_code.co_name != "join":
                frame = frame.f_back
            return frame is not None
        def hold(frame, event, argument):
            if event == "return" and frame.f_code.co_name == "close":
                while not over.wait(0.001) and not is_waited_for():
                    pass
                waited_for.append(not over.is_set())
        threading.setprofile(hold)
        async def use():
            await asyncio.to_thread(int)
        asyncio.run(use())
        over.set()
        for thread in threading.enumerate():
            if thread.daemon:
                thread.join()
        print(waited_for)
        """
    )
    assert result.stdout == "[True]\n"


def test_h03_executor_that_was_not_used_takes_no_thread_to_close(host):
    process = host.run(
        """
        import asyncio, threading
        began, start = [], threading.Thread.start
        def noted(thread):
            began.append(thread.name)
            start(thread)
        threading.Thread.start = noted
        asyncio.run(asyncio.sleep(0))
        print(began)
        """
    )
    assert process.stdout == "[]\n"


def test_default_executor_is_waited_for_without_a_stop(host):
    process = host.run(
        """
        import asyncio, time
        def job():
            time.sleep(1.5)
            print("done")
        async def main():
            asyncio.get_running_loop().run_in_executor(None, job)
        asyncio.run(main())
        """,
        grace_s=0.5,
        timeout_s=0.5,
    )
    assert process.stdout == "done\n"


@pytest.mark.parametrize("daemon", [False, True])
def test_h28_thread_left_behind_does_not_hold_the_stop(host, daemon):
    process = host.start(
        f"""
        import asyncio, threading
        threading.Thread(
            target=threading.Event().wait, daemon={daemon}
        ).start()
        print("ready", flush=True)
        await asyncio.Event().wait()
        """
    )
    stop(process)
    began = time.monotonic()
    assert process.finish() == 0
    assert time.monotonic() - began < 8


def test_stop_while_waiting_for_a_thread(host):
    process = host.start(
        """
        import threading
        print("ready", flush=True)
        threading.Thread(target=threading.Event().wait).start()
        """
    )
    stop(process, signal.SIGINT)
    assert process.finish() == 130, process.stderr
    assert "Traceback" not in process.stderr


def test_failure_is_the_status_though_a_thread_was_waited_for(host):
    process = host.start(
        """
        import threading
        threading.Thread(target=threading.Event().wait).start()
        raise RuntimeError("brakes")
        """
    )
    process.line("RuntimeError", stream="stderr")
    process.signal(signal.SIGTERM)
    assert process.finish() == 1


def test_fast_stop_of_two_scripts_reaches_both(host):
    text = """
        import asyncio
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("over", flush=True)
        """
    process = host.start(one=text, two=text)
    process.line("ready")
    process.line("ready")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    ends = sorted(process.stdout.splitlines()[2:])
    assert ends == ["one: over", "two: over"]


def test_h32_pending_tasks_at_the_stop_are_cancelled_in_order(host):
    process = host.start(
        """
        import asyncio
        async def helper():
            try:
                await asyncio.Event().wait()
            finally:
                print("helper")
        async def agen():
            try:
                yield 1
            finally:
                print("generator")
        async def main():
            task = asyncio.create_task(helper())
            async for _ in agen():
                print("ready", flush=True)
                try:
                    await asyncio.Event().wait()
                finally:
                    print("main")
        asyncio.run(main())
        """,
        settings=NO_STALLS,
    )
    stop(process)
    assert process.finish() == 0
    # The generator is closed by a task of its own, as in python3.
    ended = process.stdout.split()
    assert ended[:2] == ["ready", "main"]
    assert sorted(ended[2:]) == ["generator", "helper"]
    assert process.stderr == ""


def test_stop_at_once_is_not_lost(host):
    # The signal comes at any moment between the start and the script's wait.
    for delay_s in (0.02, 0.05, 0.08, 0.12):
        process = host.start("import asyncio\nawait asyncio.Event().wait()\n")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(delay_s)
        process.signal(signal.SIGTERM)
        assert process.finish() in (0, -signal.SIGTERM), process.stderr
        assert "has not stopped" not in process.stderr
        assert "Traceback" not in process.stderr


def test_stopping_tells_the_script(host):
    process = host.start(
        """
        import asyncio, awaitd
        print("ready", awaitd.script.stopping, flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print(awaitd.script.stopping)
        """
    )
    stop(process)
    assert process.finish() == 0
    assert process.stdout == "ready None\nstop\n"


# ---- a loop that has not answered yet ----


@pytest.fixture
def asked_twice(monkeypatch):
    """asked_twice(seconds): who is interrupted, and whether the loop counts as
    stuck, when two requests come that far apart and the loop does not turn."""

    def ask(apart_s: float) -> tuple[list[int], bool]:
        now_s = 100.0
        interrupted: list[int] = []
        monkeypatch.setattr(stop_module.time, "monotonic", lambda: now_s)
        monkeypatch.setattr(
            stop_module._awaitd, "_interrupt", interrupted.append
        )
        asked = stop_module.Stop()
        asked.thread = 7
        loop = asyncio.new_event_loop()
        try:
            assert asked.loop_starts(loop) is True
            asked.ask(signal.SIGINT, False)
            now_s += apart_s
            asked.ask(signal.SIGINT, True)
        finally:
            loop.close()
        return interrupted, asked.stuck

    return ask


def test_loop_that_had_no_time_to_answer_is_not_stuck(asked_twice):
    assert asked_twice(0.05) == ([], False)


def test_loop_that_does_not_answer_is_stuck(asked_twice):
    assert asked_twice(0.2) == ([7], True)


# ---- a loop that is about to stop ----


STOPS = """
    import asyncio, os, signal, sys
    from awaitd._host import current
    {prepare}
    stop = current.current().stop
    def ask(_):
        # Behind the task's end, so in the last turn: the loop hears no more.
        os.kill(os.getpid(), signal.SIGTERM)
        while not stop._asked:
            os.sched_yield()
    async def main():
        asyncio.current_task().add_done_callback(ask)
    hooks = sys.get_asyncgen_hooks()
    loop = {loop}
    {run}
    print("went on", flush=True)
    while True:
        pass
"""
UNTIL_COMPLETE = """try:
        loop.run_until_complete(main())
    except KeyboardInterrupt:
        print("interrupted", sys.get_asyncgen_hooks() == hooks, flush=True)
        sys.exit()"""
FOREVER = """try:
        task = loop.create_task(main())
        task.add_done_callback(lambda task: loop.stop())
        loop.run_forever()
    except KeyboardInterrupt:
        print("interrupted", sys.get_asyncgen_hooks() == hooks, flush=True)
        sys.exit()"""


@pytest.mark.parametrize("run", [UNTIL_COMPLETE, FOREVER],
                         ids=["until_complete", "forever"])
@pytest.mark.parametrize(
    "prepare, loop",
    [
        ("", "asyncio.new_event_loop()"),
        ("", "asyncio.SelectorEventLoop()"),
        ("import uvloop", "uvloop.new_event_loop()"),
    ],
    ids=["new", "class", "uvloop"],
)
def test_stop_in_the_last_turn_of_a_loop_run_by_hand_interrupts(
    host, prepare, loop, run
):
    process = host.start(STOPS.format(prepare=prepare, loop=loop, run=run))
    assert process.finish() == 0
    assert process.stdout == "interrupted True\n"
    assert "cancelled again" not in process.stderr


def test_stop_in_the_last_turn_does_not_cancel_what_the_loop_runs_next(host):
    process = host.start(
        STOPS.format(
            prepare="",
            loop="asyncio.new_event_loop()",
            run='''try:
        loop.run_until_complete(main())
    finally:
        loop.run_until_complete(asyncio.sleep(0.01))
        print("cleaned up", flush=True)''',
        )
    )
    assert process.finish() == 0
    assert process.stdout == "cleaned up\n"


def test_request_between_the_look_and_the_loops_end_interrupts(monkeypatch):
    """The script's thread goes on at each call that asking makes."""
    asked = stop_module.Stop()
    asked.thread = 7
    interrupted: list[int] = []
    monkeypatch.setattr(stop_module._awaitd, "_interrupt", interrupted.append)
    loop = asyncio.new_event_loop()

    def ends() -> float:
        asked.loop_stops()
        return 100.0

    try:
        assert asked.loop_starts(loop) is True
        monkeypatch.setattr(stop_module.time, "monotonic", ends)
        assert asked.ask(signal.SIGTERM, False) is False
        assert interrupted == [7]
    finally:
        loop.close()


def test_request_while_a_runner_is_closed_comes_behind_it(monkeypatch):
    """Between two of the loop's runs, as it does that."""
    asked = stop_module.Stop()
    asked.thread = 7
    interrupted: list[int] = []
    monkeypatch.setattr(stop_module._awaitd, "_interrupt", interrupted.append)
    with pytest.raises(KeyboardInterrupt), asked.closing():
        assert asked.ask(signal.SIGTERM, False) is False
        assert interrupted == []
        asked.ask(signal.SIGTERM, True)  # it does not get on
        assert interrupted == [7]
        asked.give_up()


def test_request_while_a_runner_fails_to_close_is_not_lost(monkeypatch):
    asked = stop_module.Stop()
    asked.thread = 7
    monkeypatch.setattr(stop_module._awaitd, "_interrupt", lambda thread: None)
    with pytest.raises(KeyboardInterrupt), asked.closing():
        asked.ask(signal.SIGTERM, False)
        raise RuntimeError


def test_version_given_up_as_it_starts_a_thread_is_interrupted_behind_that():
    asked = stop_module.Stop()
    asked.thread = threading.get_ident()
    loop = asyncio.new_event_loop()
    try:
        assert asked.loop_starts(loop) is True
        started = False
        with pytest.raises(KeyboardInterrupt), asked.held():
            asked.give_up()
            started = True
        assert started
    finally:
        loop.close()


# The script at its gate, on its own thread.
ITSELF = SimpleNamespace(
    stop=SimpleNamespace(is_here=lambda: True), asleep=lambda: False
)


def test_who_comes_to_a_gate_that_is_just_refused_is_told_once():
    """By the interruption, behind which it comes to the gate."""
    gate = Gate(lambda: None)
    told: list[str] = []
    began = threading.Event()

    def come() -> None:
        began.set()
        try:
            gate.wait(ITSELF)
        except Discarded:
            told.append("discarded")

    def interrupt() -> None:
        thread.start()
        assert began.wait(DEADLINE_S)
        thread.join(0.5)
        told.append("interrupted")

    thread = threading.Thread(target=come)
    gate.refuse(interrupt)
    thread.join(DEADLINE_S)
    assert told == ["interrupted", "discarded"]


def test_who_waits_at_a_gate_that_is_refused_is_not_interrupted():
    come = threading.Event()
    gate = Gate(come.set)
    told: list[BaseException] = []

    def wait() -> None:
        try:
            gate.wait(ITSELF)
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert come.wait(DEADLINE_S)
    gate.refuse(lambda: told.append(KeyboardInterrupt()))
    thread.join(DEADLINE_S)
    assert [type(error) for error in told] == [Discarded]


def test_request_as_a_loop_stops_leaves_it_fit_to_clean_up():
    """As when the daemon is stopped while an old version ends for a reload."""
    asked = stop_module.Stop()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            # Answered in the turn behind the task's last.
            asked.ask(signal.SIGTERM, False)

    try:
        task = loop.create_task(main())
        loop.call_soon(asked.ask, signal.SIGTERM, False)
        with pytest.raises((asyncio.CancelledError, KeyboardInterrupt)):
            with asked.running(loop, task):
                loop.run_until_complete(task)
        with pytest.raises(KeyboardInterrupt), asked.closing():  # not lost
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
