"""Clients of the control socket that say nothing for a minute give their places
up. The daemon's clock is put forward for it (tests/support/shift_clock.c), by 30 s
at a time; a sanitizer's daemon has a clock that this does not reach, so that these
tests are no part of test_control_clients.py."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import _awaitd
import pytest
from ask_as import ask_as
from attack import write_until_full
from control import Client, Controlled, control, wait_until  # noqa: F401
from hosted import host  # noqa: F401
from process import Process

pytestmark = pytest.mark.daemon

CLOCK = Path(_awaitd.__file__).parent / "tests" / "libshift_clock.so"
SHIFT = signal.SIGRTMIN + 1
PLACES = 200
SILENT = "it has been silent for 60 s"
LINGERS = """
    import asyncio, pathlib
    print("ready", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("stopping", flush=True)
        while not pathlib.Path({go_on!r}).exists():
            await asyncio.sleep(0.01)
"""


@pytest.fixture
def start(control: Controlled) -> Callable[[], Process]:  # noqa: F811
    """The daemon, with a clock that can be put forward."""
    assert CLOCK.is_file(), f"{CLOCK} is missing: ./run build makes it"
    return lambda: control.start(env={"LD_PRELOAD": str(CLOCK)})


def pass_half_a_minute(
    control: Controlled,  # noqa: F811
    watcher: Client,
    process: Process,
) -> None:
    """Returns once the daemon has looked at all its clients since: it sends one
    away that has not read for longer than 5 s."""
    # It notes the time of an answer after the answer; this one comes later.
    watcher.get("status")
    write_until_full(control.connect(), b'{"command": "metrics"}\n' * 200)
    process.signal(SHIFT)
    process.line("it does not read", stream="stderr")


def half_open(control: Controlled) -> Client:  # noqa: F811
    """The half has come with the request before it, which is answered."""
    client = control.connect()
    client.write(b'{"command": "status"}\n{"command": "sta')
    assert client.receive()["ok"]
    return client


def test_half_open_clients_lose_their_places_after_a_minute(
    control: Controlled, start: Callable[[], Process]  # noqa: F811
) -> None:
    process = start()
    watcher = control.connect()
    silent = [half_open(control) for _ in range(PLACES - 2)]
    pass_half_a_minute(control, watcher, process)
    # Not yet.
    assert watcher.get("status")["clients"] == PLACES - 1
    silent.append(half_open(control))
    process.signal(SHIFT)
    for client in silent[:-1]:
        assert client.line() is None
    line = process.line("client dropped", stream="stderr")
    assert line.endswith(SILENT)
    # But for the one that came later, whose minute is not over.
    wait_until(lambda: watcher.get("status")["clients"] == 2)
    silent[-1].write(b'tus"}\n')
    assert silent[-1].receive()["ok"]
    assert control.connect().get("status")["clients"] == 3


def test_who_comes_to_a_full_house_has_the_place_of_the_most_silent(
    control: Controlled, start: Callable[[], Process]  # noqa: F811
) -> None:
    process = start()
    watcher = control.connect()
    first, *rest = (half_open(control) for _ in range(PLACES - 2))
    pass_half_a_minute(control, watcher, process)
    last = half_open(control)
    assert control.connect().get("status")["clients"] == PLACES
    process.line("all places for control clients", stream="stderr")
    assert first.line() is None
    for client in (*rest, last):
        client.write(b'tus"}\n')
        assert client.receive()["ok"]
    assert watcher.get("status")["dropped_clients"] == 2


def test_who_may_only_look_has_no_place_of_who_may_change_things(
    control: Controlled,  # noqa: F811
) -> None:
    process = control.start(
        config="control: {read_group: 4242}\n", env={"LD_PRELOAD": str(CLOCK)}
    )
    status = '{"command": "status"}'
    watcher = control.connect()
    for _ in range(PLACES - 2):
        half_open(control)
    assert ask_as(control, status, gid=4242) == ["busy"]
    pass_half_a_minute(control, watcher, process)
    half_open(control)
    assert ask_as(control, status, gid=4242) == ["busy"]
    assert ask_as(control, status, uid=0) == ["yes"]


def test_client_that_waits_for_an_answer_may_be_silent(
    control: Controlled,  # noqa: F811
) -> None:
    go_on = control.folder / "go on"
    process = control.start(
        LINGERS.format(go_on=str(go_on)),
        config="stop_grace_s: 600\nstop_timeout_s: 900\n",
        env={"LD_PRELOAD": str(CLOCK)},
    )
    watcher, asking = control.connect(), control.connect()
    silent = half_open(control)
    asking.write(b'{"command": "restart"}\n')
    process.line("stopping")
    pass_half_a_minute(control, watcher, process)
    process.signal(SHIFT)
    assert silent.line() is None
    go_on.touch()
    (reply,) = asking.receive()["result"]["scripts"]
    assert (reply["ok"], reply["generation"]) == (True, 2)


def test_client_that_follows_something_may_be_silent(
    control: Controlled, start: Callable[[], Process]  # noqa: F811
) -> None:
    process = start()
    follower = control.connect()
    follower.get("dump", device="bus")
    silent = half_open(control)
    pass_half_a_minute(control, follower, process)
    process.signal(SHIFT)
    assert silent.line() is None
    assert follower.get("status")["clients"] == 1
