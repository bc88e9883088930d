"""The runner of hosted scripts: asyncio.Runner, stopped from outside.

It takes the place of asyncio.Runner in the process, so that it serves top-level
``await`` and a script's own ``asyncio.run(main())`` alike.
"""

from __future__ import annotations

import asyncio
import asyncio.runners
import contextvars
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from awaitd._host.current import attributed, current
from awaitd._host.script import HostedScript

T = TypeVar("T")

_PlainRunner = asyncio.Runner
_executor_timeout_s = 0.0

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class HostedRunner(_PlainRunner):
    """asyncio.Runner for a script's thread.

    The daemon's stop cancels the main task, as Ctrl-C does under asyncio.run;
    closing gives the default executor a bounded time.
    """

    _executor: ThreadPoolExecutor | None = None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().get_loop()
        script = current()
        if script is not None and self._executor is None:
            self._executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
            loop.set_default_executor(self._executor)
            _adapt(loop, script)
        return loop

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        context: contextvars.Context | None = None,
    ) -> T:
        script = current()
        if script is None:
            return super().run(coro, context=context)
        if not asyncio.iscoroutine(coro):
            raise ValueError(f"a coroutine was expected, got {coro!r}")
        if asyncio._get_running_loop() is not None:
            coro.close()
            raise RuntimeError(
                "Runner.run() cannot be called from a running event loop"
            )
        loop = self.get_loop()
        task = loop.create_task(coro, context=context or self._context)
        # Behind the task's first step: if that suspends, the script waits.
        loop.call_soon(script.now_waits)
        with script.running(loop, task):
            try:
                return loop.run_until_complete(task)
            except asyncio.CancelledError:
                if script.cancelled_main and task.uncancel() == 0:
                    raise KeyboardInterrupt from None
                raise

    def close(self) -> None:
        script = current()
        executor = self._executor
        if script is None or executor is None:
            super().close()
            return
        self._executor = None
        loop = super().get_loop()
        with script.running(loop, None):
            _shut_down(executor)
            loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
            super().close()


def _shut_down(executor: ThreadPoolExecutor) -> None:
    """Wait for an executor's threads, but not for ever."""
    closer = threading.Thread(target=executor.shutdown, daemon=True)
    closer.start()
    closer.join(_executor_timeout_s)
    if closer.is_alive():
        print(
            "awaitd: the default executor is still busy after "
            f"{_executor_timeout_s:g} s and is left behind",
            file=sys.stderr,
        )


def _adapt(loop: asyncio.AbstractEventLoop, script: HostedScript) -> None:
    """Signals are the daemon's; exceptions of the loop are the script's."""

    def add_signal_handler(
        signum: int, callback: Callable[..., object], *arguments: object
    ) -> None:
        if signum not in _STOP_SIGNALS:
            raise RuntimeError(
                f"signal {signum} is the daemon's: under awaitd a script can "
                "only handle SIGINT and SIGTERM, as its stop"
            )
        script.stop_handlers[signum] = (callback, arguments)

    def remove_signal_handler(signum: int) -> bool:
        return script.stop_handlers.pop(signum, None) is not None

    def handle_exception(
        failed: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        with attributed(script):
            failed.default_exception_handler(context)

    loop.add_signal_handler = add_signal_handler  # type: ignore
    loop.remove_signal_handler = remove_signal_handler  # type: ignore
    loop.set_exception_handler(handle_exception)


def install_runner(executor_timeout_s: float) -> None:
    """Make asyncio.run use it."""
    global _executor_timeout_s
    _executor_timeout_s = executor_timeout_s
    asyncio.Runner = HostedRunner  # type: ignore[misc]
    asyncio.runners.Runner = HostedRunner  # type: ignore[misc]
