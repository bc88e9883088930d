"""Each hazard of hosting Python has a test of its number."""

from __future__ import annotations

from pathlib import Path

import hazards

TESTS = Path(__file__).resolve().parents[1]


def test_every_row_that_must_hold_has_a_test():
    assert hazards.untested(TESTS) == []


def test_every_numbered_test_has_a_row():
    assert hazards.tested(TESTS) <= hazards.ROWS.keys()


def test_row_without_a_test_is_found(tmp_path):
    (tmp_path / "py").mkdir()
    numbers = [it for it in hazards.ROWS if it not in hazards.WAITING | {24}]
    text = "\n".join(f"def test_h{it:02}_x(): pass" for it in numbers)
    (tmp_path / "py" / "test_it.py").write_text(text)
    assert hazards.untested(tmp_path) == [
        "H24: a flood of prints into a full pipe"
    ]
