"""What the tests of the coroutine API share: small things to await, and ways to
drive an awaitable to its end.

`awaitable_probe` is the API itself, function by function: see
tests/native/probe.h for how a callback is given in Python.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from typing import Any

import awaitable_probe as probe

# Never suspends, and says nothing when it is dropped.


@types.coroutine
def ready(value: Any = None) -> Generator[Any, Any, Any]:
    return value
    yield


@types.coroutine
def failing(error: BaseException) -> Generator[Any, Any, Any]:
    raise error
    yield


@types.coroutine
def pause(value: Any = None) -> Generator[Any, Any, Any]:
    """Suspends once, with that value; its result is what is sent."""
    return (yield value)


async def logged(log: list[Any], name: Any) -> Any:
    """Leaves its name in the log when it runs; that is its result, too."""
    log.append(name)
    return name


class Iterated:
    """Awaited, it gives that iterator, whatever it is."""

    def __init__(self, iterator: Any) -> None:
        self.iterator = iterator

    def __await__(self) -> Any:
        return self.iterator


def awaiting(coro: Any, cb: Any = None, err: Any = None) -> Any:
    """An awaitable with one step."""
    aw = probe.new()
    probe.add_await(aw, coro, cb, err)
    return aw


def with_result(coro: Any) -> Any:
    """An awaitable: `return await coro`."""
    aw = probe.new()
    probe.add_await_result(aw, coro)
    return aw


def finish(aw: Any, most: int = 100) -> Any:
    """Drive it by hand; its result."""
    for _ in range(most):
        try:
            aw.send(None)
        except StopIteration as stop:
            return stop.value
    raise AssertionError(f"{aw!r} suspends more than {most} times")


def turns(aw: Any) -> int:
    """How often it suspends."""
    count = 0
    while True:
        try:
            aw.send(None)
        except StopIteration:
            return count
        count += 1


def noting(log: list[Any], code: Any = 0) -> Callable[[Any, Any], Any]:
    """A callback that logs the value it gets, and returns that code."""

    def note(aw: Any, value: Any) -> Any:
        log.append(value)
        return code

    return note
