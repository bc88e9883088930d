"""Installs the packages of `./run package` on a fresh Debian, once for all tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from fresh_debian import HERE, IMAGE, PACKAGES, Step, built, refusal, steps_of


@pytest.fixture(scope="session")
def first() -> list[Path]:
    """The packages as they are."""
    return built("[0-9.]*[0-9]")


@pytest.fixture(scope="session")
def second(
    first: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """The same with a higher version, from what has been built already; away
    from where somebody takes packages to install them."""
    changelog = PACKAGES / "awaitd" / "debian" / "changelog"
    before = changelog.read_text()
    changelog.write_text(before.replace(")", "+next)", 1))
    try:
        subprocess.run(
            ["dpkg-buildpackage", "--build=binary", "--no-pre-clean", "-us", "-uc"],
            cwd=PACKAGES / "awaitd",
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    finally:
        changelog.write_text(before)
    made = built("*+next")
    apart = tmp_path_factory.mktemp("second")
    for file in PACKAGES.glob("*+next*"):
        shutil.move(file, apart)
    return [apart / file.name for file in made]


@pytest.fixture(scope="session")
def steps(
    first: list[Path],
    second: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Step]:
    """The steps of tests/package/scenario, by name."""
    why_not = refusal()
    if why_not:
        pytest.skip(why_not)
    job = tmp_path_factory.mktemp("job")
    for name, files in (("first", first), ("second", second)):
        (job / name).mkdir()
        for file in files:
            shutil.copy(file, job / name)
    shutil.copy(HERE / "scenario", job)
    subprocess.run([HERE / "prepare", IMAGE, *first], check=True)
    booted = subprocess.run([HERE / "boot", IMAGE, job], check=False)
    output = (job / "output").read_text() if (job / "output").exists() else ""
    print(output)
    assert booted.returncode == 0, "it did not boot, or did not end in time"
    return steps_of(output)
