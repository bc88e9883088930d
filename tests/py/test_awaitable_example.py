"""examples/native: built from its own folder against the installed header, as
anybody's would be; its functions do what their equivalents in Python do."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rig

import awaitd

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "native"
BUILD_DEADLINE_S = 120
SAID = """\
answer: 42
doubled: 40
reachable: False
value or: default
total: 60
slept: None
speed: 50.07
checksum: 145359483
"""


def cmake(*words: object) -> None:
    done = subprocess.run(
        ["cmake", *map(str, words)], capture_output=True, text=True,
        timeout=BUILD_DEADLINE_S, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build(folder: Path, *options: str) -> Path:
    """The folder with the extension."""
    cmake("-S", EXAMPLE, "-B", folder, f"-DPython3_EXECUTABLE={sys.executable}",
          "-DCMAKE_C_FLAGS=-Werror", *options)
    cmake("--build", folder)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Against the header where `cmake --install` puts it."""
    folder = tmp_path_factory.mktemp("example")
    awaitds_build = Path(awaitd.__file__).parent.parent
    headers = folder / "prefix" / "include"
    cmake("--install", awaitds_build, "--prefix", folder / "prefix")
    assert (headers / "awaitd" / "awaitable.h").is_file()
    assert (headers / "pyawaitable.h").is_file()
    found = build(folder / "build", f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}")
    cache = (found / "CMakeCache.txt").read_text()
    assert f"AWAITD_INCLUDE_DIR:PATH={headers}" in cache
    return found


def imported(folder: Path, pattern: str):
    (path,) = folder.glob(pattern)
    name = path.name.partition(".")[0]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def native(built):
    return imported(built, "native_example*.so")


@pytest.fixture
def equivalents():
    return imported(EXAMPLE, "equivalents.py")


# ---- as scripts ----


def with_path(folder: Path) -> str:
    return os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])


@pytest.mark.extension
def test_script_runs_in_plain_python(start_process, built):
    process = start_process(
        sys.executable, "-m", "awaitd", "-d", "bus=virtual:can,receive_own=yes",
        EXAMPLE / "script.py", env={"PYTHONPATH": with_path(built)},
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == SAID


@pytest.mark.daemon
def test_script_runs_in_the_daemon(run_daemon, built):
    process = run_daemon(
        "run", "-q", "-d", "bus=virtual:can,receive_own=yes",
        EXAMPLE / "script.py", env={"PYTHONPATH": with_path(built)},
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == SAID


@pytest.mark.extension
def test_it_builds_against_what_the_package_tells(tmp_path):
    """Without an installed header: by awaitd.get_include()."""
    folder = build(tmp_path)
    assert list(folder.glob("native_example*.so"))


# ---- side by side ----


async def number():
    return await asyncio.sleep(0, 21)


async def missing():
    raise KeyError("missing")


async def failing():
    raise OSError("failing")


async def too_slow():
    async with asyncio.timeout(0.001):
        await asyncio.sleep(1000)


class Context:
    """Logs what becomes of it."""

    def __init__(self):
        self.log = []

    async def __aenter__(self):
        self.log.append("enter")

    async def __aexit__(self, kind, error, tb):
        self.log.append(("exit", kind))


async def locked(them, coro):
    context = Context()
    return await them.locked(context, coro), context.log


CASES = {
    "answer": lambda them: them.answer(),
    "trampoline": lambda them: them.trampoline(number()),
    "trampoline-error": lambda them: them.trampoline(missing()),
    "doubled": lambda them: them.doubled(number()),
    "doubled-error": lambda them: them.doubled(missing()),
    "doubled-type": lambda them: them.doubled(asyncio.sleep(0, object)),
    "reachable": lambda them: them.is_reachable(number),
    "reachable-timeout": lambda them: them.is_reachable(too_slow),
    "reachable-error": lambda them: them.is_reachable(failing),
    "value_or": lambda them: them.value_or(number(), 5),
    "value_or-default": lambda them: them.value_or(missing(), 5),
    "value_or-error": lambda them: them.value_or(failing(), 5),
    "something": lambda them: them.something(1, 2, number, hex),
    "something-error": lambda them: them.something(1, 2, missing, hex),
    "something-bar": lambda them: them.something(1, 2, number, bytes.fromhex),
    "locked": lambda them: locked(them, number()),
    "locked-error": lambda them: locked(them, failing()),
    "total": lambda them: them.total(number, 5),
    "total-none": lambda them: them.total(number, 0),
    "total-error": lambda them: them.total(failing, 3),
    "my_sleep": lambda them: them.my_sleep(0.001),
    "nap": lambda them: them.nap(0.001),
    "checksum": lambda them: them.checksum(bytes(range(256)) * 50),
    "checksum-empty": lambda them: them.checksum(b""),
}


async def outcome(case, them, as_task):
    try:
        coro = case(them)
        if as_task:
            coro = asyncio.ensure_future(coro)
        return "result", await coro
    except Exception as error:
        return "raised", type(error)


@pytest.mark.extension
@pytest.mark.parametrize("as_task", [False, True], ids=["awaited", "task"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_function_does_what_its_equivalent_does(
    run, native, equivalents, case, as_task
):
    async def main():
        expected = await outcome(case, equivalents, as_task)
        assert await outcome(case, native, as_task) == expected

    run(main())


@pytest.mark.extension
@pytest.mark.parametrize("side", ["native", "equivalents"])
def test_speed_is_that_of_the_next_frame(run, request, bus, q, peer, side):
    them = request.getfixturevalue(side)

    async def main():
        frame = awaitd.CanFrame(1, bytes([0, 0, 0, 0, 0x13, 0x8F]))
        await bus.send(frame)
        rig.until(q.qsize)
        return await them.speed(q)

    assert run(main()) == 50.07


@pytest.mark.extension
@pytest.mark.parametrize("side", ["native", "equivalents"])
def test_speed_without_a_frame_is_none(run, request, q, side):
    them = request.getfixturevalue(side)
    assert run(them.speed(q)) is None


@pytest.mark.extension
def test_speed_that_is_cancelled_loses_no_frame(run, native, q, peer):
    async def main():
        task = asyncio.create_task(native.speed(q))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        peer.put(q, 1, 2)
        return rig.ids([await q.get(), await q.get()])

    assert run(main()) == [1, 2]


@pytest.mark.extension
def test_my_sleep_shows_its_name(native):
    aw = native.my_sleep(0)
    assert aw.__name__ == "my_sleep"
    aw.close()


@pytest.mark.extension
def test_every_function_has_an_equivalent(native, equivalents):
    functions = {name for name in vars(native) if not name.startswith("_")}
    others = {
        name
        for name, it in vars(equivalents).items()
        if asyncio.iscoroutinefunction(it)
    }
    assert functions == others
