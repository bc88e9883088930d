"""What a guest's run says of itself."""

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


def test_guest_says_what_ran_where_and_why_not(tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    results.write_text(RESULTS, encoding="ascii")
    shown = subprocess.run(
        [sys.executable, SUMMARY, "guest", results, "Linux 1.2"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=10,
    )
    assert shown.stdout.splitlines() == [
        "ran in Linux 1.2:",
        "  test_one                 1 passed, 1 failed, 0 skipped",
        "  test_two                 0 passed, 0 failed, 1 skipped",
        "  SKIPPED test_later: no such module",
    ]
