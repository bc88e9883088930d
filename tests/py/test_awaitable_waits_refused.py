"""What C code can await: what is refused, and what is dropped unawaited."""

from __future__ import annotations

import asyncio
import gc
import math

import awaitable_waits as waits
import pytest

pytestmark = pytest.mark.extension


async def answer():
    return 42


def test_queue_get_takes_nothing_before_it_is_awaited(q, peer):
    peer.put(q, 7)
    awaitable = waits.queue_get(q)
    assert q.qsize() == 1
    waits.cancel(awaitable)
    del awaitable
    assert q.qsize() == 1


@pytest.mark.parametrize(
    ("queue", "error"), [(None, ValueError), (object(), TypeError)]
)
def test_queue_get_refuses_what_is_no_queue(queue, error):
    with pytest.raises(error, match="[Qq]ueue"):
        waits.queue_get(queue)


def test_queue_get_refuses_nan(q):
    with pytest.raises(ValueError, match="NaN"):
        waits.queue_get(q, math.nan)


@pytest.mark.parametrize(
    "add",
    [
        lambda aw: waits.sleep(0, aw=aw),
        lambda aw: waits.fd(0, waits.READ, aw=aw),
        lambda aw: waits.completion(aw=aw),
        lambda aw: waits.timeout(asyncio.sleep, 1, aw=aw),
    ],
)
def test_every_wait_refuses_what_is_no_awaitable(add):
    with pytest.raises(TypeError):
        add(object())


def test_queue_get_refuses_what_is_no_awaitable(q):
    with pytest.raises(TypeError):
        waits.queue_get(q, aw=object())


def test_sleep_refuses_nan():
    with pytest.raises(ValueError, match="NaN"):
        waits.sleep(math.nan)


def test_sleep_that_is_never_awaited_says_so_once(recwarn):
    awaitable = waits.sleep(0)
    del awaitable
    gc.collect()
    assert [it.category for it in recwarn] == [ResourceWarning]


def test_timeout_that_is_never_awaited_closes_the_coroutine(recwarn):
    awaitable = waits.timeout(answer(), 1)
    del awaitable
    gc.collect()
    assert [it.category for it in recwarn] == [ResourceWarning]


def test_timeout_that_is_cancelled_unawaited_is_silent(recwarn):
    awaitable = waits.timeout(answer(), 1)
    waits.cancel(awaitable)
    del awaitable
    gc.collect()
    assert not list(recwarn)


@pytest.mark.parametrize(("coro", "error"), [(None, ValueError), (7, TypeError)])
def test_timeout_refuses_what_cannot_be_awaited(coro, error, recwarn):
    with pytest.raises(error):
        waits.timeout(coro, 1)
    assert not list(recwarn)


def test_timeout_refuses_the_awaitable_itself():
    awaitable = waits.sleep(0)
    with pytest.raises(ValueError):
        waits.timeout(awaitable, 1, aw=awaitable)
    waits.cancel(awaitable)


def test_timeout_refuses_nan():
    coro = answer()
    with pytest.raises(ValueError, match="NaN"):
        waits.timeout(coro, math.nan)
    coro.close()


@pytest.mark.parametrize("events", [0, 4, 7, -1])
def test_fd_refuses_other_events(events):
    with pytest.raises(ValueError, match="PyAwaitable_READ"):
        waits.fd(0, events)


def test_fd_refuses_a_negative_one():
    with pytest.raises(ValueError, match="fd -1"):
        waits.fd(-1, waits.READ)
