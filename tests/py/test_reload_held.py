"""A replay with start=ready that comes with another configuration."""

from __future__ import annotations

import pytest
from configured import daemon, reload  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

WAITS = "import asyncio\nawait asyncio.Event().wait()\n"
COUNTS = """
    import asyncio, awaitd
    q = awaitd.device("log").queue(depth=8)
    count = 0
    async for frame in q:
        count += 1
    print(awaitd.script.start_reason, "got", count, flush=True)
    await asyncio.Event().wait()
"""


@pytest.fixture
def held(daemon):
    """held(speed, *scripts) -> the configuration with a replay of five frames
    that begins when every script is ready."""
    lines = (f"({n}.000000) can0 123#{n:02X}\n" for n in range(5))
    (daemon.folder / "five.log").write_text("".join(lines))

    def configure(speed: object, *scripts: str) -> str:
        paths = ", ".join(f"{{path: {name}.py}}" for name in scripts)
        return f"""
            devices: [{{name: log, driver: replay, speed: {speed}, start: ready,
                       path: {daemon.folder}/five.log}}]
            scripts: [{paths}]
        """

    return configure


def test_held_replay_in_the_place_of_another_waits_for_the_new_version(
    daemon, reload, held
):
    daemon.script("one", WAITS)
    daemon.script("two", COUNTS)
    process = daemon.start(held("max", "one", "two"))
    process.line("two: start got 5")
    reload(held(100, "one", "two"))
    assert process.line("two: restart got") == "two: restart got 5"


def test_held_replay_does_not_wait_for_who_goes_on_with_the_one_before(
    daemon, reload, held
):
    daemon.script("one", COUNTS)
    daemon.script("two", COUNTS)
    process = daemon.start(held("max", "one", "two"))
    for _ in range(2):
        process.line("start got 5")
    daemon.script("two", "1 +\n")
    (note,) = reload(held(100, "one", "two"), status=1)["notes"]
    assert "script two goes on with device log" in note
    assert process.line("one: restart got") == "one: restart got 5"


def test_held_replay_that_is_back_does_not_wait_for_who_has_the_one_before(
    daemon, reload, held
):
    daemon.script("one", COUNTS)
    daemon.script("two", COUNTS)
    process = daemon.start(held("max", "two"))
    process.line("start got 5")
    reload("scripts: [{path: two.py}]")
    reload(held(100, "one", "two"))
    assert process.line("one: start got") == "one: start got 5"
