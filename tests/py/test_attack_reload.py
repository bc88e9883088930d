"""Storms of SIGHUP, and of changes, while frames flow."""

from __future__ import annotations

import signal

import pytest
from attack import TAKER, target  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

OTHER = """
    import asyncio, awaitd
    from awaitd.devices import bus
    queue = bus.queue(name="other", overflow="drop-oldest", depth=64)
    print("ready", awaitd.script.generation, flush=True)
    await asyncio.Event().wait()
    # {0}
"""


def edit(target, number: object, ready: str = "ready") -> None:
    """In one step: the daemon may read it at any moment."""
    text = OTHER.format(number).replace('"ready"', f'"{ready}"')
    path = target.control.host.write("other.new", text)
    path.rename(path.with_suffix(".py"))


def test_1000_hangups_under_traffic_are_few_reloads_and_lose_nothing(target):
    target.start(
        scripts={"other": OTHER.format(1)}, keys="reload_settle_s: 0.1\n"
    )
    edit(target, 2)
    for _ in range(1000):
        target.process.signal(signal.SIGHUP)
    target.process.line("other: ready 2")
    target.go_on()
    target.finish_reloads()
    devices = target.stop()
    assert 2 <= target.process.stdout.count("other: ready") <= 3
    # The one that was reloaded has missed nothing either.
    (other,) = [
        queue
        for queue in devices["bus"]["queues"]
        if queue["name"] == "other"
    ]
    assert other["received"] == devices["bus"]["send"]["sent"]
    assert target.process.stderr.count("other is reloaded") <= 2
    assert "reload failed" not in target.process.stderr


def test_hangups_and_changes_at_once_end_with_the_last_version(target):
    """Each change comes while the reload for the one before is under way."""
    target.start(
        scripts={"other": OTHER.format(0)}, keys="reload_settle_s: 0.1\n"
    )
    for number in range(1, 200):
        edit(target, number)
        for _ in range(5):
            target.process.signal(signal.SIGHUP)
    edit(target, "last", ready="the last is ready")
    target.process.signal(signal.SIGHUP)
    target.process.line("other: the last is ready")
    target.go_on()
    target.finish_reloads()
    target.stop()
    assert "reload failed" not in target.process.stderr
