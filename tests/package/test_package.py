"""The Debian packages on a fresh system: what they bring, what an upgrade keeps,
and what a purge leaves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from fresh_debian import ROOT, Step


def test_first_installs_on_a_fresh_system(steps: dict[str, Step]) -> None:
    assert steps["install"].status == 0, steps["install"].output


def test_service_is_neither_enabled_nor_started(steps: dict[str, Step]) -> None:
    installed = steps["installed"].lines
    assert "ActiveState=inactive" in installed
    assert "Result=success" in installed
    assert installed.count("disabled") == 2


def test_files_are_roots_and_in_their_places(steps: dict[str, Step]) -> None:
    step = steps["installed-files"]
    assert step.status == 0, step.output
    words = [line.split() for line in step.lines]
    found = {line[-1]: line[0] for line in words if len(line) == 3}
    assert found["/etc/awaitd/awaitd.yaml"] == "-rw-r--r--"
    assert found["/etc/awaitd/conf.d"] == "drwxr-xr-x"
    for page in ("man1/awaitctl.1", "man5/awaitd.yaml.5", "man8/awaitd.8"):
        assert f"/usr/share/man/{page}.gz" in found
    assert "/usr/include/awaitd/driver.h" in found
    assert {line[1] for line in words if len(line) == 3} == {"root"}
    assert any(line.startswith("awaitctl:x:") for line in step.lines)


def test_configuration_as_installed_is_right(steps: dict[str, Step]) -> None:
    step = steps["check-as-installed"]
    assert step.status == 0
    assert "/etc/awaitd/awaitd.yaml: ok, 0 devices, 0 scripts" in step.lines
    assert any("no scripts: a service" in line for line in step.lines)


def test_plain_python_imports_and_awaits(steps: dict[str, Step]) -> None:
    step = steps["plain-python"]
    assert step.lines == [
        "123#0102",
        "/usr/lib/python3/dist-packages/awaitd/__init__.py /usr/include",
    ]


def test_service_starts_and_its_script_runs(steps: dict[str, Step]) -> None:
    assert steps["start"].status == 0, steps["start"].output
    assert "SubState=running" in steps["started"].lines
    (script,) = json.loads(steps["scripts"].output)["scripts"]
    assert script["name"] == "talk"
    assert script["state"] == "running"


def test_frames_come_through_and_are_counted(steps: dict[str, Step]) -> None:
    frames = [line.split()[-1] for line in steps["dump"].lines]
    assert frames == ["123#0102"] * 3
    (queue,) = json.loads(steps["queues"].output)["queues"]
    assert queue["exact"] is True
    assert queue["received"] >= 3


def test_service_reloads(steps: dict[str, Step]) -> None:
    assert steps["reload"].status == 0, steps["reload"].output


def test_upgrade_restarts_the_service(steps: dict[str, Step]) -> None:
    assert steps["upgrade"].status == 0, steps["upgrade"].output
    assert "SubState=running" in steps["upgraded"].lines
    before, after = (
        steps[f"invocation-{which}"].output for which in ("first", "second")
    )
    assert len(before) == len(after) == 32
    assert before != after
    (script,) = json.loads(steps["upgraded-scripts"].output)["scripts"]
    assert script["state"] == "running"


def test_upgrade_has_the_new_version_of_each(steps: dict[str, Step]) -> None:
    lines = [line.split() for line in steps["upgraded-versions"].lines]
    assert [line[0] for line in lines] == [
        "awaitd", "awaitd-dev", "python3-awaitd",
    ]
    assert all(line[1].endswith("+next") for line in lines)
    assert all(line[2] == "installed" for line in lines)


def test_upgrade_keeps_files_that_were_edited(steps: dict[str, Step]) -> None:
    assert steps["upgraded-file"].output == "# mine"


def test_upgrade_keeps_what_scripts_have_kept(steps: dict[str, Step]) -> None:
    """The second run, which found the first one's, was the new version's."""
    assert json.loads(steps["state"].output) == {"runs": 2}


def test_removal_stops_it_and_keeps_what_is_the_users(
    steps: dict[str, Step],
) -> None:
    assert steps["remove"].status == 0, steps["remove"].output
    lines = steps["removed"].lines
    assert lines[:2] == ["inactive", "inactive"]
    assert "/etc/awaitd/awaitd.yaml" in lines
    assert "talk.json" in lines


def test_upgrade_restarts_an_instance(steps: dict[str, Step]) -> None:
    assert steps["rig-start"].status == 0, steps["rig-start"].output
    assert "SubState=running" in steps["rig-started"].lines
    assert "SubState=running" in steps["rig-upgraded"].lines
    before, after = (
        steps[f"rig-invocation-{which}"].output for which in ("first", "second")
    )
    assert len(before) == len(after) == 32
    assert before != after


def test_removal_stops_an_instance_and_keeps_its_state(
    steps: dict[str, Step],
) -> None:
    assert steps["rig-removed"].lines == ["inactive", "inactive"]
    assert steps["rig-processes"].output == ""
    assert json.loads(steps["rig-state"].output) == {"runs": 2}


def test_purge_takes_the_state_of_an_instance(steps: dict[str, Step]) -> None:
    assert steps["rig-left"].status == 0
    assert steps["rig-left"].output == ""


def test_purge_leaves_nothing(steps: dict[str, Step]) -> None:
    assert steps["purge"].status == 0, steps["purge"].output
    assert steps["left"].output == ""


def test_version_is_that_of_the_program(first: list[Path]) -> None:
    project = (ROOT / "CMakeLists.txt").read_text()
    (package,) = (file for file in first if file.name.startswith("awaitd_"))
    version = subprocess.run(
        ["dpkg-deb", "--field", package, "Version"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert f"project(awaitd VERSION {version} " in project
