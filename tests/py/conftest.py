"""Fixtures of the tests of queues and devices."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import namespaces
import pytest
import rig
from process import Process

import awaitd


def pytest_configure(config: pytest.Config) -> None:
    # What Python could only print, or a thread died of, fails the test.
    for name in (
        "PytestUnraisableExceptionWarning",
        "PytestUnhandledThreadExceptionWarning",
    ):
        config.addinivalue_line("filterwarnings", f"error::pytest.{name}")


@pytest.fixture
def bus() -> Iterator[awaitd.CanDevice]:
    """A virtual CAN bus: every queue gets what is sent."""
    with awaitd.open({"name": "bus", "driver": "virtual", "kind": "can"}) as bus:
        yield bus


@pytest.fixture
def wakeup() -> str | None:
    """How `q` wakes its loop; modules that want both ways use
    rig.on_every_wakeup."""
    return None


@pytest.fixture
def q(
    bus: awaitd.CanDevice, wakeup: Any
) -> awaitd.Queue[awaitd.CanFrame]:
    """A queue on the bus."""
    return bus.queue(name="q", wakeup=wakeup)


@pytest.fixture
def peer() -> Iterator[rig.Peer]:
    peer = rig.Peer()
    yield peer
    peer.close()


@pytest.fixture
def loop_class() -> type[Any]:
    """A kind of event loop; modules that want all kinds use
    rig.on_every_loop."""
    return rig.AsyncioLoop


@pytest.fixture
def run(
    loop_class: type[Any],
) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """run(coroutine): its result, on a loop of its own, within a deadline."""
    runners = []

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(rig.DEADLINE_S):
                return await coroutine

        runners.append(asyncio.Runner(loop_factory=loop_class))
        return runners[-1].run(bounded())

    yield run
    for runner in runners:
        runner.close()


@pytest.fixture(autouse=True)
def forget_callbacks() -> Iterator[None]:
    """What a test gave the coroutine API as callbacks is let go."""
    yield
    if "awaitable_probe" in sys.modules:
        sys.modules["awaitable_probe"].release()


@pytest.fixture
def python(start_process: Callable[..., Process]) -> Callable[..., Process]:
    """python(source, *arguments) -> Process: this Python on that program."""

    def start(source: str, *arguments: str, **options: Any) -> Process:
        program = textwrap.dedent(source)
        return start_process(
            sys.executable, "-c", program, *arguments, **options
        )

    return start


@pytest.fixture
def veth() -> Iterator[namespaces.Pair]:
    """A cable between near0 and far0, in namespaces of its own."""
    refusal = namespaces.refusal()
    if refusal:
        pytest.skip(refusal)
    with namespaces.veth_pair() as pair:
        yield pair
