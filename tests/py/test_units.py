"""The units as files: sound, and as little exposed as they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AWAITD_BUILD", ROOT / "build")).resolve()
UNITS = ["awaitd.service", "awaitd@.service", "awaitd.socket", "awaitd@.socket"]
DROP_INS = sorted((ROOT / "systemd/awaitd.service.d").glob("*.conf"))

pytestmark = [
    pytest.mark.daemon,
    pytest.mark.skipif(
        not shutil.which("systemd-analyze"), reason="no systemd-analyze here"
    ),
]


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder with the units, which run the build's own programs."""
    for name in UNITS:
        text = (BUILD / "systemd" / name).read_text()
        text = re.sub(r"(?m)(^Exec\w+=\+?)\S*/", rf"\1{BUILD}/daemon/", text)
        (tmp_path / name).write_text(text)
    return tmp_path


def analyze(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )


def exposure(folder: Path, unit: str) -> float:
    found = analyze(folder, "security", "--offline=true", f"./{unit}")
    last = re.search(r"Overall exposure level for \S+: ([\d.]+)", found.stdout)
    assert last, found.stdout + found.stderr
    return float(last[1])


def verify(folder: Path, *units: str) -> str:
    """What is wrong with them, or ""."""
    found = analyze(folder, "verify", "--man=no", *(f"./{it}" for it in units))
    return found.stderr if found.returncode or found.stderr else ""


def link(folder: Path, drop_in: Path, unit: str) -> None:
    (folder / f"{unit}.d").mkdir(exist_ok=True)
    shutil.copy(drop_in, folder / f"{unit}.d")


# ---- sound ----


def test_units_are_sound(units: Path) -> None:
    assert not verify(
        units, "awaitd.service", "awaitd.socket", "awaitd@rig.service"
    )


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda it: it.stem)
def test_drop_in_is_sound(units: Path, drop_in: Path) -> None:
    link(units, drop_in, "awaitd.service")
    assert not verify(units, "awaitd.service")


@pytest.mark.parametrize(
    "line", ["WatchdogSek=1", "RestrictAddressFamilies=AF_MISSPELT"]
)
def test_mistake_planted_in_a_unit_is_found(units: Path, line: str) -> None:
    unit = units / "awaitd.service"
    unit.write_text(unit.read_text().replace("[Service]", f"[Service]\n{line}"))
    assert line.split("=")[line.count("AF_")] in verify(units, "awaitd.service")


# ---- as little exposed as they say ----


@pytest.mark.parametrize("unit", ["awaitd.service", "awaitd@rig.service"])
def test_default_form_is_hardly_exposed(units: Path, unit: str) -> None:
    (said,) = re.findall(
        r"rates this form (\d\.\d)", (units / "awaitd.service").read_text()
    )
    assert exposure(units, unit) == float(said)
    assert float(said) <= 1.5


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda it: it.stem)
def test_drop_in_states_its_exposure(units: Path, drop_in: Path) -> None:
    (said,) = re.findall(r"# Exposure with it: ([\d.]+)", drop_in.read_text())
    link(units, drop_in, "awaitd.service")
    assert exposure(units, "awaitd.service") == float(said)


def test_guide_states_the_same_exposures() -> None:
    guide = (ROOT / "docs/systemd.md").read_text()
    for drop_in in DROP_INS:
        (said,) = re.findall(
            r"# Exposure with it: ([\d.]+)", drop_in.read_text()
        )
        assert re.search(rf"\| `{drop_in.stem}` \|.*\| {said} \|", guide)


def test_guide_states_the_exposure_of_all_drop_ins(units: Path) -> None:
    assert len(DROP_INS) == 4
    for drop_in in DROP_INS:
        link(units, drop_in, "awaitd.service")
    guide = (ROOT / "docs/systemd.md").read_text()
    (said,) = re.findall(r"\| all four \|.*\| ([\d.]+) \|", guide)
    assert exposure(units, "awaitd.service") == float(said)
    assert not verify(units, "awaitd.service")


def test_hole_planted_in_the_unit_is_seen(units: Path) -> None:
    unit = units / "awaitd.service"
    before = exposure(units, "awaitd.service")
    text = unit.read_text().replace("DynamicUser=yes\n", "")
    unit.write_text(text)
    assert exposure(units, "awaitd.service") > before


# ---- installed ----


def test_units_are_installed_where_systemd_looks(tmp_path: Path) -> None:
    subprocess.run(
        ["cmake", "--install", BUILD],
        env=os.environ | {"DESTDIR": str(tmp_path)},
        check=True, stdout=subprocess.DEVNULL,
    )
    (prefix,) = tmp_path.glob("usr/local") or tmp_path.glob("usr")
    for name in (
        *(f"lib/systemd/system/{unit}" for unit in UNITS),
        "lib/sysusers.d/awaitd.conf",
        "lib/tmpfiles.d/awaitd.conf",
        "lib/sysctl.d/50-awaitd.conf",
        *(f"share/awaitd/awaitd.service.d/{it.name}" for it in DROP_INS),
    ):
        assert (prefix / name).is_file(), name
