"""What a newcomer tries: the examples, the demo, and the commands of the README
and of docs/, each as it stands there."""

from __future__ import annotations

import ast
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pytest

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LOG = EXAMPLES / "drive.log"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
REPLAY = ("-d", f"CANbus=replay:{LOG},speed=max")
DEADLINE_S = 40.0
# What a machine that is too busy adds to what the documents show.
LATE = re.compile(
    r"^awaitd: warning: script \w+: (its loop is blocked|Stack \(|  File ).*\n",
    re.MULTILINE,
)


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def demo(awaitd_binary, port):
    """What starts the demo against this build."""
    return {
        "args": [EXAMPLES / "demo.sh", "2"],
        "env": os.environ | {"AWAITD_BUILD": str(awaitd_binary.parents[1]),
                             "AWAITD_DEMO_PORT": str(port)},
        "stdin": subprocess.DEVNULL,
        "start_new_session": True,
    }


# ---- each example ----


def test_three_lines_are_a_complete_script(run_daemon):
    process = run_daemon("run", *REPLAY, EXAMPLES / "three_lines.py")
    assert process.finish() == 0, process.stderr


def test_three_lines_run_in_plain_python(start_process):
    process = start_process(sys.executable, "-m", "awaitd", *REPLAY,
                            EXAMPLES / "three_lines.py")
    assert process.finish() == 0, process.stderr


def test_logger_writes_the_log_that_is_replayed(run_daemon):
    process = run_daemon("run", "-q", *REPLAY, EXAMPLES / "logger.py")
    assert process.finish() == 0, process.stderr
    assert process.stdout == LOG.read_text()


def test_echo_returns_each_datagram_to_its_sender(run_daemon, port):
    process = run_daemon("run", "-d", f"net=udp:127.0.0.1:{port}",
                         EXAMPLES / "echo_udp.py", 2)
    process.line("ready")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(DEADLINE_S)
        for text in (b"one", b"two"):
            peer.sendto(text, ("127.0.0.1", port))
            assert peer.recv(100) == text
    assert process.finish() == 0, process.stderr


def test_talk_gets_the_answers_of_answer(run_daemon):
    process = run_daemon("run", "-d", "bus=virtual:can",
                         "-s", EXAMPLES / "answer.py", EXAMPLES / "talk.py")
    assert process.finish() == 0, process.stderr
    assert process.stdout.splitlines() == [
        "talk: speed: 47, in 7E8#03410D2F00000000",
        "talk: coolant temperature: 128, in 7E8#0341058000000000",
        "talk: fuel level: 201, in 7E8#03412FC900000000",
    ]


def test_the_example_of_a_test_passes(start_process):
    process = start_process(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        EXAMPLES / "test_with_virtual_bus.py",
    )
    assert process.finish() == 0, process.stdout
    assert "2 passed" in process.stdout


def test_send_udp_says_how_many_it_sent(start_process, port):
    process = start_process(sys.executable, EXAMPLES / "send_udp.py",
                            1000, 0.1, port)
    assert process.finish() == 0
    assert process.stdout == "100\n"


def test_every_example_is_tried_somewhere():
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    tests += "".join(path.read_text() for path in DOCUMENTS)
    tests += (EXAMPLES / "demo.sh").read_text()
    untried = [path.name for path in EXAMPLES.glob("*.py")
               if path.name not in tests]
    assert untried == []


# ---- the demo ----


def exact_queues(errors: str) -> dict[str, int]:
    """Frames delivered by each device's queue, from the ledger's lines."""
    rows = [line.split() for line in errors.splitlines()]
    return {row[0]: int(row[5]) for row in rows if row[-1:] == ["exact"]}


def test_demo_shows_frames_rates_and_the_ledger(demo):
    done = subprocess.run(**demo, capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    delivered = exact_queues(done.stderr)
    assert delivered["drive"] > 1000
    assert delivered["net"] > 500
    assert "350#36FC004500D0" in done.stdout
    assert "gear" in done.stdout


def test_demo_into_a_pipe_draws_nothing_twice(demo):
    done = subprocess.run(**demo, capture_output=True,
                          timeout=DEADLINE_S, check=False)
    assert not {0x1B, ord("\r")} & set(done.stdout)


def on_a_terminal(demo, columns: int) -> bytes:
    """What the demo writes to a terminal of that width."""
    ours, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    process = subprocess.Popen(**demo, stdout=terminal,
                               stderr=subprocess.DEVNULL)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # EIO: nobody has the terminal any more
        pass
    os.close(ours)
    assert process.wait(DEADLINE_S) == 0
    return shown


def test_demo_on_a_terminal_redraws_its_rows(demo):
    shown = on_a_terminal(demo, 100)
    assert shown.count(b"frames/s") == 1
    assert b"\x1b[3A" in shown


def test_demo_on_a_narrow_terminal_wraps_no_row(demo):
    shown = on_a_terminal(demo, 40)
    assert b"\x1b[3A" in shown
    rows = [
        re.sub(rb"\x1b\[\d*[A-Z]", b"", line).rstrip(b"\r")
        for line in shown[shown.index(b"    device"):].split(b"\n")
    ]
    assert len(rows) > 6
    assert max(map(len, rows)) == 39


def test_demo_ends_at_ctrl_c_and_leaves_nothing_behind(demo):
    process = subprocess.Popen(**demo, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "the car" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    # The end of stderr, too: no process that it has started has it any more.
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert "awaitd: ledger" in errors


# ---- what is written ----


def blocks(language: str) -> list[tuple[str, str, str | None]]:
    """(place, text, text of the `text` block that follows, if one does)."""
    pattern = re.compile(
        rf"^```{language}\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?",
        re.MULTILINE | re.DOTALL,
    )
    return [
        (f"{path.name}:{path.read_text()[:found.start()].count(chr(10)) + 1}",
         found[1], found[2])
        for path in DOCUMENTS
        for found in pattern.finditer(path.read_text())
    ]


@pytest.mark.parametrize(
    ("commands", "output"),
    [pytest.param(commands, output, id=place)
     for place, commands, output in blocks("sh tried")],
)
def test_commands_of_the_documents_work(awaitd_binary, commands, output):
    path = f"{awaitd_binary.parent}:/usr/bin:/bin:/usr/sbin"
    command = ["bash", "-euo", "pipefail", "-c", commands]
    if os.geteuid() == 0:
        # A network of its own: the documents' ports may be in use on this one.
        command[-1] = f"ip link set lo up\n{commands}"
        command = ["unshare", "--net", *command]
    done = subprocess.run(
        command, cwd=ROOT,
        env=os.environ | {"PATH": path}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if output is not None:
        assert done.stdout + LATE.sub("", done.stderr) == output


@pytest.mark.parametrize(
    "program",
    [pytest.param(text, id=place) for place, text, _ in blocks("python")],
)
def test_programs_of_the_documents_compile(program):
    compile(program, "document", "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


@pytest.mark.parametrize("name", ["three_lines.py", "ten_lines.py"])
def test_the_readme_shows_the_example_as_it_is(name):
    shown = [text for place, text, _ in blocks("python")
             if place.startswith("README.md")]
    assert (EXAMPLES / name).read_text() in shown


def test_every_option_is_documented(run_daemon):
    process = run_daemon("help", "devices")
    assert process.finish() == 0
    options = re.findall(r"^(?:  \*|   ) (\w+) ", process.stdout, re.MULTILINE)
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert len(options) > 15
    assert [name for name in options if f"`{name}`" not in page] == []


def test_every_link_of_the_documents_leads_somewhere():
    broken = [
        f"{path.name}: {target}"
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)",
                                 path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []
