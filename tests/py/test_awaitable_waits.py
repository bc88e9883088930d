"""What C code can await beside coroutines: a queue, a time, an fd."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading

import awaitable_waits as waits
import pytest
import rig
from completions import end, start, turn

pytestmark = [pytest.mark.extension, rig.on_every_loop]


@pytest.fixture
def pair():
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


class Watch:
    """Sees what the running loop is asked to watch."""

    def __init__(self) -> None:
        self.fds: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        for kind in ("reader", "writer"):
            self._follow(loop, kind)

    def _follow(self, loop, kind: str) -> None:
        add, remove = (
            getattr(loop, f"{verb}_{kind}") for verb in ("add", "remove")
        )

        def follow_add(fd, *arguments):
            add(fd, *arguments)
            self.fds.append((kind, fd))

        def follow_remove(fd):
            remove(fd)
            self.fds.remove((kind, fd))

        setattr(loop, f"add_{kind}", follow_add)
        setattr(loop, f"remove_{kind}", follow_remove)


# ---- a queue ----


def test_queue_get_gives_a_frame_that_is_there(run, q, peer):
    peer.put(q, 7)
    assert run(waits.queue_get(q)).arbitration_id == 7


def test_queue_get_waits_for_a_frame(run, q, bus, peer):
    async def main():
        task = await start(waits.queue_get(q))
        peer.send(bus, rig.can(7))
        return (await task).arbitration_id

    assert run(main()) == 7


def test_queue_get_times_out(run, q):
    error = run(waits.queue_get(q, 0.001, catch=True))
    assert type(error) is TimeoutError
    assert "queue q of device bus" in str(error)


def test_queue_get_without_a_callback_for_errors_propagates(run, q):
    async def main():
        with pytest.raises(TimeoutError, match="no frame on queue q"):
            await waits.queue_get(q, 0)

    run(main())


def test_queue_get_cancelled_leaves_the_frame(run, q, bus, peer):
    async def main():
        task = await start(waits.queue_get(q))
        await end(task)
        peer.put(q, 7)
        return await waits.queue_get(q)

    assert run(main()).arbitration_id == 7


# ---- a time ----


def test_sleep_gives_none(run):
    assert run(waits.sleep(0.001)) is None


def test_sleep_counts_from_its_turn(run):
    """Of two in one awaitable the second begins when the first is over."""

    async def main():
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await waits.sleep(0.02, aw=waits.sleep(0.02))
        return loop.time() - begin

    # A loop may wake up to its clock's resolution early.
    assert run(main()) >= 0.038


def test_sleep_can_be_cancelled(run):
    async def main():
        await end(await start(waits.sleep(1000)))

    run(main())


# ---- a time at most ----


async def answer():
    await turn()
    return 42


def test_timeout_gives_the_result_in_time(run):
    assert run(waits.timeout(answer(), 1000)) == 42


def test_timeout_raises_timeout_error_when_it_is_over(run):
    async def main():
        return await waits.timeout(asyncio.sleep(1000), 0.001, catch=True)

    error = run(main())
    assert type(error) is TimeoutError
    assert isinstance(error.__context__, asyncio.CancelledError)


def test_timeout_as_a_task(run):
    async def main():
        awaitable = waits.timeout(asyncio.sleep(1000), 0.001, catch=True)
        return await asyncio.create_task(awaitable)

    assert type(run(main())) is TimeoutError


def test_timeout_without_a_callback_for_errors_propagates(run):
    async def main():
        with pytest.raises(TimeoutError):
            await waits.timeout(asyncio.sleep(1000), 0.001)

    run(main())


@pytest.mark.parametrize("seconds", [0, -1])
def test_timeout_of_no_time_is_over_at_the_first_suspension(run, seconds):
    error = run(waits.timeout(asyncio.sleep(1000), seconds, catch=True))
    assert type(error) is TimeoutError


def test_timeout_of_no_time_lets_what_never_suspends_end(run):
    async def at_once():
        return 42

    assert run(waits.timeout(at_once(), 0)) == 42


def test_timeout_lets_finally_run_to_its_end(run):
    done = []

    async def careful():
        try:
            await asyncio.sleep(1000)
        finally:
            await turn(3)
            done.append(True)

    error = run(waits.timeout(careful(), 0.001, catch=True))
    assert type(error) is TimeoutError
    assert done == [True]


def test_timeout_passes_other_exceptions_on(run):
    async def fail():
        await turn()
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(waits.timeout(fail(), 1000))


def test_timeout_tells_cancellation_from_the_end_of_time(run):
    async def main():
        await end(await start(waits.timeout(asyncio.sleep(1000), 1000)))

    run(main())


def test_timeout_leaves_the_task_uncancelled(run):
    async def main():
        await waits.timeout(asyncio.sleep(1000), 0.001, catch=True)
        return asyncio.current_task().cancelling()

    assert run(main()) == 0


def test_timeout_begins_at_its_turn(run):
    """The step before it takes longer than its own time is."""

    async def main():
        awaitable = waits.timeout(answer(), 1, aw=waits.sleep(1.5))
        return await awaitable

    assert run(main()) == 42


def test_timeout_may_be_made_where_no_loop_runs(run):
    awaitable = waits.timeout(answer(), 1000)
    assert run(awaitable) == 42


def test_timeout_takes_another_awaitable_of_this_api(run):
    error = run(waits.timeout(waits.sleep(1000), 0.001, catch=True))
    assert type(error) is TimeoutError


# ---- an fd ----


def test_fd_that_can_be_read(run, pair):
    ours, theirs = pair
    theirs.send(b"x")
    assert run(waits.fd(ours.fileno(), waits.READ)) == waits.READ


def test_fd_waits_until_it_can_be_read(run, pair):
    ours, theirs = pair

    async def main():
        task = await start(waits.fd(ours.fileno(), waits.READ))
        await turn(3)
        assert not task.done()
        theirs.send(b"x")
        return await task

    assert run(main()) == waits.READ


def test_fd_that_can_be_written(run, pair):
    assert run(waits.fd(pair[0].fileno(), waits.WRITE)) == waits.WRITE


def fill(sock: socket.socket) -> None:
    try:
        while True:
            sock.send(b"x" * 4096)
    except BlockingIOError:
        pass


def drain(sock: socket.socket) -> None:
    try:
        while True:
            sock.recv(1 << 16)
    except BlockingIOError:
        pass


def test_fd_waits_until_it_can_be_written(run, pair):
    ours, theirs = pair
    fill(ours)

    async def main():
        task = await start(waits.fd(ours.fileno(), waits.WRITE))
        await turn(3)
        assert not task.done()
        drain(theirs)
        return await task

    assert run(main()) == waits.WRITE


def test_fd_ready_in_both_directions_says_both(run, pair):
    ours, theirs = pair
    theirs.send(b"x")
    both = waits.READ | waits.WRITE
    assert run(waits.fd(ours.fileno(), both)) == both


def test_fd_ready_in_one_of_both_directions_says_which(run, pair):
    both = waits.READ | waits.WRITE
    assert run(waits.fd(pair[0].fileno(), both)) == waits.WRITE


def test_fd_is_watched_no_more_when_it_came(run, pair):
    ours, theirs = pair

    async def main():
        watch = Watch()
        theirs.send(b"x")
        await waits.fd(ours.fileno(), waits.READ | waits.WRITE)
        return watch.fds

    assert run(main()) == []


def test_fd_is_watched_from_when_it_is_awaited(run, pair):
    fd = pair[0].fileno()
    fill(pair[0])

    async def main():
        watch = Watch()
        awaitable = waits.fd(fd, waits.READ | waits.WRITE)
        before = list(watch.fds)
        task = await start(awaitable)
        during = list(watch.fds)
        await end(task)
        return before, during

    assert run(main()) == ([], [("reader", fd), ("writer", fd)])


def test_fd_is_watched_no_more_after_cancellation(run, pair):
    fill(pair[0])

    async def main():
        watch = Watch()
        both = waits.READ | waits.WRITE
        await end(await start(waits.fd(pair[0].fileno(), both)))
        return watch.fds

    assert run(main()) == []


def test_fd_is_watched_no_more_when_it_is_dropped(run, pair):
    async def main():
        watch = Watch()
        awaitable = waits.fd(pair[0].fileno(), waits.READ)
        awaitable.send(None)
        during = len(watch.fds)
        del awaitable
        return during, watch.fds

    assert run(main()) == (1, [])


def test_fd_closed_by_another_thread_is_forgotten_by_way_of_the_loop(
    run, pair
):
    async def main():
        watch = Watch()
        awaitable = waits.fd(pair[0].fileno(), waits.READ)
        awaitable.send(None)
        thread = threading.Thread(target=awaitable.close)
        thread.start()
        thread.join(rig.DEADLINE_S)
        before_the_turn = len(watch.fds)
        await turn(2)
        return before_the_turn, watch.fds

    assert run(main()) == (1, [])


def test_fd_wait_outlives_a_task_that_nobody_holds(run, pair):
    """The loop keeps what it watches."""
    ours, theirs = pair
    got = []

    async def work():
        got.append(await waits.fd(ours.fileno(), waits.READ))

    async def main():
        asyncio.ensure_future(work())
        await turn()
        gc.collect()
        theirs.send(b"x")
        while not got:
            await turn()

    run(main())
    assert got == [waits.READ]


def test_fd_two_waiters_in_one_direction_are_refused(run, pair):
    ours, theirs = pair

    async def main():
        first = await start(waits.fd(ours.fileno(), waits.READ))
        with pytest.raises(RuntimeError, match="awaited for reading already"):
            await waits.fd(ours.fileno(), waits.READ | waits.WRITE)
        theirs.send(b"x")
        return await first

    assert run(main()) == waits.READ


def test_fd_two_waiters_in_two_directions_are_fine(run, pair):
    ours, theirs = pair

    async def main():
        reader = await start(waits.fd(ours.fileno(), waits.READ))
        writer = await waits.fd(ours.fileno(), waits.WRITE)
        theirs.send(b"x")
        return await reader, writer

    assert run(main()) == (waits.READ, waits.WRITE)


def test_fd_can_be_awaited_again(run, pair):
    ours, theirs = pair

    async def main():
        for _ in range(3):
            task = await start(waits.fd(ours.fileno(), waits.READ))
            theirs.send(b"x")
            assert await task == waits.READ
            assert ours.recv(2) == b"x"

    run(main())


def test_fd_of_a_closed_loop_can_be_awaited_on_the_next(
    run, pair, loop_class, capfd
):
    ours, theirs = pair
    loop = loop_class()

    async def leave_waiting():
        task = await start(waits.fd(ours.fileno(), waits.READ))
        task._log_destroy_pending = False
        return task

    task = loop.run_until_complete(leave_waiting())
    loop.close()
    theirs.send(b"x")
    assert run(waits.fd(ours.fileno(), waits.READ)) == waits.READ
    del task, loop
    gc.collect()
    assert capfd.readouterr().err == ""


def test_fd_cancelled_when_its_loop_was_closed_makes_no_noise(
    pair, loop_class, capfd
):
    awaitable = waits.fd(pair[0].fileno(), waits.READ)
    loop = loop_class()

    async def begin():
        awaitable.send(None)

    loop.run_until_complete(begin())
    loop.close()
    awaitable.close()
    assert capfd.readouterr().err == ""


def noted(error: BaseException) -> str:
    return "\n".join(error.__notes__)


def test_fd_that_is_closed_is_named_in_the_error(run):
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    error = run(waits.fd(fd, waits.READ, catch=True))
    assert isinstance(error, OSError)
    assert noted(error) == f"fd {fd} cannot be awaited for reading"


def test_fd_of_a_file_on_disk_is_explained(run, tmp_path):
    with open(tmp_path / "file", "wb") as file:
        error = run(waits.fd(file.fileno(), waits.WRITE, catch=True))
        assert isinstance(error, PermissionError)
        assert "always ready" in noted(error)


def test_fd_that_fails_can_be_awaited_afterwards(run, tmp_path, pair):
    """What was claimed for it is given up."""
    with open(tmp_path / "file", "wb") as file:
        for _ in range(2):
            error = run(waits.fd(file.fileno(), waits.WRITE, catch=True))
            assert isinstance(error, PermissionError)


def test_fd_on_a_loop_that_cannot_is_explained(loop_class):
    class Blind(loop_class):
        def add_reader(self, *arguments):
            raise NotImplementedError

    with asyncio.Runner(loop_factory=Blind) as runner:

        async def main():
            return await waits.fd(0, waits.READ, catch=True)

        # asyncio's own loop needs its readers to begin with.
        Blind.add_reader, own = loop_class.add_reader, Blind.add_reader
        runner.get_loop()
        Blind.add_reader = own
        error = runner.run(main())
    assert isinstance(error, NotImplementedError)
    assert "must have add_reader() and add_writer()" in noted(error)


def test_fd_says_in_its_repr_what_it_waits_for(run, pair):
    async def main():
        awaitable = waits.fd(pair[0].fileno(), waits.READ)
        awaitable.send(None)
        text = repr(awaitable.cr_await)
        awaitable.close()
        return text

    assert run(main()) == (
        f"<FdWait for reading fd {pair[0].fileno()}, waiting>"
    )
