"""Which script is this? The one that the calling thread works for."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import _awaitd
from awaitd import _script

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript

_local = threading.local()


def enter(script: HostedScript) -> None:
    """The calling thread is this script's from now on."""
    _local.script = script


def current() -> HostedScript | None:
    """The script that started the calling thread; None for awaitd's own."""
    script: HostedScript | None = getattr(_local, "script", None)
    if script is None:
        script = getattr(threading.current_thread(), "_awaitd_script", None)
        _local.script = script
    return script


class attributed:
    """What is printed or attached inside the block is this script's."""

    def __init__(self, script: HostedScript) -> None:
        self._script = script

    def __enter__(self) -> None:
        self._before = getattr(_local, "script", None)
        _local.script = self._script

    def __exit__(self, *exc_info: object) -> None:
        _local.script = self._before


def _follow_threads() -> None:
    """A thread works for the script that started it."""
    start = threading.Thread.start
    start_new_thread = _thread.start_new_thread

    def start_for_script(thread: threading.Thread) -> None:
        script: Any = current()
        if script is not None:
            thread._awaitd_script = script  # type: ignore[attr-defined]
        if script is None or not script.stop.is_here():
            start(thread)
            return
        # Until it runs, Python takes the new thread for the one that starts
        # it: an interruption might kill it, and start() wait for ever.
        with script.stop.held():
            start(thread)

    def start_new_for_script(
        function: Callable[..., object], *arguments: Any
    ) -> int:
        script = current()

        def run(*args: Any, **kwargs: Any) -> None:
            if script is not None:
                enter(script)
            function(*args, **kwargs)

        return start_new_thread(run, *arguments)

    threading.Thread.start = start_for_script  # type: ignore
    _thread.start_new_thread = start_new_for_script  # type: ignore


def install() -> None:
    """Threads that a script starts are its own; queues are told their owner."""
    _follow_threads()
    _awaitd._set_owner_hook(current)
    plain = _script.current
    _script.current = lambda: current() or plain()
