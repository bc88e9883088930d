"""Whether all that awaitd calls either can fail here, or is said to need not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

EXEMPT = Path(__file__).parent / "exempt"
# Python's, of which samples fail, the sanitizers', and the linker's own.
NOT_OURS = ("Py", "_Py", "__asan", "__ubsan", "_ITM_", "__gmon", "__cxa_")
WRAPPED = "__wrap_"


def called(program: Path) -> set[str]:
    lines = subprocess.run(
        ["nm", "--dynamic", "--undefined-only", program],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()
    names = (line.split()[-1].partition("@")[0] for line in lines)
    return {name for name in names if not name.startswith(NOT_OURS)}


def exempt() -> set[str]:
    lines = EXEMPT.read_text().splitlines()
    return {
        name for line in lines if not line.startswith("#")
        for name in line.split()
    }


def unclassified(program: Path) -> Iterator[str]:
    names, free = called(program), exempt()
    wrapped = {
        name.removeprefix(WRAPPED) for name in names if name.startswith(WRAPPED)
    }
    for name in sorted(names - free):
        if not name.startswith(WRAPPED):
            yield f"{name}() neither fails in tests/faults nor is it exempt"
    for name in sorted(free - names):
        yield f"{name}() is in {EXEMPT.name}, and not called"
    for name in sorted(free & wrapped):
        yield f"{name}() is in {EXEMPT.name}, and is made to fail"
