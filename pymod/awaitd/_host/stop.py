"""How a script is brought to its end.

The daemon asks, on the bridge; the script's own thread answers. Where an event
loop runs there, its main task is cancelled, once, and a second time only when
the daemon asks again; elsewhere KeyboardInterrupt is raised, as on Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import _awaitd

# A loop that turns answers sooner; two requests may well come closer together.
_STUCK_AFTER_S = 0.1


class _Handler(NamedTuple):
    """What loop.add_signal_handler was given."""

    loop: asyncio.AbstractEventLoop
    callback: Callable[..., object]
    arguments: tuple[Any, ...]


class Run:
    """A loop that runs on the script's thread, and the tasks it runs for.

    ``cancels`` counts how often those were cancelled on the daemon's behalf.
    ``heard`` is the number of the last request that reached the loop. A runner's
    loop ``stops`` with its task.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tasks: Iterable[asyncio.Task[Any]],
        heard: int,
        stops: bool = False,
    ) -> None:
        self.loop = loop
        self.stops = stops
        self.tasks = list(tasks)
        self.heard = heard
        self.cancels = 0


class Stop:
    """The stop of one script."""

    def __init__(self) -> None:
        self.thread = 0  # the script's own; 0 before it runs
        self.over = False  # the script has ended: nothing is to be stopped
        self.stuck = False  # its loop had to be interrupted
        self._asked = 0  # requests, counted
        self._first_s = 0.0  # when the last one came that was none again
        self._grace_s = 0.0  # from that to the one that was
        self._answered = 0  # the last one that had its effect
        self._closing = False
        self._held = False
        self._given_up = False
        self._followed = False  # what comes as a loop stops is heeded behind it
        self._run: Run | None = None
        self._handlers: dict[int, _Handler] = {}

    # ---- the bridge asks ----

    def ask(self, signum: int, again: bool) -> bool:
        """Ask it to end, ``again`` when it has not; true if it has a loop."""
        now_s = time.monotonic()
        if again:
            self._grace_s = now_s - self._first_s
        else:
            self._first_s = now_s
        # Python switches threads at calls: none is between these two. A loop
        # that stops behind them heeds what was asked, see _catch_up(); of one
        # that has stopped before them the thread is interrupted.
        self._asked += 1
        run = self._run
        if run is None:
            self._interrupt(again)
            return False
        heard = run.heard >= self._asked - 1
        if again and not heard and now_s - self._first_s > _STUCK_AFTER_S:
            # Whatever it does, it is not looking at its loop.
            self.stuck = True
            self._interrupt(again)
        try:
            run.loop.call_soon_threadsafe(
                self._answer, self._asked, signum, again
            )
        except RuntimeError:
            # The loop was closed just now; see _catch_up().
            if not run.loop.is_closed():
                raise
        return True

    def _interrupt(self, again: bool = False) -> None:
        # Python switches threads at calls, returns and backward jumps only: no
        # script ends between the look at `over` and the interruption.
        if self.over or not self.thread or self._held:
            return
        if self._answered >= self._asked:
            return  # it was heeded just now
        if self._closing and self._run is None and not again:
            return  # the runner would be half closed; see closing()
        self._answered = self._asked
        _awaitd._interrupt(self.thread)

    def give_up(self) -> None:
        """Interrupt what it does, whether it has a loop or not."""
        self._given_up = True
        self._asked += 1
        self._interrupt()

    def interrupt(self) -> None:
        """Its loop does not turn: raise KeyboardInterrupt, once more."""
        if not self.over and self.thread and not self._held:
            _awaitd._interrupt(self.thread)

    # ---- the script's thread answers ----

    def _answer(self, number: int, signum: int, again: bool) -> None:
        run = self._run
        if run is None:
            return
        if number <= self._answered:
            if again:
                # It was interrupted instead, and is being cancelled for the
                # first time: it gets as long for that as it would have had.
                run.loop.call_later(
                    self._grace_s, self._cancel_again, run.loop
                )
            return
        run.heard = number
        if self._closing and not again:
            # What is left is being cancelled already; see _catch_up().
            return
        handler = self._handlers.get(signum)
        if handler is not None and handler.loop is not run.loop:
            handler = None
        if run.stops and self.has_ended() and not (again or handler):
            # To raise here would leave the loop's own stop behind, for whatever
            # it runs next: the runner's cleaning up. See _catch_up().
            return
        self._answered = number
        if again:
            self._cancel_all(run)
        elif handler is not None:
            handler.callback(*handler.arguments)
        else:
            self._cancel_main(run)

    def _cancel_all(self, run: Run) -> None:
        run.cancels += 1
        for task in asyncio.all_tasks(run.loop):
            task.cancel()

    def _cancel_again(self, loop: asyncio.AbstractEventLoop) -> None:
        # Where a runner closes it, the loop is run for one thing behind another.
        if self._run is not None and self._run.loop is loop:
            self._cancel_all(self._run)

    def _catch_up(self) -> None:
        """A request came as the loop was about to stop: heed it now."""
        if self._answered < self._asked:
            self._answered = self._asked
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """What is done inside is not interrupted half-way."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        # Of a loop that runs, the loop heeds it; but nothing tells the loop
        # that it was given up.
        if self._run is None or self._given_up:
            self._catch_up()

    def _cancel_main(self, run: Run) -> None:
        """Cancel what the loop runs for; a loop without ends by Ctrl-C."""
        left = {task for task in run.tasks if not task.done()}
        run.cancels += 1

        def raise_interrupt() -> None:
            if self._run is run:
                raise KeyboardInterrupt

        def task_done(task: asyncio.Task[Any]) -> None:
            left.discard(task)
            if not left:
                # run_until_complete() has ended by then, run_forever() not.
                run.loop.call_soon(raise_interrupt)

        for task in left:
            task.cancel()
        for task in list(left):
            task.add_done_callback(task_done)
        if not left:
            raise KeyboardInterrupt

    def has_ended(self) -> bool:
        """What the loop runs for is done: it is about to stop."""
        run = self._run
        return run is not None and all(task.done() for task in run.tasks)

    def is_here(self) -> bool:
        """True on the script's own thread."""
        return threading.get_ident() == self.thread

    @contextlib.contextmanager
    def running(
        self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]
    ) -> Iterator[Run]:
        """This loop, and its main task, are what a stop is for."""
        self._run = run = Run(loop, [task], self._asked, stops=True)
        try:
            yield run
        finally:
            self._run = None
        self._catch_up()

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """A runner cancels what is left on its loop: a stop comes after it."""
        self._closing = True
        try:
            yield
        finally:
            self._closing = False
            self._catch_up()

    def closes(self) -> bool:
        """What is run now only cleans up."""
        return self._closing

    def loop_starts(self, loop: asyncio.AbstractEventLoop) -> bool:
        """A loop begins to run here; true if it was not known before.

        The tasks that it has by then are what it runs for.
        """
        if self._run is not None:
            return False
        self._run = Run(loop, asyncio.all_tasks(loop), self._asked)
        return True

    def loop_stops(self) -> None:
        """That loop has stopped. What was asked in its last turn it has not
        heard: then KeyboardInterrupt follows, behind its own cleaning up where
        that can be, see following(); else it is raised here."""
        self._held = self._followed
        self._run = None
        if not self._followed and not self._closing:
            self._catch_up()

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """A loop is run, and perhaps by hand: what it does when it stops is
        whole before a stop interrupts, and a stop that it missed is heeded."""
        if self._run is not None or self._closing:
            yield  # a runner's, which looks after that itself
            return
        self._followed = True
        try:
            yield
        finally:
            self._followed = self._held = False
            self._catch_up()

    # ---- stop callbacks ----

    def add_handler(
        self,
        loop: asyncio.AbstractEventLoop,
        signum: int,
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
    ) -> None:
        """Call this in place of the first cancel, while that loop runs."""
        self._handlers[signum] = _Handler(loop, callback, arguments)

    def remove_handler(
        self, loop: asyncio.AbstractEventLoop, signum: int
    ) -> bool:
        """False if that loop has none for the signal."""
        handler = self._handlers.get(signum)
        if handler is None or handler.loop is not loop:
            return False
        del self._handlers[signum]
        return True
