"""The types that are declared: they are those of the extension, and code that
uses them passes mypy --strict."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("mypy") is None:
    pytest.skip("mypy is not installed: types are NOT checked",
                allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
# Top-level `await` is awaitd's own: type checkers know only functions with it.
TOP_LEVEL_AWAIT = {"three_lines.py", "ten_lines.py"}
EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.py"))
            if path.name not in TOP_LEVEL_AWAIT]

USE = """
from typing_extensions import assert_type
import asyncio
import awaitd

async def transfer(adc: awaitd.SpiDevice) -> None:
    assert_type(await adc.transfer(b"abc"), bytes)
    assert_type(await adc.transfer([b"a", b"b"], timeout=1.0), list[bytes])
    assert_type(await adc.transfer([{"tx": b"a"}, {"read": 3}]), list[bytes])
    assert_type(await adc.transfer([b"a", {"read": 3, "cs_change": True}]),
                list[bytes])
    assert_type(await adc.queue().get(), awaitd.Frame)

async def use(can: awaitd.CanDevice, net: awaitd.DatagramDevice) -> None:
    queue = can.queue(filters=[{"can_id": 1, "can_mask": 0x7FF}])
    assert_type(queue, awaitd.Queue[awaitd.CanFrame])
    assert_type(await queue.get(), awaitd.CanFrame)
    assert_type(await queue.get(timeout=0.5), awaitd.CanFrame)
    assert_type(await queue.get_many(8), list[awaitd.CanFrame])
    assert_type(queue.get_nowait(), awaitd.CanFrame)
    assert_type(queue.recv(1.0), awaitd.CanFrame | None)
    assert_type(await asyncio.create_task(queue.get()), awaitd.CanFrame)
    async for frame in queue:
        assert_type(frame, awaitd.CanFrame)
    assert_type(await can.send(awaitd.CanFrame.parse("123#01")), None)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(net.queue().get())
    assert_type(task.result(), awaitd.Datagram)
    assert_type(queue.stats().received, int)
    assert_type(await queue.get_batch(8), awaitd.Batch[awaitd.CanFrame])
    assert_type(queue.peek(1), awaitd.CanFrame | None)
    async with queue.lease(2) as frames:
        assert_type(frames, list[awaitd.CanFrame])
    gappy = can.queue(gaps=True)
    assert_type(gappy, awaitd.Queue[awaitd.CanFrame | awaitd.Gap])
    async for item in awaitd.merge(queue, gappy):
        assert_type(item, awaitd.CanFrame | awaitd.Gap)
    eventful = can.queue(events=True)
    assert_type(eventful, awaitd.Queue[awaitd.CanFrame | awaitd.Event])
    either = await eventful.get()
    if isinstance(either, awaitd.Event):
        assert_type(either.value, int | str)
        assert_type(either.tx_errors, int | None)
    elif error := either.error:
        assert_type(error.controller_state, tuple[str, ...])
    assert_type(
        can.queue(gaps=True, events=True),
        awaitd.Queue[awaitd.CanFrame | awaitd.Gap | awaitd.Event],
    )
    async for thing in awaitd.merge(queue, eventful):
        assert_type(thing, awaitd.CanFrame | awaitd.Event)
    message = awaitd.CanFrame(1)
    assert_type(await can.send(message, confirm=True), awaitd.CanFrame)
    assert_type(await can.send(message, wait=True, timeout=1.0), None)
    assert_type(await can.send_many([message]), None)
    assert_type(
        await can.send_many([message], confirm=True), list[awaitd.CanFrame]
    )
    assert_type(
        await can.send_many([message], return_exceptions=True),
        list[Exception | None],
    )
    can.send_nowait(message, expires=0.5)
    can.queue(
        filters=[{"can_id": 1, "can_mask": 0x7FF, "inverted": True}],
        filters_joined=True,
    )
"""


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """mypy(tool, *arguments) -> CompletedProcess. Its cache is in a folder that
    the tests of this file share."""
    folder = tmp_path_factory.mktemp("mypy")

    def run(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return run_mypy(folder, [tool, *map(str, arguments)])

    return run


def run_mypy(
    folder: Path, words: list[str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder, env=os.environ | {"MYPYPATH": str(ROOT / "pymod")},
        capture_output=True, text=True, timeout=300, check=False,
    )


def assert_strict(mypy, *paths: object) -> None:
    done = mypy("mypy", "--strict", *paths)
    assert done.returncode == 0, done.stdout + done.stderr


def test_package_and_examples_pass_mypy_strict(mypy):
    assert_strict(mypy, ROOT / "pymod" / "awaitd", *EXAMPLES)


def test_benchmarks_pass_mypy_strict(mypy):
    assert_strict(mypy, *(ROOT / "tests" / "bench").glob("*.py"))


def test_frames_have_their_devices_type(mypy, tmp_path):
    program = tmp_path / "use.py"
    program.write_text(USE)
    assert_strict(mypy, program)


def test_wrong_use_is_found(mypy, tmp_path):
    program = tmp_path / "wrong.py"
    program.write_text("import awaitd\n"
                       "def f(q: awaitd.Queue[awaitd.CanFrame]) -> None:\n"
                       "    q.get_nowait().address\n")
    done = mypy("mypy", program)
    assert '"CanFrame" has no attribute "address"' in done.stdout


def test_stubs_are_those_of_the_extension(mypy):
    allowed = ROOT / "tests" / "support" / "stubtest_allowlist.txt"
    done = mypy("mypy.stubtest", "--concise", "--allowlist", allowed,
                "--ignore-unused-allowlist", "_awaitd", "awaitd")
    assert done.returncode == 0, done.stdout + done.stderr
