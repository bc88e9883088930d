"""os.fork(): the child gets errors, ends cleanly, and harms nothing."""

from __future__ import annotations

import textwrap

import pytest

pytestmark = pytest.mark.extension

# The child runs between fork and exit; what it prints the test looks at. It
# must end by itself: a child that hung would keep the parent's waitpid.
PROGRAM = """
    import asyncio, awaitd, gc, os, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)

    bus = awaitd.open("bus=virtual:can")
    queue = bus.queue(name="q")
    witness = bus.queue(name="witness")

    async def send(count):
        for number in range(count):
            await bus.send(awaitd.CanFrame(number))

    def settled(count):
        while queue.stats().received < count:
            pass

    asyncio.run(send(3))
    settled(3)

    def attempt(what):
        try:
            what()
        except awaitd.Error as error:
            assert "os.fork()" in str(error), error
            return True
        return False

    pid = os.fork()
    if pid == 0:
{child}
    _, status = os.waitpid(pid, 0)
    print("child", os.waitstatus_to_exitcode(status))
    # The parent has lost nothing by it.
    asyncio.run(send(2))
    settled(5)
    stats = queue.stats()
    print("pending", stats.pending, "delivered", stats.delivered)
    print([queue.get_nowait().arbitration_id for _ in range(5)])
"""


def fork(python, child: str) -> list[str]:
    """What the child prints, and its exit status."""
    body = textwrap.indent(textwrap.dedent(child).strip(), " " * 8)
    process = python(PROGRAM.format(child=body))
    assert process.finish() == 0, process.stderr
    assert process.stderr == ""
    lines = process.stdout.splitlines()
    assert lines[-2:] == ["pending 5 delivered 0", "[0, 1, 2, 0, 1]"]
    return lines[:-2]


# What a child may try, each an expression; it is to raise awaitd.Error.
ATTEMPTS = [
    "queue.get_nowait()",
    "queue.get().send(None)",
    "queue.get_many(2).send(None)",
    "queue.recv()",
    "queue.recv(timeout=0)",
    "queue.clear()",
    "queue.close()",
    "queue.stats()",
    "queue.set_filters(None)",
    "bus.queue()",
    "bus.stats()",
    "bus.close()",
    "bus.send(awaitd.CanFrame(1)).send(None)",
    "awaitd.open('virtual:can')",
    "asyncio.run(queue.get())",
    "asyncio.run(send(1))",
]


def test_child_that_touches_awaitd_gets_an_error(python):
    checks = [f"print(attempt(lambda: {what}))" for what in ATTEMPTS]
    lines = fork(python, "\n".join([*checks, "sys.exit(7)"]))
    assert lines == ["True"] * len(ATTEMPTS) + ["child 7"]


@pytest.mark.parametrize(
    "end",
    [
        "sys.exit(7)",
        "del queue, witness; gc.collect(); sys.exit(7)",
        "del queue, witness, bus; gc.collect(); sys.exit(7)",
        "os._exit(7)",
    ],
)
def test_child_that_touches_nothing_ends_cleanly(python, end):
    assert fork(python, end) == ["child 7"]


def test_child_may_look_on(python):
    """What changes nothing and asks nobody still works."""
    lines = fork(
        python,
        """
        print(queue.name, queue.depth, queue.qsize(), queue.closed, bus.name)
        print(repr(queue), repr(bus))
        sys.exit(0)
        """,
    )
    assert lines == [
        "q 16384 3 False bus",
        "<Queue q of bus, 3 of 16384 pending> <CanDevice bus (virtual)>",
        "child 0",
    ]


def test_child_that_leaves_a_with_block_closes_nothing(python):
    lines = fork(
        python,
        """
        with bus, queue:
            sys.exit(7)
        """,
    )
    assert lines == ["child 7"]


def test_child_made_in_a_coroutine_ends_cleanly(python):
    """With a waiter, a bridge, and a running loop of the parent's."""
    process = python(
        """
        import asyncio, awaitd, os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        bus = awaitd.open("bus=virtual:can")
        queue = bus.queue()

        async def main():
            task = asyncio.create_task(queue.get())
            await asyncio.sleep(0)
            pid = os.fork()
            if pid == 0:
                try:
                    queue.get().send(None)
                except awaitd.Error:
                    sys.stdout.flush()
                    os._exit(7)
                os._exit(1)
            _, status = os.waitpid(pid, 0)
            await bus.send(awaitd.CanFrame(5))
            print(os.waitstatus_to_exitcode(status), (await task))

        asyncio.run(main())
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "7 005#\n"


def test_child_of_multiprocessing_ends_cleanly(python):
    process = python(
        """
        import awaitd, multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        bus = awaitd.open("bus=virtual:can")
        queue = bus.queue()

        def work():
            try:
                queue.get_nowait()
            except awaitd.Error as error:
                print("spawn" in str(error), flush=True)

        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
        print(child.exitcode)
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "True\n0\n"


def test_children_of_subprocess_inherit_no_descriptor(python):
    process = python(
        """
        import asyncio, awaitd, os, subprocess, sys
        bus = awaitd.open("bus=virtual:can")
        queue = bus.queue()
        asyncio.run(bus.send(awaitd.CanFrame(1)))
        code = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"
        before = {0, 1, 2}
        out = subprocess.check_output([sys.executable, "-c", code],
                                      close_fds=False)
        # The listing itself needs one.
        print(len(set(eval(out)) - before))
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "1\n"
