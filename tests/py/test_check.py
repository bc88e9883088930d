"""`awaitd check`: scripts are compiled, and where each value came from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.daemon

DEADLINE_S = 20


@pytest.fixture
def awaitd(awaitd_binary, tmp_path):
    """awaitd(*arguments) -> CompletedProcess, run in tmp_path."""

    def run(*arguments: str, **environment: str):
        names = {"AWAITD_SOCKET", *environment}
        others = {k: v for k, v in os.environ.items() if k not in names}
        return subprocess.run(
            [awaitd_binary, *arguments],
            cwd=tmp_path,
            env={**others, **environment},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    return run


@pytest.fixture
def write(tmp_path):
    """write(name, content): a file in tmp_path."""

    def write_one(name: str, content: str) -> Path:
        path: Path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        return path

    return write_one


def origins(output: str) -> dict[str, str]:
    """KEY: VALUE, the dashes of lists left out -> where it came from."""
    pairs = (line.split("  # ") for line in output.splitlines())
    return {
        pair[0].strip().removeprefix("- "): pair[1]
        for pair in pairs
        if len(pair) == 2
    }


# ---- scripts ----


def test_syntax_error_is_told_with_file_line_and_column(awaitd, write):
    write("bad.py", "x = 1\nprint(x))\n")
    write("bench.yaml", "scripts: [{path: bad.py}]\n")
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 78
    assert result.stderr == "bad.py:2:9: SyntaxError: unmatched ')'\n"
    assert result.stdout == ""


def test_every_script_with_an_error_is_told_once(awaitd, write):
    write("a.py", "def f(:\n")
    write("b.py", "pass\n")
    write("c.py", "if x:\nprint()\n")
    write(
        "bench.yaml",
        "scripts: [{path: a.py}, {path: b.py}, {path: c.py},"
        " {path: a.py, name: again}]\n",
    )
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 78
    places = [line.split(": ")[:2] for line in result.stderr.splitlines()]
    assert places == [
        ["a.py:1:7", "SyntaxError"],
        ["c.py:2:1", "IndentationError"],
    ]


def test_check_does_not_run_a_script(awaitd, write, tmp_path):
    write("a.py", "import nowhere\nopen('ran', 'w')\n")
    write("bench.yaml", "scripts: [{path: a.py}]\n")
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "ran").exists()


def test_check_takes_await_outside_of_functions(awaitd, write):
    write("a.py", "from awaitd.devices import x\nawait x.queue().get()\n")
    write("bench.yaml", "scripts: [{path: a.py}]\n")
    assert awaitd("check", "bench.yaml").returncode == 0


@pytest.mark.parametrize(
    "content, word",
    [
        (b"x = '\xff'\n", "SyntaxError"),
        (b"x = 1\x00\n", "null bytes"),
        (b"# coding: klingon\n", "SyntaxError"),
    ],
    ids=["no UTF-8", "NUL", "coding"],
)
def test_file_that_is_no_source_is_told(
    awaitd, write, tmp_path, content, word
):
    (tmp_path / "a.py").write_bytes(content)
    write("bench.yaml", "scripts: [{path: a.py}]\n")
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 78
    assert result.stderr.startswith("a.py"), result.stderr
    assert word in result.stderr


def test_script_of_a_drop_in_is_compiled(awaitd, write):
    write("conf.d/bad.py", "(\n")
    write("conf.d/10.yaml", "scripts: [{path: bad.py}]\n")
    write("bench.yaml", "{}\n")
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 78
    assert result.stderr.startswith("conf.d/bad.py:1:")


def test_configuration_of_nothing_is_right_but_for_a_service(awaitd, write):
    write("bench.yaml", "{}\n")
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 0
    assert result.stdout == "bench.yaml: ok, 0 devices, 0 scripts\n"
    assert result.stderr == (
        "bench.yaml: no devices and no scripts: a service would have nothing to "
        "run\n"
    )


@pytest.mark.parametrize(
    "text", ["scripts: [{path: a.py}]", "devices: [{name: b, driver: virtual}]"]
)
def test_configuration_of_something_has_no_note(awaitd, write, text):
    write("a.py", "pass\n")
    write("bench.yaml", f"{text}\n")
    assert awaitd("check", "bench.yaml").stderr == ""


def test_configuration_that_is_refused_has_no_note(awaitd, write):
    write("bench.yaml", "devices: [{name: b, driver: can}]\n")
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 78
    assert "no devices" not in result.stderr


# ---- devices ----


def test_options_that_do_not_fit_are_told_without_opening(awaitd, write):
    write(
        "bench.yaml",
        "devices:\n- {name: a, driver: can, interface: none7}\n"
        "- {name: b, driver: udp, bind: 5005}\n",
    )
    result = awaitd("check", "bench.yaml")
    assert result.returncode == 78
    assert result.stderr.startswith("bench.yaml:3: devices[1]")


# ---- where values came from ----

MAIN = """\
stop_timeout_s: 3
environment: [A=1, B=2]
devices:
  - {name: net, driver: udp, bind: "127.0.0.1:5005"}
scripts:
  - path: log.py
    args: ["- a: b", "#", "null"]
"""
DROP_IN = """\
devices:
  - name: net
    max_payload: 0x40
environment: [B=3]
"""


@pytest.fixture
def bench(write):
    write("bench.yaml", MAIN)
    write("conf.d/10-net.yaml", DROP_IN)
    write("log.py", "pass\n")


def test_effective_values_name_file_and_line(awaitd, bench):
    result = awaitd("check", "--print-effective", "bench.yaml")
    assert result.returncode == 0, result.stderr
    found = origins(result.stdout)
    assert found['bind: "127.0.0.1:5005"'] == "bench.yaml:4"
    assert found["max_payload: 0x40"] == "conf.d/10-net.yaml:3"
    assert found["send_depth: 1000"] == "default"
    assert found["stop_timeout_s: 3"] == "bench.yaml:1"
    assert found["stop_grace_s: 3"] == "not more than stop_timeout_s"
    assert found['"B=3"'] == "conf.d/10-net.yaml:4"
    assert found['"A=1"'] == "bench.yaml:2"
    assert found["name: log"] == "as its file"
    assert found["restart: no"] == "default"


def test_effective_values_of_flags_are_the_command_lines(awaitd, bench):
    result = awaitd(
        *("run", "--print-effective", "-c", "bench.yaml", "--socket", "/s"),
        *("-d", "net=virtual:can", "log.py", "x"),
    )
    assert result.returncode == 0, result.stderr
    found = origins(result.stdout)
    assert found["name: net"] == "command line"
    assert found["kind: can"] == "command line"
    assert found["receive_own: no"] == "default"
    assert found["socket: /s"] == "command line"
    assert found["x"] == "command line"
    assert found["name: log"] == "as its file"


def test_effective_socket_of_the_environment_is_told(awaitd, bench):
    result = awaitd(
        "check", "--print-effective", "bench.yaml", AWAITD_SOCKET="/e"
    )
    assert origins(result.stdout)["socket: /e"] == "$AWAITD_SOCKET"


def test_effective_socket_without_any_word_of_it_is_the_usual_one(
    awaitd, bench, tmp_path
):
    words = ("check", "--print-effective", "bench.yaml")
    result = awaitd(*words, XDG_RUNTIME_DIR=str(tmp_path))
    folder = "/run" if os.geteuid() == 0 else tmp_path
    assert (
        f"  # socket: not set, which is {folder}/awaitd/control.sock\n"
        in result.stdout
    )


@pytest.mark.parametrize(
    "flags, device, value, origin",
    [
        ((), "", "yes", "default"),
        (("--service",), "", "no", "--service"),
        (("--service",), ",required=yes", "yes", "command line"),
        ((), ",required=no", "no", "command line"),
    ],
    ids=["run", "service", "service-said", "run-said"],
)
def test_effective_required_is_what_the_run_would_have(
    awaitd, write, flags, device, value, origin
):
    write("a.py", "pass\n")
    result = awaitd(
        *("run", *flags, "--print-effective"),
        *("-d", f"net=udp:127.0.0.1:5005{device}", "a.py"),
    )
    assert origins(result.stdout)[f"required: {value}"] == origin


def test_effective_required_of_a_file_is_the_files_in_a_service(awaitd, write):
    write("a.py", "pass\n")
    write(
        "bench.yaml",
        "scripts: [{path: a.py}]\n"
        "devices:\n- {name: b, driver: virtual, required: yes}\n",
    )
    result = awaitd(
        "run", "--service", "--print-effective", "-c", "bench.yaml"
    )
    assert origins(result.stdout)["required: yes"] == "bench.yaml:3"


def test_effective_comments_are_in_one_column(awaitd, write):
    write("bench.yaml", 'environment: ["A=ä", "B=a"]\nstop_timeout_s: 30\n')
    result = awaitd("check", "--print-effective", "bench.yaml")
    columns = {line.find("  # bench") for line in result.stdout.split("\n")}
    assert columns == {-1, 40}


def test_run_print_effective_runs_nothing(awaitd, write, tmp_path):
    write("a.py", "open('ran', 'w')\n")
    result = awaitd("run", "--print-effective", "-d", "b=can:none7", "a.py")
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "ran").exists()


def test_effective_is_yaml_with_the_same_meaning(awaitd, bench, write):
    first = awaitd("check", "--print-effective", "bench.yaml").stdout
    write("other/log.py", "pass\n")
    # Relative paths start at another folder there.
    write("other/again.yaml", first)
    second = awaitd("check", "--print-effective", "other/again.yaml").stdout

    def values(text: str) -> Any:
        return yaml.load(text.replace("other/", ""), yaml.BaseLoader)

    assert values(first) == values(second)
    assert values(first)["scripts"][0]["args"] == ["- a: b", "#", "null"]
    assert values(first)["devices"][0]["max_payload"] == "0x40"


def test_effective_is_printed_beside_a_script_with_an_error(
    awaitd, bench, write
):
    write("log.py", "(\n")
    result = awaitd("check", "--print-effective", "bench.yaml")
    assert result.returncode == 78
    assert "log.py:1:" in result.stderr
    assert "driver: udp" in result.stdout
