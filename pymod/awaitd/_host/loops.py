"""Event loops of scripts: asyncio's, uvloop's, or any other.

Every loop tells asyncio when it begins to run and when it stops, and the default
ones are made by its policy. There each loop learns that signals are the
daemon's, that its complaints are its script's, and that a stop is meant for it,
whether asyncio.run made it or the script did.
"""

from __future__ import annotations

import asyncio
import asyncio.coroutines
import asyncio.events
import contextlib
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from awaitd._host import threads
from awaitd._host.current import attributed, current

if TYPE_CHECKING:
    from awaitd._host.script import HostedScript

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Called where a loop comes back from its wait, and where it goes to it; the
# third one from time to time by a loop that does not tell these, and says in how
# many seconds again.
Heartbeat = tuple[
    Callable[[], None], Callable[[], bool], Callable[[], float]
]

# Of the loop that runs on this thread: `ours` if it was made known to the stop
# by us, `timer` if it is probed.
_here = threading.local()


class _Signals:
    """loop.add_signal_handler and its opposite, for a loop of a script."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, script: HostedScript
    ) -> None:
        self._loop = loop
        self._script = script

    def add(
        self, sig: int, callback: Callable[..., object], *args: object
    ) -> None:
        """Call ``callback(*args)`` when the daemon stops the script by ``sig``,
        in place of the cancellation of its main task."""
        if asyncio.iscoroutine(callback) or asyncio.iscoroutinefunction(
            callback
        ):
            raise TypeError(
                "coroutines cannot be used with add_signal_handler()"
            )
        self._check(sig)
        if not self._script.stop.is_here():
            raise RuntimeError(
                "add_signal_handler() works on the script's own thread only, "
                "as in python3 on the main thread only"
            )
        self._script.stop.add_handler(self._loop, sig, callback, args)

    def remove(self, sig: int) -> bool:
        """True if there was a handler for ``sig``."""
        return self._script.stop.remove_handler(self._loop, sig)

    def _check(self, sig: int) -> None:
        if self._loop.is_closed():
            raise RuntimeError("Event loop is closed")
        if sig not in _STOP_SIGNALS:
            name = signal.Signals(sig).name
            raise RuntimeError(
                f"{name} is the daemon's: under awaitd a script can handle "
                "SIGINT and SIGTERM, as its stop, and no other signal"
            )


def adapt(loop: asyncio.AbstractEventLoop, script: HostedScript) -> None:
    """Make this loop the script's. Once, however often it is called."""
    if getattr(loop, "_awaitd_script", None) is not None:
        return
    signals = _Signals(loop, script)
    default_exception_handler = loop.default_exception_handler
    set_default_executor = loop.set_default_executor
    executor: Executor = ThreadPoolExecutor(thread_name_prefix="asyncio")

    def handle_exception(context: dict[str, Any]) -> None:
        with attributed(script):
            default_exception_handler(context)

    def use_executor(given: ThreadPoolExecutor) -> None:
        nonlocal executor
        set_default_executor(given)
        executor = given

    async def shut_down_executor(timeout: float | None = None) -> None:
        await threads.shut_down(executor, script)

    # A loop that takes no attributes stays as it is, and is stopped all the
    # same.
    with contextlib.suppress(AttributeError):
        loop._awaitd_script = script  # type: ignore[attr-defined]
        loop.add_signal_handler = signals.add  # type: ignore
        loop.remove_signal_handler = signals.remove  # type: ignore
        loop.default_exception_handler = handle_exception  # type: ignore
        loop.set_default_executor = use_executor  # type: ignore
        loop.shutdown_default_executor = shut_down_executor  # type: ignore
        set_default_executor(executor)


def _watch_turns(loop: asyncio.AbstractEventLoop, script: HostedScript) -> bool:
    """Have the loop tell when it waits; false if it is not one of asyncio's.

    It is the wait itself that tells: a loop that sleeps is not woken for it.
    """
    selector = getattr(loop, "_selector", None)
    if selector is None:
        return False
    plain = selector.select
    if getattr(plain, "_awaitd_script", None) is script:
        return True
    awake, asleep = script.awake, script.asleep

    def select(timeout: float | None = None) -> Any:
        asleep()
        try:
            return plain(timeout)
        finally:
            awake()

    select._awaitd_script = script  # type: ignore[attr-defined]
    with contextlib.suppress(AttributeError):
        selector.select = select
        return True
    return False


def _probe_turns(loop: asyncio.AbstractEventLoop, script: HostedScript) -> None:
    """Of a loop that waits out of sight (uvloop's) see whether a timer is late.

    It is woken for that, a few times in ``stall_ms``.
    """

    def probe() -> None:
        _end_probes()
        interval_s = script.probe()
        if interval_s > 0:
            _here.timer = loop.call_later(interval_s, probe)

    script.awake()
    loop.call_soon(probe)


def _end_probes() -> None:
    timer = getattr(_here, "timer", None)
    if timer is not None:
        timer.cancel()
        _here.timer = None


def _watch_running_loops() -> None:
    """See each loop begin and end, of whatever make."""
    set_running_loop = asyncio.events._set_running_loop

    def set_running(loop: asyncio.AbstractEventLoop | None) -> None:
        script = current()
        if script is not None and loop is not None:
            script.begins_loop()
        set_running_loop(loop)
        if script is None:
            return
        if loop is not None:
            adapt(loop, script)
            # Behind the tasks' first steps: if those suspend, it waits.
            loop.call_soon(script.now_waits)
            if script.stop.is_here():
                _here.ours = script.stop.loop_starts(loop)
                if _watch_turns(loop, script):
                    script.awake()
                else:
                    _probe_turns(loop, script)
            return
        _end_probes()
        script.asleep()
        if getattr(_here, "ours", False):
            _here.ours = False
            script.stop.loop_stops()

    asyncio.events._set_running_loop = set_running
    asyncio._set_running_loop = set_running


def _follow_runs() -> None:
    """asyncio's loops are followed while they run: a stop that comes as one
    stops is neither lost nor in the midst of its cleaning up."""
    base: Any = asyncio.BaseEventLoop
    plain = base.run_forever

    def run_forever(loop: asyncio.AbstractEventLoop) -> None:
        script = current()
        if script is None or not script.stop.is_here():
            plain(loop)
            return
        with script.stop.following():
            plain(loop)

    run_forever.__doc__ = plain.__doc__
    base.run_forever = run_forever


def _adapt_policies() -> None:
    """New loops are adapted, and a script's own thread has one by default, as
    the main thread does in python3."""
    policy_type: Any = asyncio.events.BaseDefaultEventLoopPolicy
    new_event_loop = policy_type.new_event_loop
    get_event_loop = policy_type.get_event_loop

    def new_loop(policy: Any) -> asyncio.AbstractEventLoop:
        script = current()
        loop: asyncio.AbstractEventLoop
        if script is None:
            loop = new_event_loop(policy)
        elif script.stop.is_here():
            with script.stop.held():
                loop = new_event_loop(policy)
                adapt(loop, script)
        else:
            loop = new_event_loop(policy)
            adapt(loop, script)
        return loop

    def get_loop(policy: Any) -> asyncio.AbstractEventLoop:
        script = current()
        local = policy._local
        if (
            script is not None
            and script.stop.is_here()
            and local._loop is None
            and not local._set_called
        ):
            policy.set_event_loop(policy.new_event_loop())
        loop: asyncio.AbstractEventLoop = get_event_loop(policy)
        return loop

    policy_type.new_event_loop = new_loop
    policy_type.get_event_loop = get_loop


def install() -> None:
    """From now on, for all loops of the process."""
    _watch_running_loops()
    _follow_runs()
    _adapt_policies()
