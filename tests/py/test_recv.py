"""recv(): for code without an event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension


class Receiver(threading.Thread):
    """A thread in recv(); join() gives what came out of it."""

    def __init__(self, queue, timeout=None):
        super().__init__(daemon=True)
        self.queue = queue
        self.timeout = timeout
        self.outcome = None
        self.start()

    def run(self):
        try:
            self.outcome = self.queue.recv(timeout=self.timeout)
        except BaseException as error:
            self.outcome = error

    def wait_until_blocked(self):
        """Blocked: it then holds the queue against any other use."""
        rig.until(lambda: self.in_use())

    def in_use(self):
        try:
            self.queue.recv(timeout=0)
        except RuntimeError:
            return True
        return False

    def join(self):
        super().join(rig.DEADLINE_S)
        assert not self.is_alive(), "recv() does not return"
        return self.outcome


def test_recv_gives_the_frame_that_is_there(q, peer):
    peer.put(q, 1, 2)
    assert ids([q.recv(), q.recv(timeout=0)]) == [1, 2]


def test_recv_blocks_until_a_frame_comes(q, peer):
    receiver = Receiver(q)
    receiver.wait_until_blocked()
    peer.send(q.device, rig.can(7))
    assert receiver.join().arbitration_id == 7


@pytest.mark.parametrize("timeout", [0, -1, 0.0, 1e-9])
def test_recv_gives_none_when_the_time_is_up(q, timeout):
    assert q.recv(timeout=timeout) is None


def test_recv_timeout_is_in_seconds(q):
    before = time.monotonic()
    assert q.recv(timeout=0.05) is None
    assert 0.05 <= time.monotonic() - before < 5


def test_recv_timeout_of_ages_blocks(q, peer):
    for timeout in (1e8, 1e18, float("inf")):
        receiver = Receiver(q, timeout)
        receiver.wait_until_blocked()
        peer.send(q.device, rig.can(7))
        assert receiver.join().arbitration_id == 7


def test_recv_lets_other_threads_run(q, peer):
    """It does not hold the GIL: else this test would not go on."""
    receiver = Receiver(q)
    receiver.wait_until_blocked()
    assert sum(range(100000)) == 4999950000
    peer.send(q.device, rig.can(7))
    receiver.join()


def test_recv_takes_every_frame_in_order(q, peer):
    numbers = []

    def receive():
        while len(numbers) < 2000:
            numbers.append(q.recv(timeout=rig.DEADLINE_S).arbitration_id)

    thread = threading.Thread(target=receive)
    thread.start()
    for start in range(0, 2000, 100):  # each has a deadline
        peer.send(q.device, *rig.cans(range(start, start + 100)))
    thread.join(rig.DEADLINE_S)
    assert numbers == list(range(2000))


def test_recv_ends_when_the_queue_is_closed(q):
    receiver = Receiver(q)
    receiver.wait_until_blocked()
    q.close()
    error = receiver.join()
    assert isinstance(error, awaitd.QueueClosed) and error.reason == "closed"


def test_recv_ends_when_the_device_is_closed(bus, q):
    receiver = Receiver(q)
    receiver.wait_until_blocked()
    bus.close()
    error = receiver.join()
    assert isinstance(error, awaitd.QueueClosed) and error.reason == "stopped"


# ---- beside an event loop ----


def test_recv_on_a_running_loop_raises_with_advice(run, q, peer):
    peer.put(q, 7)

    async def main():
        with pytest.raises(RuntimeError, match=r"await queue\.get\(\)"):
            q.recv(timeout=0)

    run(main())
    assert q.qsize() == 1


def test_recv_in_a_thread_of_the_loops_executor(run, q, peer):
    async def main():
        task = asyncio.create_task(asyncio.to_thread(q.recv, rig.DEADLINE_S))
        await asyncio.sleep(0)
        await asyncio.to_thread(peer.send, q.device, rig.can(7))
        return (await task).arbitration_id

    assert run(main()) == 7


def test_get_while_a_recv_blocks_raises(run, q, peer):
    receiver = Receiver(q)
    receiver.wait_until_blocked()

    async def main():
        with pytest.raises(RuntimeError, match=r"a recv\(\) in thread \d+"):
            await q.get()

    run(main())
    peer.send(q.device, rig.can(7))
    assert receiver.join().arbitration_id == 7


def test_recv_while_a_get_waits_raises(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is being awaited on"):
            await asyncio.to_thread(q.recv, 0)
        peer.put(q, 7)
        return ids([await task])

    assert run(main()) == [7]


def test_second_recv_raises(q, peer):
    receiver = Receiver(q)
    receiver.wait_until_blocked()
    with pytest.raises(RuntimeError, match=r"a recv\(\) in thread \d+"):
        q.recv(timeout=0)
    peer.send(q.device, rig.can(7))
    receiver.join()


def test_recv_after_a_loop_was_closed_on_a_waiter(q, peer):
    loop = asyncio.new_event_loop()

    async def main():
        task = asyncio.ensure_future(q.get())
        await asyncio.sleep(0)
        task._log_destroy_pending = False
        return task

    task = loop.run_until_complete(main())
    loop.close()
    peer.put(q, 7)
    assert q.recv(timeout=0).arbitration_id == 7
    del task


def test_recv_and_get_take_turns(run, q, peer):
    async def main():
        task = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        peer.put(q, 1)
        return ids([await task])

    assert run(main()) == [1]
    receiver = Receiver(q)
    receiver.wait_until_blocked()
    peer.send(q.device, rig.can(2))
    assert receiver.join().arbitration_id == 2
    peer.put(q, 3)
    assert run(main()) == [3]


def test_recv_on_two_queues_in_two_threads(bus, peer):
    queues = [bus.queue(), bus.queue()]
    receivers = [Receiver(queue) for queue in queues]
    for receiver in receivers:
        receiver.wait_until_blocked()
    peer.send(bus, rig.can(7))
    assert ids(receiver.join() for receiver in receivers) == [7, 7]


# ---- Ctrl-C ----

BLOCKED = """
    import awaitd, signal
    bus = awaitd.open("virtual:can")
    queue = bus.queue()

    # As Python's own, but only once: a second one would find the print below.
    def interrupt(number, frame):
        signal.signal(number, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    print("ready", flush=True)
    try:
        queue.recv(timeout={timeout})
    except KeyboardInterrupt:
        print("interrupted", queue.stats().received, flush=True)
"""


@pytest.mark.parametrize("timeout", ["None", "1000"])
def test_recv_is_interrupted_by_ctrl_c(python, timeout):
    process = python(BLOCKED.format(timeout=timeout))
    process.line("ready")
    # Again and again: one that comes just ahead of the sleep is only seen
    # after it, as anywhere in Python.
    line = process.line_after(
        lambda: process.signal(signal.SIGINT), "interrupted"
    )
    assert line == "interrupted 0"


def test_recv_goes_on_after_a_signal_that_is_handled(python, tmp_path):
    go = tmp_path / "go"
    process = python(
        """
        import awaitd, os, signal, sys, threading, time
        bus = awaitd.open("virtual:can")
        queue = bus.queue()
        # Not print(): the signal may come amid the one below.
        signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"handled\\n"))

        def send():
            while not os.path.exists(sys.argv[1]):
                time.sleep(0.01)
            bus.send_nowait(awaitd.CanFrame(7))

        threading.Thread(target=send).start()
        print("ready", flush=True)
        print("got", queue.recv(timeout=60), flush=True)
        """,
        str(go),
    )
    process.line("ready")
    # Again and again: as above.
    process.line_after(lambda: process.signal(signal.SIGUSR1), "handled")
    go.touch()
    assert process.line("got") == "got 007#"
    assert process.finish() == 0
