"""What a script leaves to threads: waited for at its end, as python3 does.

After a stop the wait is bounded, or there is none: the end must come.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
import weakref
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from awaitd._host.current import current

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript

# How long a stop may go unnoticed while threads are waited for.
_LOOK_S = 0.1
# Of the time that executors get; the rest is for what comes after them.
_SHARE = 0.8

_executor_timeout_s = 0.0
_executors: weakref.WeakKeyDictionary[Executor, HostedScript] = (
    weakref.WeakKeyDictionary()
)


async def shut_down(executor: Executor, script: HostedScript) -> None:
    """Wait for a loop's default executor; not for ever after a stop."""
    if not getattr(executor, "_threads", True):
        # It was never used. A thread for that might begin when Python is being
        # finalised, which CPython does not survive: a daemon thread's loop may
        # end as late as that.
        executor.shutdown(wait=False)
        return
    loop = asyncio.get_running_loop()
    finished = loop.create_future()

    def tell() -> None:
        if not finished.done():
            finished.set_result(None)

    def close() -> None:
        executor.shutdown()
        with contextlib.suppress(RuntimeError):  # The loop was not kept.
            loop.call_soon_threadsafe(tell)

    closer = threading.Thread(target=close, daemon=True)
    closer.start()
    patience_s = _executor_timeout_s * _SHARE
    try:
        while not finished.done() and patience_s > 0:
            before = time.monotonic()
            await asyncio.wait([finished], timeout=_LOOK_S)
            if script.stopping:
                patience_s -= time.monotonic() - before
    finally:
        if finished.done():
            # It has nothing left to do; but if it were still about to end when
            # Python is finalised, it would keep the loop, and what that keeps,
            # for ever.
            closer.join()
        else:
            print(
                "awaitd: the default executor is still busy: left behind",
                file=sys.stderr,
            )


def _is_left(thread: threading.Thread, script: HostedScript) -> bool:
    return (
        getattr(thread, "_awaitd_script", None) is script
        and not thread.daemon
        and thread is not threading.current_thread()
    )


def _close_executors(script: HostedScript) -> None:
    """What was submitted is still done, and then their threads end."""
    mine = [e for e, owner in list(_executors.items()) if owner is script]
    for thread in threading.enumerate():
        # Of a ProcessPoolExecutor.
        reference = getattr(thread, "executor_reference", None)
        if reference is not None and _is_left(thread, script):
            mine.append(reference())
    for executor in mine:
        if executor is not None:
            executor.shutdown(wait=False)


def join(script: HostedScript) -> None:
    """Wait for the threads of a script that are not daemons, until its stop."""
    _close_executors(script)
    while not script.stopping:
        left = [t for t in threading.enumerate() if _is_left(t, script)]
        if not left:
            return
        left[0].join(_LOOK_S)


def forget(script: HostedScript) -> None:
    """The script has ended: its executors keep it alive no longer."""
    for executor, owner in list(_executors.items()):
        if owner is script:
            del _executors[executor]


def set_timeout(executor_timeout_s: float) -> None:
    """How long a default executor gets after a stop."""
    global _executor_timeout_s
    _executor_timeout_s = executor_timeout_s


def install(executor_timeout_s: float) -> None:
    """Know whose each thread pool is."""
    set_timeout(executor_timeout_s)
    init = ThreadPoolExecutor.__init__

    def init_for_script(
        executor: ThreadPoolExecutor, *args: Any, **kwargs: Any
    ) -> None:
        init(executor, *args, **kwargs)
        script = current()
        if script is not None:
            _executors[executor] = script

    ThreadPoolExecutor.__init__ = init_for_script  # type: ignore
