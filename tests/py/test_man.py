"""The manual pages say what the programs do: options, commands, keys, defaults,
exit statuses and variables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "man"
NAMES = ("awaitd.8", "awaitctl.1", "awaitd.yaml.5")
DEADLINE_S = 20


def page(name: str) -> str:
    return (PAGES / name).read_text()


def section(text: str, head: str) -> str:
    """What stands below `.Sh HEAD` or `.Ss HEAD`."""
    found = re.search(
        rf"^\.S[hs] {re.escape(head)}\n(.*?)(?=^\.S[hs] |\Z)", text, re.M | re.S
    )
    assert found, f"no section {head}"
    return found[1]


def long_options(text: str) -> set[str]:
    """`.Fl -NAME`, wherever it stands."""
    return set(re.findall(r"\bFl -([a-z-]+)", text))


def options_of(source: str) -> set[str]:
    """The names in the tables of getopt_long()."""
    text = (ROOT / source).read_text()
    return set(re.findall(r'\{"([a-z-]+)", \w+_argument', text))


def keys(text: str) -> dict[str, str]:
    """`.It Li KEY , KEY Pq NOTE`: each key with its note."""
    found: dict[str, str] = {}
    for line in re.findall(r"^\.It Li (.*)$", text, re.M):
        names, _, note = line.partition(" Pq ")
        for name in names.split(" , "):
            assert name not in found, f"{name} is there twice"
            found[name] = note
    return found


def default_in(note: str) -> str | None:
    found = re.search(r"default: (.*)$", note)
    return found[1] if found else None


@pytest.fixture
def tell(awaitd_binary):
    """tell(program, *arguments): what it prints, on either stream."""

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [awaitd_binary.parent / program, *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return done.stdout + done.stderr

    return run


# ---- form ----


@pytest.mark.parametrize("name", NAMES)
def test_mandoc_has_no_warning(name):
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc here")
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", PAGES / name],
        capture_output=True,
        text=True,
        check=False,
    )
    # What it says of pages that this machine lacks is not of this one.
    own = [line for line in done.stdout.splitlines() if name in line]
    assert own == []


@pytest.mark.parametrize("name", NAMES)
def test_man_has_no_warning(name):
    if not shutil.which("man"):
        pytest.skip("no man here")
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", PAGES / name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
    )
    assert done.stderr == ""


# ---- awaitd(8) ----


def test_every_option_of_awaitd_is_in_its_page():
    options = options_of("daemon/arguments.c") | {"version"}
    assert len(options) > 10
    assert long_options(page("awaitd.8")) == options


def test_short_options_of_run_are_in_the_page(tell):
    found = re.findall(r"^  -(\w), --([\w-]+)", tell("awaitd", "help", "run"), re.M)
    assert len(found) >= 5
    described = section(page("awaitd.8"), "Options of run")
    for short, name in found:
        assert f".It Fl {short} , Fl -{name}" in described


def test_commands_of_awaitd_are_in_the_page(tell):
    listed = set(re.findall(r"^  awaitd ([a-z]+)", tell("awaitd", "--help"), re.M))
    described = section(page("awaitd.8"), "Commands")
    assert set(re.findall(r"^\.It Cm (\w+)", described, re.M)) == listed


def test_exit_statuses_of_awaitd_are_those_of_help(tell):
    listed = re.findall(r"^ +(\d+)  ", tell("awaitd", "help", "run"), re.M)
    described = section(page("awaitd.8"), "EXIT STATUS")
    assert re.findall(r"^\.It (\d+)", described, re.M) == listed


# ---- awaitctl(1) ----


def test_every_option_of_awaitctl_is_in_its_page():
    options = options_of("daemon/ctl/main.c")
    assert len(options) > 5
    assert long_options(page("awaitctl.1")) == options


def test_short_options_of_awaitctl_are_in_the_page():
    source = (ROOT / "daemon/ctl/main.c").read_text()
    (letters,) = re.findall(r'argv, ":([a-z:]+)"', source)
    described = section(page("awaitctl.1"), "Options")
    found = re.findall(r"^\.It Fl (\w)\b", described, re.M)
    assert sorted(found) == sorted(letters.replace(":", ""))


def test_commands_of_awaitctl_are_in_the_page(tell):
    listed = re.findall(r"^  ([a-z]+) ", tell("awaitctl", "--help"), re.M)
    assert len(listed) > 10
    described = section(page("awaitctl.1"), "Commands")
    assert re.findall(r"^\.It Cm (\w+)", described, re.M) == listed


def test_exit_statuses_of_awaitctl_are_those_of_the_source():
    source = (ROOT / "daemon/ctl/link.h").read_text()
    statuses = re.findall(r"AW_CTL_[A-Z]+ = (\d+)", source)
    described = section(page("awaitctl.1"), "EXIT STATUS")
    assert re.findall(r"^\.It (\d+)", described, re.M) == statuses


# ---- awaitd.yaml(5) ----


def drivers(help_text: str) -> dict[str, dict[str, str | None]]:
    """Of `awaitd help devices`: driver -> option -> default ("required": it
    has to be given; None: neither)."""
    found: dict[str, dict[str, str | None]] = {}
    for block in help_text.split("\n\n")[1:]:
        head, _, rest = block.partition("\n")
        options: dict[str, str | None] = {}
        for name, shape in re.findall(
            r"^  [ *] (\w+) +.*\n {10,}(.*)$", rest, re.M
        ):
            default = re.search(r", default (.*)$", shape)
            options[name] = default[1] if default else None
            if shape.endswith(", required"):
                options[name] = "required"
        found[head.partition(":")[0]] = options
    return found


def plain_number(text: str) -> str:
    """2k and 2048 are the same."""
    return str(int(text[:-1]) * 1024) if re.fullmatch(r"\d+k", text) else text


def test_options_of_every_driver_are_in_the_page(tell):
    found = drivers(tell("awaitd", "help", "devices"))
    assert len(found) > 5
    text = page("awaitd.yaml.5")
    for driver, options in found.items():
        head = "Every device" if driver == "every driver" else f"Driver {driver}"
        notes = keys(section(text, head))
        assert set(notes) == set(options), head
        for name, default in options.items():
            if default == "required":
                assert "required" in notes[name], f"{head}: {name}"
            elif default is not None:
                stated = default_in(notes[name])
                assert stated is not None, f"{head}: {name}"
                assert plain_number(stated) == plain_number(default), name


def test_page_has_no_driver_that_there_is_not(tell):
    found = drivers(tell("awaitd", "help", "devices"))
    heads = re.findall(r"^\.Ss Driver (\w+)", page("awaitd.yaml.5"), re.M)
    assert heads == [driver for driver in found if driver != "every driver"]


def known_keys(tell, tmp_path: Path, content: str) -> set[str]:
    """What the message about a key that is not known lists."""
    file = tmp_path / "x.yaml"
    file.write_text(content)
    message = tell("awaitd", "check", str(file))
    found = re.search(r"unknown key; there are (.*)$", message, re.M)
    assert found, message
    return set(re.split(r", | and ", found[1]))


def test_keys_of_the_file_are_in_the_page(tell, tmp_path):
    listed = known_keys(tell, tmp_path, "xyzzy: 1\n")
    assert set(keys(section(page("awaitd.yaml.5"), "KEYS OF THE FILE"))) == listed


def test_keys_of_a_script_are_in_the_page(tell, tmp_path):
    listed = known_keys(tell, tmp_path, "scripts: [{xyzzy: 1}]\n")
    assert set(keys(section(page("awaitd.yaml.5"), "KEYS OF A SCRIPT"))) == listed


def test_keys_of_control_and_metrics_are_in_the_page(tell, tmp_path):
    listed = {
        f"{around}.{key}"
        for around in ("control", "metrics")
        for key in known_keys(tell, tmp_path, f"{around}: {{xyzzy: 1}}\n")
    }
    described = section(page("awaitd.yaml.5"), "KEYS OF CONTROL AND METRICS")
    assert set(keys(described)) == listed


def test_defaults_of_the_file_and_of_scripts_are_those_in_effect(
    tell, tmp_path
):
    (tmp_path / "a.py").write_text("pass\n")
    file = tmp_path / "x.yaml"
    file.write_text("scripts: [{path: a.py}]\n")
    effective = tell("awaitd", "check", "--print-effective", str(file))
    values = dict(
        re.findall(r"^ *(\w+): (\S+) +# default$", effective, re.M)
    )
    assert len(values) > 8
    text = page("awaitd.yaml.5")
    # What is a key of both is the file's where the script does not say.
    notes = keys(section(text, "KEYS OF A SCRIPT"))
    notes |= keys(section(text, "KEYS OF THE FILE"))
    for name, value in values.items():
        assert default_in(notes[name]) == value, name


# ---- the environment ----


def test_variables_that_are_read_are_in_a_page():
    read = set()
    for folder, pattern in (
        ("daemon", r'getenv\("(\w+)"\)'),
        ("config", r'getenv\("(\w+)"\)'),
        ("pymod", r'environ\.get\("(\w+)"'),
    ):
        for kind in ("*.c", "*.py"):
            for file in (ROOT / folder).rglob(kind):
                read |= set(re.findall(pattern, file.read_text()))
    assert len(read) >= 5
    described = {
        name
        for text in map(page, ("awaitd.8", "awaitctl.1"))
        for line in re.findall(r"^\.It Ev (.*)$", text, re.M)
        for name in line.split(" , ")
    }
    assert read <= described
