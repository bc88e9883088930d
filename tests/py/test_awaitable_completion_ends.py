"""Completions that outlive what awaits them: the interpreter, a fork, the
daemon."""

from __future__ import annotations

import textwrap

import pytest
from hosted import host  # noqa: F401

extension = pytest.mark.extension
daemon = pytest.mark.daemon

# Left behind at the end of Python: not awaited, awaited by a task of a loop
# that still stands, dropped, cancelled.
LEFT = {
    "unawaited": """
        awaitable, handle = waits.completion()
        """,
    "waiting": """
        loop = asyncio.new_event_loop()
        awaitable, handle = waits.completion()

        async def wait():
            return await awaitable

        task = loop.create_task(wait())
        loop.run_until_complete(asyncio.sleep(0))
        task._log_destroy_pending = False
        """,
    "dropped": """
        awaitable, handle = waits.completion()
        waits.cancel(awaitable)
        del awaitable
        """,
    "cancelled": """
        async def main():
            awaitable, handle = waits.completion()
            task = asyncio.ensure_future(awaitable)
            await asyncio.sleep(0)
            return handle  # the runner cancels the task

        handle = asyncio.run(main())
        """,
}

PROGRAM = """
import asyncio, warnings
import awaitable_waits as waits

warnings.simplefilter("ignore")
{left}
waits.complete_at_exit(handle, 7)
"""


def program(left: str) -> str:
    return PROGRAM.format(left=textwrap.dedent(left))


@extension
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_completed_after_python_has_gone(python, left):
    process = python(program(left))
    assert process.finish() == 0, process.stderr
    assert process.stdout == "after Python: python 0, made 1, freed 1\n"
    assert process.stderr == ""


@extension
def test_completed_while_a_daemon_thread_waits_at_the_end(python):
    """Its loop is never closed and its task never ends."""
    process = python(
        """
        import asyncio, threading
        import awaitable_waits as waits

        awaitable, handle = waits.completion()
        waiting = threading.Event()

        async def main():
            asyncio.get_running_loop().call_soon(waiting.set)
            await awaitable

        threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
        waiting.wait()
        waits.complete_at_exit(handle, 7)
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout.startswith("after Python: python 0, made 1")
    assert process.stderr == ""


@extension
def test_child_made_by_fork_is_refused_and_harms_nothing(python):
    process = python(
        """
        import asyncio, os, warnings
        import awaitable_waits as waits
        import awaitd

        warnings.simplefilter("ignore")

        async def main():
            awaitable, handle = waits.completion()
            ready, ready_handle = waits.completion()
            waits.complete(ready_handle, 5)

            async def wait():
                return await awaitable

            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    waits.completion()[0].send(None)
                except awaitd.Error as error:
                    status = 7 if "os.fork()" in str(error) else 2
                try:
                    ready.send(None)
                except StopIteration as stop:
                    status += stop.value == 5
                # Copies of its own: the parent's are as they were.
                waits.complete(handle, 9)
                del awaitable, ready
                os._exit(status)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            waits.complete_apart(handle, 6)
            print(await task, await ready)

        asyncio.run(main())
        print(waits.counts())
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "8\n6 5\n(2, 2, 2)\n"


# ---- hosted ----

HOSTED = """
    import asyncio, sys
    import awaitable_waits as waits

    async def wait(awaitable):
        return await awaitable

    awaitable, handle = waits.completion()
    task = asyncio.create_task(wait(awaitable))
    await asyncio.sleep(0)
    waits.complete_holding(handle, 7)
    print(await task, waits.counts(), flush=True)
    """


@daemon
def test_hosted_completion_comes_by_the_daemons_bridge(host):
    process = host.run(HOSTED)
    assert process.stdout == "7 (1, 1, 1)\n"


# A hosted script runs on a loop already, which cancels what is left.
LEFT_HOSTED = {
    "unawaited": LEFT["unawaited"],
    "dropped": LEFT["dropped"],
    "waiting": """
        awaitable, handle = waits.completion()
        task = asyncio.ensure_future(awaitable)
        await asyncio.sleep(0)
        """,
}


@daemon
@pytest.mark.parametrize("left", LEFT_HOSTED.values(), ids=LEFT_HOSTED)
def test_hosted_completed_after_python_has_gone(host, left):
    process = host.run(program(left))
    assert process.stdout == "after Python: python 0, made 1, freed 1\n"
    assert process.stderr == ""


@daemon
def test_hosted_storm(host):
    """Threads complete while two scripts await on loops of their own."""
    script = """
        import asyncio
        import awaitable_waits as waits

        async def wait(awaitable):
            return await awaitable

        total = 0
        for number in range(200):
            awaitable, handle = waits.completion()
            task = asyncio.create_task(wait(awaitable))
            await asyncio.sleep(0)
            waits.complete_apart(handle, number)
            total += await task
        print(total, flush=True)
        """
    process = host.start(one=script, two=script)
    assert process.finish() == 0, process.stderr
    numbers = [line.split()[-1] for line in process.stdout.splitlines()]
    assert numbers == ["19900", "19900"]
