"""One system for all tests; a service that each has for itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import booted
import pytest
from services import Service

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AWAITD_BUILD", ROOT / "build")).resolve()


@pytest.fixture(scope="session")
def system(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[booted.System]:
    """systemd with awaitd installed; where it cannot be, a loud skip."""
    refusal = booted.refusal()
    if refusal:
        pytest.skip(refusal)
    folder = tmp_path_factory.mktemp("boot")
    stage = folder / "stage"
    booted.install(BUILD, stage)
    (stage / "opt/test").mkdir(parents=True)
    shutil.copy(BUILD / "tests/boot/hang.so", stage / "opt/test/hang.so")
    with booted.System(stage, folder) as system:
        yield system


@pytest.fixture
def make_service(
    system: booted.System,
) -> Iterator[Callable[[str], Service]]:
    """make_service(unit) -> Service, gone after the test."""
    made = []

    def make(unit: str) -> Service:
        made.append(Service(system, unit))
        return made[-1]

    yield make
    for service in made:
        service.clean()


@pytest.fixture
def service(make_service: Callable[[str], Service]) -> Service:
    return make_service("awaitd.service")
