"""Whether all that awaitd calls either can fail here, or is said to need not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
EXEMPT = HERE / "exempt"
UNMET = HERE / "unmet"  # made to fail, and the scenario does not come to them
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


def listed(file: Path) -> set[str]:
    lines = file.read_text().splitlines()
    return {
        name for line in lines if not line.startswith("#")
        for name in line.split()
    }


def wrapped(program: Path) -> set[str]:
    return {
        name.removeprefix(WRAPPED) for name in called(program)
        if name.startswith(WRAPPED)
    }


def unclassified(program: Path) -> Iterator[str]:
    names, free = called(program), listed(EXEMPT)
    for name in sorted(names - free):
        if not name.startswith(WRAPPED):
            yield f"{name}() neither fails in tests/faults nor is it exempt"
    for name in sorted(free - names):
        yield f"{name}() is in {EXEMPT.name}, and not called"
    for name in sorted(free & wrapped(program)):
        yield f"{name}() is in {EXEMPT.name}, and is made to fail"


def unmet(program: Path, met: set[str]) -> Iterator[str]:
    """`met`: the functions that have failed."""
    for name in sorted(wrapped(program) - met - listed(UNMET) - {"free"}):
        yield f"{name}() was never made to fail, and is not in {UNMET.name}"
