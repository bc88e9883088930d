"""A hosted script: an ordinary Python file, run as ``__main__`` in its thread."""

from __future__ import annotations

import ast
import asyncio
import builtins
import concurrent.futures.thread
import contextlib
import importlib.machinery
import inspect
import os
import sys
import threading
import traceback
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import _awaitd
from awaitd import _registry
from awaitd._host import process
from awaitd._host.current import enter
from awaitd._script import ScriptInfo

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))


class HostedScript(ScriptInfo):
    """One script of the daemon, from its thread's start to its end."""

    def __init__(
        self,
        name: str,
        path: str,
        arguments: list[str],
        siblings: list[HostedScript],
    ) -> None:
        self.name = name
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        self.argv = [path, *arguments]
        self.module = types.ModuleType("__main__")
        self.stop_handlers: dict[
            int, tuple[Callable[..., object], tuple[object, ...]]
        ] = {}
        self.cancelled_main = False
        self._siblings = siblings
        self._queues: weakref.WeakSet[_awaitd.Queue[Any]] = weakref.WeakSet()
        self._attached: set[str] = set()
        self._waits = False
        self._ended = False
        self._thread = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    # ---- running ----

    def run(self) -> tuple[int, bool]:
        """Run to the end: (exit status, ended by the daemon's cancellation)."""
        enter(self)
        self._thread = threading.get_ident()
        threading.current_thread().name = self.name
        try:
            return self._run_reporting()
        finally:
            self._end()

    def _run_reporting(self) -> tuple[int, bool]:
        try:
            self._execute()
            self._join_threads()
            return 0, False
        except SystemExit as exit_:
            return _exit_status(exit_), False
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            if self.stopping:
                return 0, True
            self._report(error)
            return 130 if isinstance(error, KeyboardInterrupt) else 1, False
        except BaseException as error:
            self._report(error)
            return 1, False

    def _execute(self) -> None:
        with open(self.path, "rb") as file:
            source = file.read()
        code = compile(
            source,
            self.path,
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        names = self.module.__dict__
        names.update(
            __file__=self.path,
            __builtins__=builtins,
            __cached__=None,
            __loader__=importlib.machinery.SourceFileLoader(
                "__main__", self.path
            ),
        )
        if code.co_flags & inspect.CO_COROUTINE:
            main = types.FunctionType(code, names)
            with asyncio.Runner() as runner:
                runner.run(main())
        else:
            exec(code, names)

    def _join_threads(self) -> None:
        """Wait, as python3 does, for threads that are not daemons."""
        idle = concurrent.futures.thread._threads_queues
        for thread in threading.enumerate():
            if (
                getattr(thread, "_awaitd_script", None) is self
                and not thread.daemon
                and thread not in idle
            ):
                while thread.is_alive() and not self.stopping:
                    thread.join(0.1)

    def _report(self, error: BaseException) -> None:
        """Print the traceback, from the script's own first line on."""
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename.startswith(
            _OWN_FOLDER
        ):
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)

    def _end(self) -> None:
        self._ended = True
        for queue in list(self._queues):
            queue._retire()
        release_held(self._siblings)
        process.finish_output(self.name)

    # ---- queues ----

    def adopt(self, queue: _awaitd.Queue[Any]) -> None:
        """A queue was opened: it ends with the script."""
        self._queues.add(queue)
        self._attached.add(queue.device.name)
        release_held(self._siblings)

    def now_waits(self) -> None:
        """The loop has turned: what the script does first, it has done."""
        if not self._waits:
            self._waits = True
            release_held(self._siblings)

    def ready_for(self, device: str) -> bool:
        """It has attached to this device, or is not about to."""
        return self._ended or self._waits or device in self._attached

    # ---- stopping ----

    @contextlib.contextmanager
    def running(
        self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None
    ) -> Iterator[None]:
        """This loop, and its main task, are what a stop is for."""
        before = self._loop, self._task
        self._loop, self._task = loop, task
        if self.stopping and task is not None:
            # The stop came before there was a task to cancel.
            self._cancel_task(task)
        try:
            yield
        finally:
            self._loop, self._task = before

    def cancel(self, signum: int, again: bool) -> None:
        """The daemon asks the script to end. Called on the bridge."""
        self.stopping = "stop"
        loop, task = self._loop, self._task
        try:
            if loop is None:
                _awaitd._interrupt(self._thread)
            elif again:
                loop.call_soon_threadsafe(self._cancel_all, loop)
            elif signum in self.stop_handlers:
                callback, arguments = self.stop_handlers[signum]
                loop.call_soon_threadsafe(callback, *arguments)
            elif task is not None:
                loop.call_soon_threadsafe(self._cancel_task, task)
        except RuntimeError:
            if loop is None or not loop.is_closed():
                raise

    def _cancel_task(self, task: asyncio.Task[Any]) -> None:
        self.cancelled_main = True
        task.cancel()

    def _cancel_all(self, loop: asyncio.AbstractEventLoop) -> None:
        self.cancelled_main = True
        for task in asyncio.all_tasks(loop):
            task.cancel()


def release_held(scripts: list[HostedScript]) -> None:
    """Start the devices that wait until every script is ready (start=ready)."""
    for device in _registry.opened():
        if device._held and all(s.ready_for(device.name) for s in scripts):
            device._release()


def _exit_status(exit_: SystemExit) -> int:
    """What python3 makes of sys.exit(...)."""
    if exit_.code is None:
        return 0
    if isinstance(exit_.code, int):
        return exit_.code & 0xFF
    print(exit_.code, file=sys.stderr)
    return 1

