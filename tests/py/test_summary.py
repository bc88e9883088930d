"""What a run of tests says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUMMARY = Path(__file__).resolve().parents[1] / "support" / "summary.py"

RESULTS = """<testsuites><testsuite>
<testcase classname="tests.qemu.test_one" name="test_good"/>
<testcase classname="tests.qemu.test_one" name="test_bad">
  <failure message="no"/></testcase>
<testcase classname="tests.qemu.test_two" name="test_later">
  <skipped message="no such module"/></testcase>
</testsuite></testsuites>
"""


def summary(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SUMMARY, *map(str, arguments)],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=10,
    )


def test_guest_says_what_ran_where_and_why_not(tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    results.write_text(RESULTS, encoding="ascii")
    shown = summary("guest", results, "Linux 1.2")
    assert shown.returncode == 0
    assert shown.stdout.splitlines() == [
        "ran in Linux 1.2:",
        "  test_one                 1 passed, 1 failed, 0 skipped",
        "  test_two                 0 passed, 0 failed, 1 skipped",
        "  SKIPPED test_later: no such module",
    ]


def stage(folder: Path, name: str, status: int) -> list[str]:
    done = summary("stage", folder, name, status, 7)
    assert done.returncode == 0
    return done.stdout.splitlines()


def test_stage_is_one_test_where_it_counts_none(tmp_path: Path) -> None:
    assert stage(tmp_path, "model", 0) == [
        "--- model: 1 passed, 0 failed, 0 skipped (7 s)"
    ]


def test_failure_is_shown_at_once_and_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "one.xml").write_text(
        """<testsuite><testcase name="test_good"/><testcase name="test_bad">
        <failure message="no">at first
E   assert 1 == 2</failure></testcase></testsuite>""",
        encoding="ascii",
    )
    failure = [
        "FAILED one: test_bad",
        "    at first",
        "    E   assert 1 == 2",
    ]
    (tmp_path / "one.log").write_text("1 failed\n", encoding="ascii")
    failure += ["FAILED one: exit status 1", "    1 failed"]
    assert stage(tmp_path, "one", 1) == [
        "--- one: 1 passed, 1 failed, 0 skipped (7 s)",
        *failure,
    ]
    done = summary("total", tmp_path)
    assert done.returncode == 1
    last = [*failure, "1 passed, 1 failed, 0 skipped"]
    assert done.stdout.splitlines()[-6:] == last


def test_failures_of_one_name_are_told_apart(tmp_path: Path) -> None:
    case = """<testcase classname="tests.py.{file}" name="test_it">
        <{kind} message="">{text}</{kind}></testcase>"""
    cases = "".join(
        case.format(file=file, kind=kind, text=text)
        for file, kind, text in [
            ("test_a", "failure", "its call"),
            ("test_a", "error", "its end"),
            ("test_b", "failure", "another"),
        ]
    )
    (tmp_path / "one.xml").write_text(f"<testsuite>{cases}</testsuite>")
    assert stage(tmp_path, "one", 0)[1:] == [
        "FAILED one: test_a.test_it",
        "    its call",
        "FAILED one: test_a.test_it",
        "    its end",
        "FAILED one: test_b.test_it",
        "    another",
    ]


def test_stage_without_a_failed_test_fails_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    (tmp_path / "boot.log").write_text("a\n" * 100 + "hangs\n", "ascii")
    shown = stage(tmp_path, "boot", 124)
    assert shown[:2] == [
        "--- boot: 0 passed, 1 failed, 0 skipped (7 s)",
        "FAILED boot: time limit",
    ]
    assert shown[-1] == "    hangs"
    assert len(shown) == 27


# As ctest writes what a cmocka program said.
PROGRAM = """<testsuite><testcase name="test_ring" status="{status}">{failure}
<system-out>[ RUN      ] test_one
[       OK ] test_one
[ RUN      ] test_two
here is why
[  SKIPPED ] test_two
[ RUN      ] test_three
{end}</system-out></testcase></testsuite>
"""


def test_cases_of_a_unit_test_count_each(tmp_path: Path) -> None:
    good = PROGRAM.format(
        status="run", failure="", end="[       OK ] test_three"
    )
    (tmp_path / "unit.xml").write_text(good, encoding="ascii")
    assert stage(tmp_path, "unit", 0) == [
        "--- unit: 2 passed, 0 failed, 1 skipped (7 s)"
    ]
    assert "SKIPPED unit: test_two: here is why" in (
        summary("total", tmp_path).stdout.splitlines()
    )


def test_case_that_took_its_program_down_failed(tmp_path: Path) -> None:
    bad = PROGRAM.format(
        status="fail", failure='<failure message=""/>', end="AddressSanitizer"
    )
    (tmp_path / "unit.xml").write_text(bad, encoding="ascii")
    *shown, ending = stage(tmp_path, "unit", 8)
    assert ending == "FAILED unit: exit status 8"
    assert shown[:2] == [
        "--- unit: 1 passed, 1 failed, 1 skipped (7 s)",
        "FAILED unit: test_ring",
    ]
    assert shown[-1] == "    AddressSanitizer"
