"""A trio run in the form of a loop, so far as awaitd needs one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from awaitd import _script

# Not an import statement: the types pass where trio is not installed.
trio: Any = import_module("trio")
_loop: Any = trio.lowlevel.RunVar("awaitd")


class TrioLoop:
    """One trio.run(), with those methods of asyncio's loops that awaitd calls."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()

    def is_closed(self) -> bool:
        try:
            self.call_soon(bool)
        except trio.RunFinishedError:
            return True
        return False

    async def suspend(self, waiter: Any) -> None:
        """Sleep until ``waiter`` is done. It yields what trio understands."""
        asleep = [trio.lowlevel.current_task()]

        def wake(_: object) -> None:
            if asleep:  # it may come after a cancellation
                trio.lowlevel.reschedule(asleep.pop())

        def abort(_: object) -> Any:
            asleep.clear()
            return trio.lowlevel.Abort.SUCCEEDED

        waiter.add_done_callback(wake)
        del waiter  # which holds this coroutine
        await trio.lowlevel.wait_task_rescheduled(abort)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> None:
        self._token.run_sync_soon(callback, *args)

    call_soon_threadsafe = call_soon

    def call_later(self, delay_s: float, callback: Any) -> Any:
        scope = trio.CancelScope()

        async def wait() -> None:
            with scope:
                await trio.sleep(delay_s)
                callback()

        trio.lowlevel.spawn_system_task(wait)
        return scope


def running_loop() -> TrioLoop:
    """The run that this is called in, always as one object; or RuntimeError."""
    try:
        loop: TrioLoop | None = _loop.get(None)
    except RuntimeError:
        raise RuntimeError("no running event loop") from None
    if loop is None:
        loop = TrioLoop()
        _loop.set(loop)
        # A hosted script waits once its tasks have made their first steps.
        loop.call_soon(getattr(_script.current(), "now_waits", bool))
    return loop
