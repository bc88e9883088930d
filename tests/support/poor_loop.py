"""An event loop that has no memory for some wakes."""

from __future__ import annotations

import asyncio


class PoorLoop(asyncio.SelectorEventLoop):
    """Has no memory for the next wakes."""

    refusals = 0  # from other threads
    half_done = False  # they are scheduled all the same
    refuses_soon = False  # the next one from its own thread

    def call_soon_threadsafe(self, callback, *arguments, context=None):
        refuses = self.refusals > 0
        self.refusals -= refuses
        if refuses and not self.half_done:
            raise MemoryError
        handle = super().call_soon_threadsafe(
            callback, *arguments, context=context
        )
        if refuses:
            raise MemoryError
        return handle

    def call_soon(self, callback, *arguments, context=None):
        if self.refuses_soon and "wakeup" in repr(callback).lower():
            self.refuses_soon = False
            raise MemoryError
        return super().call_soon(callback, *arguments, context=context)


def run_poor(main):
    """Runs main(loop), with a deadline; what went wrong within the loop fails."""
    loop, wrong = PoorLoop(), []
    loop.set_exception_handler(lambda loop, context: wrong.append(context))
    try:
        result = loop.run_until_complete(asyncio.wait_for(main(loop), 20))
    finally:
        loop.close()
    assert not wrong
    assert loop.refusals == 0
    assert not loop.refuses_soon
    return result
