"""A hosted script: an ordinary Python file, run as ``__main__`` in its thread."""

from __future__ import annotations

import asyncio
import atexit
import builtins
import contextlib
import importlib.machinery
import inspect
import os
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import _awaitd
from awaitd import _registry, _traceback
from awaitd._host import errors, imports, leaving, modules, output, threads
from awaitd._host.check import compile_script
from awaitd._host.current import enter
from awaitd._host.gate import Discarded, Gate, Unchanged
from awaitd._host.slot import Slot
from awaitd._host.stop import Stop
from awaitd._script import ScriptInfo
from awaitd._state import State

if TYPE_CHECKING:
    from awaitd._host.loops import Heartbeat

_OUTPUT_LOST = 120  # of a child, as Python's own


class HostedScript(ScriptInfo):
    """One version of a script, from its thread's start to its end."""

    def __init__(
        self,
        slot: Slot,
        generation: int,
        reason: str,
        slots: list[Slot],
        heartbeat: Heartbeat,
        only_changed: bool = False,
    ) -> None:
        self.name = slot.name
        self.settings = slot.settings
        if reason == "revert" and slot.code_before:
            self.settings = slot.settings_before
        self.path = self.settings.path
        self.folders = self.settings.own_folders
        self.argv = list(self.settings.argv)
        self.generation = generation
        self.start_reason = reason
        self.excepthook = sys.__excepthook__
        self.module = types.ModuleType("__main__")
        self.stop = Stop()
        # False while an error of this version brings the one before it back.
        self.settled = reason != "reload"
        # A reload for those that have changed found no change.
        self.unchanged = False
        self._only_changed = reason == "reload" and only_changed
        self._slot = slot
        self._slots = slots
        self.awake, self.asleep, self.probe = heartbeat
        self.index = slot.index
        self._gate: Gate | None = None
        self._code: types.CodeType | None = None
        # The source, and when it was read: time.time_ns(). Of a revert neither.
        self._loaded = b"", 0
        self._purged: dict[str, types.ModuleType] = {}
        self._queues: weakref.WeakSet[_awaitd.Queue[Any]] = weakref.WeakSet()
        # What would go with the frames and tasks that end, and must not.
        self._kept: list[_awaitd.Queue[Any]] = []
        self._attached: set[_awaitd.Device[Any]] = set()
        self._devices: set[_awaitd.Device[Any]] = set()
        self._periodic: set[_awaitd.PeriodicSend] = set()
        self._outcome = 0, True  # if the stop cuts short what follows
        self._failure = ""
        self._raised = False  # it failed, and not by sys.exit()
        self._waits = False
        self._drops = False  # what it has not inherited nobody wants
        self._ended = False
        self._process = os.getpid()

    @property
    def state(self) -> State:
        """What one version leaves to the next: so a new one waits for it."""
        self.pass_gate()
        return self._slot.state

    # ---- running ----

    def run(self) -> tuple[int, bool, bool, str]:
        """Run to the end: (exit status, ended by the daemon's stop, unchanged,
        what went wrong)."""
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
                return *result, self.unchanged, self._failure
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
            self.pass_gate()
            self._outcome = 0, False
        except Unchanged:
            self._outcome = 0, True
            self.unchanged = True
        except Discarded:
            self._outcome = 0, True
        except SystemExit as exit_:
            self._keep_queues()
            self._outcome = _exit_status(exit_), False
            if self._outcome[0] != 0 and not self._failure:
                self._failure = errors.locate(exit_, self.path)
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
            self._keep_queues()
            self._outcome = 1, False
            self._raised = True
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
        code = self._load()
        if self._gate is None:
            self._slot.take_code(code, self.settings)
        self._code = code
        if code.co_flags & inspect.CO_COROUTINE:
            if self._gate is not None:
                # Its imports are in the first turn of the loop.
                self._gate.late = True
            main = types.FunctionType(code, names)
            with asyncio.Runner() as runner:
                runner.run(main())
        else:
            exec(code, names)

    def _load(self) -> types.CodeType:
        """The code of this version, from one read of its file."""
        if self.start_reason == "revert" and self._slot.code_before:
            modules.restore(self.folders, self._slot.modules_before)
            return self._slot.code_before
        if self._only_changed:
            self._await_current()
        source = self._read()
        if self._only_changed and not self._has_changed(source):
            raise Unchanged(0)
        self._loaded = source, time.time_ns()
        if self.start_reason != "start":
            self._purged = modules.purge(self.folders)
        code = compile_script(source, self.path)
        imports.tell_foreign(self._slot, self._slots, source, code)
        return code

    def _await_current(self) -> None:
        """A version that was started just now has yet to read the file that
        this one is compared with."""
        current = self._slot.current
        while current and current._code is None and not current._ended:
            time.sleep(0.01)

    def _has_changed(self, source: bytes) -> bool:
        """Is this another source than the current version read, good or not,
        is it configured otherwise, or has a module in the script's folders been
        written since?"""
        current = self._slot.current
        if current is None or current.settings != self.settings:
            return True
        source_read, read_ns = current._loaded
        return (
            source != source_read
            or modules.are_newer(self.folders, read_ns)
            or (current._raised and self._may_import_now(read_ns))
        )

    def _may_import_now(self, since_ns: int) -> bool:
        """Has any file been written, since a version failed or since it was
        last tried again, that it might have failed to import?"""
        since_ns = max(since_ns, self._slot.tried_ns)
        self._slot.tried_ns = time.time_ns()
        scripts = {os.path.realpath(it.settings.path) for it in self._slots}
        return modules.have_been_written(self.folders, since_ns, scripts)

    def _read(self) -> bytes:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError as error:
            # It was there when the configuration was checked.
            self._failure = f"{self.path}: {error.strerror}"
            print(
                f"awaitd: error: cannot read script {self.path}: "
                f"{error.strerror}",
                file=sys.stderr,
            )
            raise SystemExit(os.EX_CONFIG) from None

    def _report(self, error: BaseException) -> None:
        """Print the traceback, without awaitd's own frames."""
        # Of an endless recursion it may need what there is not.
        with contextlib.suppress(MemoryError):
            _traceback.trim(error, self.path)
        with contextlib.suppress(MemoryError):
            self._failure = errors.locate(error, self.path)
        self.excepthook(type(error), error, error.__traceback__)

    def _end(self, status: int) -> None:
        self.stop.over = True
        if os.getpid() != self._process:
            # A child made by os.fork has come to its end, and is no daemon.
            atexit._run_exitfuncs()
            written = output.finish(self)
            os._exit(status or (0 if written else _OUTPUT_LOST))
        self._ended = True
        for periodic in list(self._periodic):
            periodic.stop()
        if self._gate is not None and self._purged:
            # It was never admitted: the one that runs goes on as it was.
            modules.restore(self.folders, self._purged)
        leaves = self.leaves(self._outcome != (0, False))
        for queue in list(self._queues):
            if leaves:
                self._slot.leave(queue)
            else:
                queue._retire()
        self._kept.clear()
        if self._slot.current is self:
            self._slot.save_state()
        release_held(self._slots)
        output.finish(self)

    def never_ran(self) -> None:
        """It has ended before it began: nothing waits for it."""
        self._outcome = 1, False
        self._ended = True
        release_held(self._slots)

    def forget(self) -> None:
        """The version has ended: nothing keeps its code and data alive."""
        threads.forget(self)
        self._kept.clear()
        self._attached.clear()
        self._devices.clear()

    # ---- the gate ----

    def hold(self, tell: Callable[[], object]) -> None:
        """Before it runs: hold it at its gate, and say so by ``tell``."""
        self._gate = Gate(tell)

    def pass_gate(self) -> None:
        """Wait here until this version may receive and send. Raises Discarded
        if it never may, and Error when another one has taken its place."""
        if self._gate is not None:
            self._gate.wait(self)

    def begins_loop(self) -> None:
        """A loop begins to run."""
        gate = self._gate
        if gate is not None and not gate.late and not self.stop.closes():
            gate.wait(self)

    def _end_turn(self) -> None:
        """A loop's first turn is done: hold it there, but not one whose work
        has failed in that turn, nor one that cleans up after it."""
        gate = self._gate
        if gate is None or gate.failed or self.stop.closes():
            return
        gate.failed = self.stop.has_ended()
        if not gate.failed:
            gate.wait(self)

    def admit(self) -> None:
        """It has come to its gate, and goes on. On the bridge."""
        slot, gate = self._slot, self._gate
        if self._code is not None:
            slot.take_code(self._code, self.settings)
        slot.modules_before, self._purged = self._purged, {}
        slot.succeed(self)
        self._gate = None
        if gate is not None:
            gate.open()

    def discard(self) -> None:
        """It never goes on. On the bridge."""
        self.stopping = "stop"
        if self._gate is not None:
            self._gate.refuse(self.stop.give_up)

    def shut(self) -> None:
        """Another version is in its place."""
        self._gate = Gate(None)

    # ---- queues, and what is sent cyclically ----

    def leaves(self, failed: bool) -> bool:
        """Are its queues for the next version, if it ends now?"""
        if self.stopping is not None:
            return self.stopping in ("reload", "restart")
        if failed:
            return self._slot.keeps or not self.settled
        return self._slot.always

    def _keep_queues(self) -> None:
        """What ends with the version is not to end with its variables."""
        self._kept += list(self._queues)

    def inherit(
        self, device: _awaitd.Device[Any], name: str | None
    ) -> _awaitd.Queue[Any] | None:
        """What the version before has left for this queue()."""
        flush = self._slot.flush and self.start_reason == "restart"
        return self._slot.inherit(device, name, flush)

    def settle(self) -> None:
        """It has had the time to inherit; but what it does first it is to have
        done, however little of the processor it got. On the bridge."""
        self.settled = self._drops = True
        # Before it is asked whether it has ended: then it leaves its own, and
        # main, which has yet to hear of it, says what becomes of them.
        left = self._slot.left()
        # Behind `_drops`: see now_waits().
        if self._waits and not self._ended:
            self._slot.drop_queues(left)

    def found(self, device: _awaitd.Device[Any]) -> None:
        """It has looked this device up."""
        self._devices.add(device)

    def uses(self, device: _awaitd.Device[Any]) -> bool:
        """Has it looked this device up, and has not ended?"""
        return device in self._devices

    def adopt(self, queue: _awaitd.Queue[Any]) -> None:
        """A queue was opened: it ends with the script."""
        self._queues.add(queue)
        self._attached.add(queue.device)
        self._devices.add(queue.device)
        release_held(self._slots)

    def adopt_periodic(self, periodic: _awaitd.PeriodicSend) -> None:
        """A cyclic transmission was started: it ends with the script."""
        if self._ended:
            raise _awaitd.Error("the script has ended: nothing is sent for it")
        self._periodic.add(periodic)
        for other in list(self._periodic):
            if other.stopped:
                self._periodic.discard(other)

    def now_waits(self) -> None:
        """What the script does first, it has done."""
        self._end_turn()
        if not self._waits:
            self._waits = True
            if self._drops:
                self._slot.drop_queues(self._slot.left())
            release_held(self._slots)
            self._slot.check_state()

    def ready_for(self, device: _awaitd.Device[Any]) -> bool:
        """It has attached to this device, or is not about to. One that has ended
        for a version that follows is."""
        if self._ended:
            return self.stopping not in ("reload", "restart")
        return self._waits or device in self._attached

    # ---- stopping ----

    def cancel(self, why: str, signum: int, again: bool) -> None:
        """The daemon asks the script to end, or with signal 0 only tells it why it
        does. Called on the bridge."""
        self.stopping = why
        if why != "stop":
            self._keep_queues()
        if signum == 0:
            return
        if not self.stop.ask(signum, again):
            return
        # A get() on a queue that is never empty does not suspend: this one
        # does, so that the loop turns and hears of it.
        for queue in list(self._queues):
            queue._yield_once()


def release_held(slots: list[Slot]) -> None:
    """Start the devices that wait until every script is ready (start=ready)."""
    for device in _registry.opened():
        if (
            device._held
            and device not in leaving.coming
            and all(slot.ready_for(device) for slot in slots)
        ):
            device._release()


def _exit_status(exit_: SystemExit) -> int:
    """What python3 makes of sys.exit(...)."""
    if exit_.code is None:
        return 0
    return exit_.code & 0xFF if isinstance(exit_.code, int) else 1
