"""A hosted script: an ordinary Python file, run as ``__main__`` in its thread."""

from __future__ import annotations

import ast
import asyncio
import atexit
import builtins
import importlib.machinery
import inspect
import os
import sys
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

import _awaitd
from awaitd import _registry, _traceback
from awaitd._host import output, threads
from awaitd._host.current import enter
from awaitd._host.stop import Stop
from awaitd._script import ScriptInfo

if TYPE_CHECKING:
    from awaitd._host.loops import Heartbeat


class HostedScript(ScriptInfo):
    """One script of the daemon, from its thread's start to its end."""

    def __init__(
        self,
        name: str,
        path: str,
        arguments: list[str],
        heartbeat: Heartbeat,
        siblings: list[HostedScript],
    ) -> None:
        self.name = name
        self.path = os.path.abspath(path)
        self.folder = os.path.dirname(os.path.realpath(path))
        self.argv = [path, *arguments]
        self.excepthook = sys.__excepthook__
        self.module = types.ModuleType("__main__")
        self.stop = Stop()
        self.awake, self.asleep = heartbeat
        self._siblings = siblings
        self.index = len(siblings)
        self._queues: weakref.WeakSet[_awaitd.Queue[Any]] = weakref.WeakSet()
        self._attached: set[str] = set()
        self._outcome = 0, True  # if the stop cuts short what follows
        self._waits = False
        self._ended = False
        self._process = os.getpid()

    # ---- running ----

    def run(self) -> tuple[int, bool]:
        """Run to the end: (exit status, ended by the daemon's stop)."""
        result: tuple[int, bool] | None = None
        enter(self)
        self._name_thread()
        while True:
            # A stop may come at any line until `over` is set, and be felt a
            # little later.
            try:
                if result is None:
                    result = self._run_and_report()
                self._end(result[0])
                return result
            except KeyboardInterrupt:
                result = result or self._outcome

    def _name_thread(self) -> None:
        """Make the thread, which Python did not start, a script's.

        Threads are daemons if the one that starts them is, and Python takes
        this one for a daemon.
        """
        thread = threading.current_thread()
        thread.name = self.name
        thread._daemonic = False  # type: ignore[attr-defined]

    def _run_and_report(self) -> tuple[int, bool]:
        """Run, and wait for its threads, whatever the outcome."""
        try:
            self.stop.thread = threading.get_ident()
            if self.stopping:
                return self._outcome
            self._execute()
            self._outcome = 0, False
        except SystemExit as exit_:
            self._outcome = _exit_status(exit_), False
            # A task may hold it, and tell of it later.
            exit_.__traceback__ = _traceback.own_part(
                exit_.__traceback__, self.path
            )
            if not isinstance(exit_.code, (int, type(None))):
                print(exit_.code, file=sys.stderr)
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            if not self.stopping:
                interrupted = isinstance(error, KeyboardInterrupt)
                self._outcome = 130 if interrupted else 1, False
            if not self.stopping or self.stop.stuck:
                self._report(error)
        except BaseException as error:
            self._outcome = 1, False
            self._report(error)
        try:
            threads.join(self)
        except KeyboardInterrupt:
            pass
        return self._outcome

    def _execute(self) -> None:
        names = self.module.__dict__
        names.update(
            __file__=self.path,
            __builtins__=builtins,
            __cached__=None,
            __loader__=importlib.machinery.SourceFileLoader(
                "__main__", self.path
            ),
        )
        code = compile(
            self._read(),
            self.path,
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        if code.co_flags & inspect.CO_COROUTINE:
            main = types.FunctionType(code, names)
            with asyncio.Runner() as runner:
                runner.run(main())
        else:
            exec(code, names)

    def _read(self) -> bytes:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError as error:
            # It was there when the configuration was checked.
            print(
                f"awaitd: error: cannot read script {self.path}: "
                f"{error.strerror}",
                file=sys.stderr,
            )
            raise SystemExit(os.EX_CONFIG) from None

    def _report(self, error: BaseException) -> None:
        """Print the traceback, without awaitd's own frames."""
        _traceback.trim(error, self.path)
        self.excepthook(type(error), error, error.__traceback__)

    def _end(self, status: int) -> None:
        self.stop.over = True
        if os.getpid() != self._process:
            # A child made by os.fork has come to its end, and is no daemon.
            atexit._run_exitfuncs()
            output.finish(self.index)
            os._exit(status)
        self._ended = True
        for queue in list(self._queues):
            queue._retire()
        release_held(self._siblings)
        output.finish(self.index)

    # ---- queues ----

    def adopt(self, queue: _awaitd.Queue[Any]) -> None:
        """A queue was opened: it ends with the script."""
        self._queues.add(queue)
        self._attached.add(queue.device.name)
        release_held(self._siblings)

    def now_waits(self) -> None:
        """What the script does first, it has done."""
        if not self._waits:
            self._waits = True
            release_held(self._siblings)

    def ready_for(self, device: str) -> bool:
        """It has attached to this device, or is not about to."""
        return self._ended or self._waits or device in self._attached

    # ---- stopping ----

    def cancel(self, signum: int, again: bool) -> None:
        """The daemon asks the script to end. Called on the bridge."""
        self.stopping = "stop"
        if not self.stop.ask(signum, again):
            return
        # A get() on a queue that is never empty does not suspend: this one
        # does, so that the loop turns and hears of it.
        for queue in list(self._queues):
            queue._yield_once()


def release_held(scripts: list[HostedScript]) -> None:
    """Start the devices that wait until every script is ready (start=ready)."""
    for device in _registry.opened():
        if device._held and all(s.ready_for(device.name) for s in scripts):
            device._release()


def _exit_status(exit_: SystemExit) -> int:
    """What python3 makes of sys.exit(...)."""
    if exit_.code is None:
        return 0
    return exit_.code & 0xFF if isinstance(exit_.code, int) else 1
