"""The daemon's side of a script: called by the interpreter host.

``start`` once, on the bridge; then, on the bridge as well, ``create`` for each
start of a script, and whatever the daemon wants of one; ``run`` on each
version's own thread (pymod/host_scripts.c). Not for scripts.
"""

from __future__ import annotations

import faulthandler
import gc
import os
from collections.abc import Callable
from typing import Any

import _awaitd
from awaitd import _registry
from awaitd._host import (
    current,
    leaving,
    loops,
    output,
    process,
    runner,
    threads,
)
from awaitd._host.loops import Heartbeat
from awaitd._host.script import HostedScript, release_held
from awaitd._host.slot import Slot

_slots: list[Slot] = []
_tell_held: Callable[[int, int], object]


def start(
    scripts: list[tuple[Any, ...]],
    writer: output.Writer | None,
    plain_alone: bool,
    executor_timeout_s: float,
    dump_signal: int,
    stack_signal: int,
    stack_fd: int,
    tell_held: Callable[[int, int], object],
    tell_device: Callable[[int, int], object],
    cwd: str | None = None,
) -> None:
    """Make the process ready for these scripts, each as Slot() takes it."""
    global _tell_held
    _tell_held = tell_held
    leaving.install(tell_device)
    _slots.extend(
        Slot(index, *script) for index, script in enumerate(scripts)
    )
    if cwd is not None:
        # The slots have their paths by now.
        os.chdir(cwd)
    current.install()
    process.install(_slots)
    output.install(writer)
    if not plain_alone:
        output.begin()
    threads.install(executor_timeout_s)
    loops.install()
    runner.install()
    # A crash in C code tells which line of which script led to it.
    faulthandler.enable()
    faulthandler.register(dump_signal, all_threads=True)
    faulthandler.register(stack_signal, stack_fd, all_threads=False)


def configure(
    index: int,
    executor_timeout_s: float,
    name: str,
    *settings: Any,
) -> None:
    """A script is new, in a place of its own or that of one that was removed,
    or may have changed."""
    threads.set_timeout(executor_timeout_s)
    if index == len(_slots):
        _slots.append(Slot(index, name, *settings))
    elif _slots[index].name == name:
        _slots[index].configure(*settings)
    else:
        _slots[index] = Slot(index, name, *settings)
    process.add_paths(_slots[index])
    if sum(slot.name != "" for slot in _slots) > 1:
        output.begin()


def remove(index: int) -> None:
    """A script was removed, and has ended."""
    _slots[index].drop_queues(_slots[index].left())
    _slots[index] = Slot(index, "", os.devnull, [])
    release_held(_slots)
    _collect_ended()


def _collect_ended() -> None:
    # A version's functions and their globals keep each other, and with them
    # its queues' descriptors: it might be long until Python looks for them.
    gc.collect()


def add_device(device: _awaitd.Device[Any], replaced: int) -> None:
    """A device was opened; not 0: in the place of that one."""
    leaving.coming.add(device)
    before = _registry.put(device)
    if before is not None:
        leaving.add(replaced, before, _slots)


def settled() -> None:
    """Whoever is started again for a device that was added has been."""
    leaving.coming.clear()
    release_held(_slots)


def remove_device(name: str, number: int) -> None:
    """A device is not configured any more."""
    device = _registry.take(name)
    if device is not None:
        leaving.add(number, device, _slots)


def tell_users(name: str, number: int) -> None:
    """Tell which scripts use a device, which may be leaving."""
    leaving.tell_users(name, number, _slots)


def create(
    index: int, generation: int, reason: str, heartbeat: Heartbeat
) -> None:
    """Make a version of a script, which ``run`` will run."""
    slot = _slots[index]
    only_changed = reason == "changed"
    if only_changed:
        reason = "reload"
    script = HostedScript(
        slot, generation, reason, _slots, heartbeat, only_changed
    )
    slot.versions[generation] = script
    if reason != "start":
        _awaitd._set_gate_hook(_pass_gate)
    if reason == "reload":
        script.hold(lambda: _tell_held(index, generation))
    else:
        slot.succeed(script)


def run(index: int, generation: int) -> tuple[int, bool, bool, str]:
    """Run a version to its end: (exit status, ended by cancellation, ended as
    nothing has changed, what went wrong in one line)."""
    slot = _slots[index]
    try:
        return slot.versions[generation].run()
    finally:
        slot.versions.pop(generation).forget()
        leaving.look(_slots)


def never_ran(index: int, generation: int) -> None:
    """There was no thread to be had for this version."""
    _slots[index].versions.pop(generation).never_ran()
    leaving.look(_slots)


def admit(index: int, generation: int) -> None:
    """Let a version that is held go on."""
    script = _slots[index].versions.get(generation)
    if script is not None:
        script.admit()


def discard(index: int, generation: int) -> None:
    """Have a version that was not admitted end."""
    script = _slots[index].versions.get(generation)
    if script is not None:
        script.discard()


def drop_queues(index: int, generation: int) -> None:
    """That version has what it wants of the queues of earlier ones; 0: nobody
    wants what is left, as the script is not started again."""
    slot = _slots[index]
    if generation == 0:
        slot.rest()
        dropped = slot.drop_queues(slot.left())
        release_held(_slots)
        if not dropped:
            return
    elif slot.current is not None:
        slot.current.settle()
    _collect_ended()


def cancel(
    index: int, generation: int, why: str, signal: int, again: bool
) -> None:
    """Ask a version to end; ``again`` when it has not by now."""
    script = _slots[index].versions.get(generation)
    if script is not None:
        script.cancel(why, signal, again)


def _pass_gate() -> None:
    script = current.current()
    if script is not None:
        script.pass_gate()


def interrupt(index: int, generation: int) -> None:
    """Raise KeyboardInterrupt in a version whose loop does not turn."""
    script = _slots[index].versions.get(generation)
    if script is not None:
        script.stop.interrupt()
