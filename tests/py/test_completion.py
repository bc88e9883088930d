"""Completion in bash: what is offered is what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE_S = 20

# As readline parts words: at blanks, = and :, these being words of their own.
PROGRAM = r"""
source "$1"; shift
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=() rest=$1
compopt() { :; }
while [[ $rest =~ ^([^\ =:]+|[=:]+|\ +)(.*)$ ]]; do
    [[ ${BASH_REMATCH[1]} = ' '* ]] || COMP_WORDS+=("${BASH_REMATCH[1]}")
    rest=${BASH_REMATCH[2]}
done
[[ $1 != *[\ ] ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_WORDS[0]=$3
"$2"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(awaitd_binary):
    """complete(line): what is offered at its end."""

    def run(line: str) -> list[str]:
        program = line.split()[0]
        script = "daemon/ctl/awaitctl.bash" if program == "awaitctl" else (
            "daemon/awaitd.bash"
        )
        done = subprocess.run(
            ["bash", "-c", PROGRAM, "bash", ROOT / script, line,
             f"_{program}", awaitd_binary.parent / program],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return run


def options_of(source: str, table: str) -> set[str]:
    """The names in one table of getopt_long()."""
    text = (ROOT / source).read_text()
    body = text[text.index(table) :]
    body = body[: body.index("};")]
    return {f"--{name}" for name in re.findall(r'\{"([a-z-]+)", \w+_arg', body)}


def test_commands_of_awaitd_are_offered(complete):
    assert complete("awaitd ") == [
        "run", "check", "devices", "help", "--version", "--help",
    ]
    assert complete("awaitd ch") == ["check"]


def test_options_of_run_are_those_it_takes(complete):
    table = options_of("daemon/arguments.c", "long_options[]")
    assert set(complete("awaitd run --")) == table


def test_drivers_are_offered_behind_a_name(complete, awaitd_binary):
    offered = complete("awaitd run -d x=")
    assert "can:" in offered
    assert "udp:" in offered
    assert len(offered) > 5
    assert complete("awaitd run -d x=vi") == ["virtual:"]


def test_options_of_the_driver_are_offered_behind_a_comma(complete):
    offered = complete("awaitd run -d x=can:can0,")
    assert "can0,bitrate=" in offered
    assert "can0,on_loss=" in offered
    assert "can0,multicast=" not in offered
    assert complete("awaitd run -d x=udp:1.2.3.4:5,reu") == ["5,reuse="]


def test_commands_of_awaitctl_are_those_of_its_help(complete, awaitd_binary):
    help_text = subprocess.run(
        [awaitd_binary.parent / "awaitctl", "--help"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    ).stdout
    listed = re.findall(r"^  ([a-z]+) ", help_text, re.M)
    assert sorted(complete("awaitctl ")) == sorted(listed)


def test_options_of_awaitctl_are_those_it_takes(complete):
    table = options_of("daemon/ctl/main.c", "option options[]")
    assert set(complete("awaitctl --")) == table
