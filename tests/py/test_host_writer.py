"""The writer behind the output of several scripts, and of those whose output
goes to the journal: nobody waits for it, what it has no room for is counted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

IDLE = "import asyncio\nawait asyncio.sleep(0)\n"
DEADLINE_S = 20.0


def wait_for(path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.01)


FLOOD = """
    import asyncio, pathlib, sys
    await asyncio.sleep(0)
    for number in range(30000):
        print(number, "x" * 80, file={stream})
    pathlib.Path({done!r}).touch()
    """


@pytest.fixture
def unread(host, awaitd_binary):
    """unread(stream, **scripts): awaitd with two pipes that nobody reads."""
    started = []

    def start(**scripts):
        words = [str(awaitd_binary), "run", "-q"]
        for name, text in scripts.items():
            words += ["-s", str(host.write(f"{name}.py", text))]
        started.append(
            subprocess.Popen(
                words,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
def test_h24_flood_into_a_full_pipe_blocks_nobody(host, unread, stream):
    done = host.folder / "done"
    process = unread(
        one=FLOOD.format(stream=stream, done=str(done)), two=IDLE
    )
    wait_for(done)
    process.communicate(timeout=DEADLINE_S)


def test_h24_what_is_dropped_is_counted_and_the_order_kept(host, unread):
    done = host.folder / "done"
    go_on = host.folder / "go on"
    process = unread(
        one=FLOOD.format(stream="sys.stdout", done=str(done)),
        two=f"""
        import asyncio, pathlib
        while not pathlib.Path({str(go_on)!r}).exists():
            await asyncio.sleep(0.01)
        """,
    )
    wait_for(done)
    go_on.touch()
    out, err = process.communicate(timeout=DEADLINE_S)
    numbers = [int(line.split()[1]) for line in out.splitlines()]
    assert numbers == sorted(set(numbers))
    assert out.startswith("one: 0 xx")
    told = re.findall(r"awaitd: warning: (\d+) lines of output dropped", err)
    assert len(numbers) < 30000
    assert len(numbers) + sum(map(int, told)) == 30000


def test_end_does_not_wait_for_a_pipe_that_nobody_reads(host, unread):
    process = unread(
        one="for n in range(30000): print(n, 'x' * 80)\n", two=IDLE
    )
    assert process.wait(DEADLINE_S) == 0


def test_h24_huge_line_is_cut_and_says_so(host):
    process = host.run(one="print('ä' * 10**6)\nprint('next')\n", two=IDLE)
    first, second = process.stdout.splitlines()
    assert first == f"one: {'ä' * 4096} [awaitd: 1991808 more bytes, cut]"
    assert second == "one: next"


def test_h24_line_written_in_pieces_is_cut_too(host):
    process = host.run(
        one="""
        import sys
        for number in range(100):
            sys.stdout.write("x" * 1000)
        print("end")
        """,
        two=IDLE,
    )
    cut = 100_000 + len("end") - 8192
    line = f"one: {'x' * 8192} [awaitd: {cut} more bytes, cut]\n"
    assert process.stdout == line


def test_last_lines_are_written_before_the_end(host):
    process = host.run(
        one="for n in range(5000): print(n)\n", two="print('tail', end='')\n"
    )
    lines = process.stdout.splitlines()
    assert "two: tail" in lines
    assert [it for it in lines if it.startswith("one")][-1] == "one: 4999"


def test_last_lines_wait_for_a_slow_reader(host, unread):
    process = unread(
        one="for n in range(5000): print(n, 'x' * 80)\n", two=IDLE
    )
    read = b""
    while piece := os.read(process.stdout.fileno(), 1 << 15):
        read += piece
        time.sleep(0.25)  # more than 3 s in all, of the 10 s that it has
    numbers = [int(line.split()[1]) for line in read.splitlines()]
    assert numbers == list(range(5000))
    assert process.stderr.read() == ""
    assert process.wait(DEADLINE_S) == 0


def test_output_that_does_not_block_loses_nothing(host, awaitd_binary):
    """Whoever shares a terminal or a pipe may have made it so for all."""
    count = 3000  # three times what a pipe holds, and less than the ring
    flood = f"for n in range({count}): print(n, 'x' * 60)\n"
    words = ["-s", host.write("one.py", flood), "-s", host.write("two.py", IDLE)]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [awaitd_binary, "run", "-q", *words],
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    with open(reader) as file:
        lines = file.read().splitlines()
    _, err = process.communicate(timeout=DEADLINE_S)
    assert b"dropped" not in err
    assert [line.split()[1] for line in lines if line.startswith("one")] == [
        str(number) for number in range(count)
    ]


def test_full_disk_for_the_output_of_several_is_counted(host, awaitd_binary):
    """And they go on: there may be room later."""
    stats = host.folder / "stats.json"
    words = ["-s", host.write("one.py", "for n in range(100): print(n)\n")]
    words += ["-s", host.write("two.py", IDLE), "--stats-json", stats]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >/dev/full', "sh", awaitd_binary, "run", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(stats.read_text())["dropped_lines"] == 100
    told = re.findall(
        r"(\d+) lines of output dropped: No space left on device", done.stderr
    )
    assert sum(map(int, told)) == 100


def test_reader_that_is_gone_is_a_broken_pipe_in_the_script(host, awaitd_binary):
    script = host.write(
        "one.py",
        """
        import time
        try:
            while True:
                print("line")
                time.sleep(0.001)
        except BrokenPipeError:
            import os
            os.write(2, b"gone\\n")
        """,
    )
    other = host.write("two.py", IDLE)
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", awaitd_binary]
        + ["run", "-q", "-s", script, "-s", other],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.stdout == "one: line\n"
    dropped = r"awaitd: warning: \d+ lines of output dropped: Broken pipe\n"
    assert re.search(dropped, done.stderr)
    assert re.sub(dropped, "", done.stderr) == "gone\n"


def test_forked_child_prints_for_itself(host):
    process = host.run(
        one="""
        import os
        if os.fork() == 0:
            print("child")
        else:
            os.wait()
            print("parent")
        """,
        two=IDLE,
    )
    assert process.stdout.splitlines() == ["child", "one: parent"]


# ---- the journal ----

# Runs awaitd in a mount namespace that has a journal of its own: its datagrams
# are printed as JSON.
JOURNAL = """
    import json, os, pathlib, socket, subprocess, sys
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    folder = pathlib.Path("/run/systemd/journal")
    folder.mkdir(parents=True)
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    journal.bind(str(folder / "socket"))
    read, write = os.pipe()
    status = os.fstat(write)
    environment = os.environ | {
        "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"
    }
    status = subprocess.run(
        sys.argv[1:], stdout=write, stderr=write, env=environment, timeout=15
    ).returncode
    journal.setblocking(False)
    entries = []
    try:
        while True:
            lines = journal.recv(1 << 20).decode().splitlines()
            entries.append(dict(it.split("=", 1) for it in lines if "=" in it))
    except BlockingIOError:
        pass
    print(json.dumps([status, entries]))
    """


@pytest.fixture
def journal(host, awaitd_binary):
    """journal(text): what one script has sent to the journal, as dicts."""
    namespace = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here: the journal is NOT tested")

    def run(text: str) -> list[dict[str, str]]:
        script = host.write("script.py", text)
        done = subprocess.run(
            [*namespace, sys.executable, "-c", textwrap.dedent(JOURNAL)]
            + [awaitd_binary, "run", "-q", script],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
        )
        assert done.returncode == 0, done.stderr
        status, entries = json.loads(done.stdout)
        assert status == 0
        return entries

    return run


def test_journal_has_script_file_line_and_level(host, journal):
    first, second, third = journal(
        """
        import logging, sys
        print("one")
        print("two", file=sys.stderr)
        logging.error("three")
        """
    )
    path = f"{host.folder}/script.py"
    fields = ("MESSAGE", "PRIORITY", "AWAITD_SCRIPT", "CODE_FILE", "CODE_LINE")
    assert [first[it] for it in fields] == ["one", "6", "script", path, "3"]
    assert [second[it] for it in fields] == ["two", "4", "script", path, "4"]
    assert [third[it] for it in fields[1:]] == ["3", "script", path, "5"]
    assert third["MESSAGE"].endswith("three")
