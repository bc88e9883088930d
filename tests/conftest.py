"""What all tests in Python share: where the build is, processes that cannot be
left behind, and the real logs.

AWAITD_BUILD is the build folder (default: build/), AWAITD_DATA the folder of
real logs (default: ../shared/data).
"""

import os
import sys
from pathlib import Path

import pytest
from process import Process

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("AWAITD_BUILD", ROOT / "build")).resolve()
DATA = Path(os.environ.get("AWAITD_DATA", ROOT / "../shared/data")).resolve()

# For this process, and for those that it starts: the extension, and those that
# test it from C.
IMPORTED = [str(BUILD), str(BUILD / "tests" / "native")]
sys.path[:0] = IMPORTED
# Nobody is to find a test's daemon but by its own --socket.
os.environ["AWAITD_SOCKET"] = "none"
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [*IMPORTED, os.environ.get("PYTHONPATH")])
)


@pytest.fixture
def awaitd_binary() -> Path:
    """The daemon."""
    binary = BUILD / "daemon" / "awaitd"
    assert binary.is_file(), f"{binary} is missing: ./run build makes it"
    return binary


@pytest.fixture
def start_process():
    """start_process(*command, deadline_s=20, env={}, cwd=None) -> Process."""
    processes = []

    def start(*command, **options) -> Process:
        processes.append(Process([str(word) for word in command], **options))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


@pytest.fixture
def run_daemon(awaitd_binary, start_process):
    """run_daemon("run", "-d", …, script) -> Process; options as above."""

    def run(*arguments, **options) -> Process:
        return start_process(awaitd_binary, *arguments, **options)

    return run


@pytest.fixture
def data_dir() -> Path:
    """The real logs; without them the test is skipped."""
    if not DATA.is_dir():
        pytest.skip(f"no real logs in {DATA} (AWAITD_DATA names their folder)")
    return DATA
