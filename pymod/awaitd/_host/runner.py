"""The runner of hosted scripts: asyncio.Runner, stopped from outside.

It takes the place of asyncio.Runner in the process, so that it serves top-level
``await`` and a script's own ``asyncio.run(main())`` alike.
"""

from __future__ import annotations

import asyncio
import asyncio.runners
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

from awaitd._host import loops
from awaitd._host.current import current
from awaitd._host.stop import Run

T = TypeVar("T")

_PlainRunner = asyncio.Runner


class HostedRunner(_PlainRunner):  # type: ignore[misc]
    """asyncio.Runner for a script's own thread.

    The daemon's stop cancels the main task, as Ctrl-C does under asyncio.run.
    """

    def get_loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = super().get_loop()
        script = current()
        if script is not None:
            loops.adapt(loop, script)
        return loop

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        context: contextvars.Context | None = None,
    ) -> T:
        script = current()
        if script is None or not script.stop.is_here():
            result: T = super().run(coro, context=context)
            return result
        if not asyncio.iscoroutine(coro):
            raise ValueError(f"a coroutine was expected, got {coro!r}")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "Runner.run() cannot be called from a running event loop"
            )
        loop = self.get_loop()
        if context is None:
            context = self._context  # type: ignore[attr-defined]
        task: asyncio.Task[T] = loop.create_task(coro, context=context)
        with script.stop.running(loop, task) as run:
            try:
                return loop.run_until_complete(task)
            except asyncio.CancelledError:
                if _was_stop(run, task):
                    raise KeyboardInterrupt from None
                raise

    def close(self) -> None:
        script = current()
        if script is None or not script.stop.is_here():
            super().close()
            return
        with script.stop.closing():
            super().close()


def _was_stop(run: Run, task: asyncio.Task[Any]) -> bool:
    """The task was cancelled by the daemon, and by nobody else."""
    left = [task.uncancel() for _ in range(run.cancels)]
    return bool(left) and left[-1] == 0


def install() -> None:
    """Make asyncio.run use it."""
    asyncio.Runner = HostedRunner  # type: ignore
    asyncio.runners.Runner = HostedRunner  # type: ignore
