"""The judge of the leaf's coverage misses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import judge_coverage
import pytest


def function(source, *, runs=1, true=1, false=1, decides=(True, True)):
    """As llvm-cov exports it: one region, one branch, one decision."""
    return {
        "filenames": [str(source), "/elsewhere/macro.h"],
        "regions": [[1, 1, 9, 2, runs, 0, 0, 0], [1, 1, 2, 2, 0, 1, 0, 0]],
        "branches": [
            [2, 9, 2, 10, true, false, 0, 0, 4],
            [3, 9, 3, 10, 1, 0, 1, 0, 4],
        ],
        "mcdc_records": [[2, 9, 2, 20, 0, 5, list(decides)]],
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "leaf" / "file.c"


@pytest.fixture
def judge(tmp_path: Path, source: Path):
    """Judges functions; what must be in the export is `source` by default."""

    def run(*functions, expected=None):
        export = tmp_path / "export.json"
        export.write_text(json.dumps({"data": [{"functions": functions}]}))
        return judge_coverage.main(export, source.parent, expected or source)

    return run


def test_all_covered_passes(judge, source) -> None:
    assert judge(function(source)) == 0


@pytest.mark.parametrize(
    "missed, said",
    [
        ({"runs": 0}, "1:1: never run"),
        ({"true": 0}, "2:9: never true"),
        ({"false": 0}, "2:9: never false"),
        ({"decides": (True, False)}, "2:9: condition 2 never decides alone"),
    ],
)
def test_what_is_missed_fails_and_is_named(
    judge, source, capsys, missed, said
) -> None:
    assert judge(function(source, **missed)) == 1
    assert f"missed: {source}:{said}\n" in capsys.readouterr().out


def test_two_programs_count_together(judge, source) -> None:
    halves = (
        function(source, true=0, decides=(True, False)),
        function(source, false=0, decides=(False, True)),
    )
    assert judge(*halves) == 0


def test_a_file_in_no_program_fails(judge, source, capsys) -> None:
    other = source.parent / "other.c"
    assert judge(function(source), expected=other) == 1
    assert f"{other}: not in any program" in capsys.readouterr().out


def test_what_lies_elsewhere_is_not_judged(judge, source, tmp_path) -> None:
    elsewhere = function(tmp_path / "test.c", runs=0, true=0)
    assert judge(function(source), elsewhere) == 0


def test_an_export_without_conditions_fails(judge, source, capsys) -> None:
    bare = function(source)
    bare["mcdc_records"] = []
    assert judge(bare) == 1
    assert "no conditions were looked at" in capsys.readouterr().out
