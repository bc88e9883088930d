"""The daemon's side of a script: called by the interpreter host (pymod/host.c).

``start`` once, on the bridge; ``run`` on each script's own thread; ``cancel`` on
the bridge whenever the daemon wants a script to end. Not for scripts.
"""

from __future__ import annotations

import faulthandler

from awaitd._host import current, loops, output, process, runner, threads
from awaitd._host.loops import Heartbeat
from awaitd._host.script import HostedScript

_scripts: list[HostedScript] = []


def start(
    scripts: list[tuple[str, str, list[str], Heartbeat]],
    writer: output.Writer | None,
    executor_timeout_s: float,
    dump_signal: int,
    stack_signal: int,
    stack_fd: int,
) -> None:
    """Make the process ready for these (name, path, arguments, heartbeat)."""
    for name, path, arguments, heartbeat in scripts:
        _scripts.append(
            HostedScript(name, path, arguments, heartbeat, _scripts)
        )
    current.install()
    process.install(_scripts)
    output.install(writer)
    threads.install(executor_timeout_s)
    loops.install()
    runner.install()
    # A crash in C code tells which line of which script led to it.
    faulthandler.enable()
    faulthandler.register(dump_signal, all_threads=True)
    faulthandler.register(stack_signal, stack_fd, all_threads=False)


def run(index: int) -> tuple[int, bool]:
    """Run a script to its end: (exit status, ended by cancellation)."""
    return _scripts[index].run()


def cancel(index: int, signal: int, again: bool) -> None:
    """Ask a script to end; ``again`` when it has not by now."""
    _scripts[index].cancel(signal, again)


def interrupt(index: int) -> None:
    """Raise KeyboardInterrupt in a script whose loop does not turn."""
    _scripts[index].stop.interrupt()
