"""Each hazard of hosting Python has a test of its number."""

from __future__ import annotations

from pathlib import Path

import hazards
import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"


@pytest.mark.parametrize(
    "number", hazards.ROWS, ids=[f"H{it:02}" for it in hazards.ROWS]
)
def test_row_has_a_test(number):
    assert number in hazards.tested(TESTS), hazards.ROWS[number].case


def test_every_numbered_test_has_a_row():
    assert hazards.tested(TESTS) <= hazards.ROWS.keys()


def test_row_without_a_test_is_found(tmp_path):
    (tmp_path / "py").mkdir()
    text = "\n".join(
        f"def test_h{it:02}_x(): pass" for it in hazards.ROWS if it != 24
    )
    (tmp_path / "py" / "test_it.py").write_text(text)
    assert hazards.untested(tmp_path) == [
        "H24: a flood of prints into a full pipe"
    ]


def test_rows_of_processes_say_what_is_not_contained():
    isolated = {it for it, row in hazards.ROWS.items() if "P" in row.letters}
    assert isolated <= hazards.UNTESTED.keys()


@pytest.mark.parametrize(
    "number", hazards.UNTESTED, ids=[f"H{it:02}" for it in hazards.UNTESTED]
)
def test_row_holds_to_the_last(number):
    pytest.skip(f"H{number:02}: {hazards.UNTESTED[number]}: NOT tested")


def test_h45_extension_says_that_it_needs_the_gil():
    """So that an interpreter without one takes it up again, and says so."""
    text = (ROOT / "pymod" / "module_make.c").read_text()
    declared = "    {Py_mod_gil, Py_MOD_GIL_USED},\n#endif"
    assert declared in text
