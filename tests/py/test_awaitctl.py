"""awaitctl as a command: what it prints, and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from control import WAIT, awaitctl, control, wait_until  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "status devices queues scripts reload restart stop top log dump send "
    "metrics"
).split()
BUSY = """
    import asyncio, awaitd
    from awaitd.devices import bus
    q = bus.queue(name="fast", depth=4)
    for n in range(6):
        await bus.send(awaitd.CanFrame(0x100 + n))
    while q.stats().received < 6:
        await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.Event().wait()
"""
ECHO = ("bus=virtual:can,receive_own=yes",)


def table(text: str) -> list[dict[str, str]]:
    """Rows of a printed table by the words of its head."""
    head, *rows = (line.split() for line in text.splitlines())
    return [dict(zip(head, row)) for row in rows]


def test_help_names_every_command_and_fits_a_terminal(awaitctl):
    text = awaitctl("--help").stdout
    for command in COMMANDS:
        assert f"\n  {command} " in text
    assert max(map(len, text.splitlines())) <= 80


def test_version_is_that_of_the_daemon(awaitctl):
    assert awaitctl("--version").stdout == "awaitctl 0.1.0\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["status", "more"],
        ["dump"],
        ["send", "bus"],
        ["--colour", "status"],
        ["top", "-n"],
        ["top", "-n", "x"],
        ["top", "-i", "0"],
        ["dump", "bus,123"],
        ["dump", "bus,123:xyz"],
    ],
    ids=" ".join,
)
def test_usage_error_exits_64_in_one_line(control, awaitctl, words):
    control.start()
    result = awaitctl(*words, status=64)
    assert result.stdout == ""
    assert result.stderr.startswith("awaitctl: ")
    assert result.stderr.count("\n") == 1


def test_no_daemon_exits_69(awaitctl):
    result = awaitctl("status", status=69)
    assert "no awaitd runs there" in result.stderr


def test_daemon_that_died_exits_69(control, awaitctl):
    control.start().kill()
    assert "has ended" in awaitctl("status", status=69).stderr


def test_refusal_exits_1_with_the_reason(control, awaitctl):
    control.start()
    result = awaitctl("send", "bus", "xyz", status=1)
    assert result.stderr.startswith("awaitctl: ")
    assert 'no device "nix"' in awaitctl("dump", "nix", status=1).stderr


def test_tables_show_the_ledger(control, awaitctl):
    control.start(BUSY, devices=ECHO)
    (queue,) = table(awaitctl("queues").stdout)
    assert (queue["device"], queue["queue"]) == ("bus", "fast")
    assert (queue["received"], queue["pending"]) == ("6", "4")
    assert (queue["overflow"], queue["exact"]) == ("2", "yes")
    (device,) = table(awaitctl("devices").stdout)
    assert (device["driver"], device["sent"]) == ("virtual", "6")
    (script,) = table(awaitctl("scripts").stdout)
    assert (script["script"], script["state"]) == ("script", "running")
    text = awaitctl("status").stdout
    assert "ledger exact, frames lost" in text
    assert "open queues: 1, scripts: 1 of 1 run\n" in text


@pytest.mark.parametrize("command", ["status", "devices", "queues", "scripts"])
def test_json_is_the_protocols_result(control, awaitctl, command):
    control.start(BUSY, devices=ECHO)
    found = json.loads(awaitctl("--json", command).stdout)
    assert found.keys() == control.connect().get(command).keys()


@pytest.mark.parametrize(
    "words, keys",
    [
        (["reload"], {"scripts", "notes"}),
        (["restart", "script"], {"scripts"}),
        (["stop", "script"], {"scripts"}),
        (["send", "bus", "123#01"], {"sent"}),
        (["metrics"], {"type", "text"}),
    ],
    ids=lambda it: it[0] if isinstance(it, list) else "",
)
def test_json_is_the_result_of_what_is_done(control, awaitctl, words, keys):
    control.start()
    assert json.loads(awaitctl("--json", *words).stdout).keys() == keys


def test_json_of_a_dump_is_a_line_a_frame(
    control, awaitctl, awaitd_binary, start_process
):
    control.start()
    dump = start_process(
        awaitd_binary.with_name("awaitctl"),
        *("--socket", control.path, "--json", "dump", "bus", "-n", "1"),
    )
    watcher = control.connect()
    wait_until(lambda: watcher.get("queues")["queues"])
    awaitctl("send", "bus", "123#01")
    assert dump.finish() == 0
    event = json.loads(dump.stdout)
    assert event["event"] == "frame"
    assert event["line"].endswith("bus 123#01")


def test_metrics_are_the_page(control, awaitctl):
    control.start()
    text = awaitctl("metrics").stdout
    assert text.startswith("# HELP awaitd_build_info ")
    assert awaitctl("metrics", "--openmetrics").stdout.endswith("# EOF\n")


def test_dump_prints_what_send_sent(
    control, awaitctl, awaitd_binary, start_process
):
    control.start()
    dump = start_process(
        awaitd_binary.with_name("awaitctl"),
        *("--socket", control.path, "dump", "bus,100:700", "-n", "2"),
    )
    watcher = control.connect()
    wait_until(lambda: watcher.get("queues")["queues"])
    for frame in ("100#01", "200#02", "1FF#03"):
        awaitctl("send", "bus", frame)
    assert dump.finish() == 0
    lines = [line.split()[1:] for line in dump.stdout.splitlines()]
    assert lines == [["bus", "100#01"], ["bus", "1FF#03"]]


def test_dump_says_how_it_ended(control, awaitd_binary, start_process):
    process = control.start()
    dump = start_process(
        awaitd_binary.with_name("awaitctl"),
        *("--socket", control.path, "dump", "bus"),
    )
    watcher = control.connect()
    wait_until(lambda: watcher.get("queues")["queues"])
    process.signal(signal.SIGTERM)
    assert dump.finish() == 0
    assert dump.stderr == "awaitctl: stopped after 0 frames\n"


def test_log_prints_lines_with_time_and_level(control, awaitctl):
    control.start(BUSY, devices=ECHO, config="stall_ms: 0\n")
    (line,) = awaitctl("log").stdout.splitlines()
    assert "warning: script: queue fast of device bus loses frames" in line
    (line,) = awaitctl("log", "--json").stdout.splitlines()
    assert json.loads(line)["level"] == "warning"
    assert awaitctl("log", "-n", "0").stdout == ""


def test_reload_of_one_that_fails_exits_1(control, awaitctl):
    control.start(BUSY, devices=ECHO)
    control.host.write("script.py", "def\n")
    result = awaitctl("reload", "script", status=1)
    assert "script.py:1" in result.stderr
    assert awaitctl("restart", "nix", status=1).stderr


def test_replies_name_the_generation_that_runs(control, awaitctl):
    control.start(BUSY, devices=ECHO, config="reload_settle_s: 0.1\n")
    said = [
        awaitctl(*words).stdout
        for words in (
            ("reload", "script"), ("restart",), ("reload",), ("stop",),
            ("reload",),
        )
    ]  # fmt: skip
    assert said == [
        "script: done, generation 2\n",
        "script: done, generation 3\n",
        "script: unchanged, generation 3\n",
        "script: done\n",
        "script: stopped\n",
    ]


# ---- top ----


def test_top_prints_rounds_with_rates(control, awaitctl):
    control.start(BUSY, devices=ECHO)
    text = awaitctl("top", "-n", "2", "-i", "0.01").stdout
    first, second = text.strip().split("awaitd 0.1.0")[1:]
    (row,) = table(first.strip().split("\n\n")[2])
    assert (row["pend"], row["high"], row["depth"]) == ("4", "4", "4")
    assert (row["kern"], row["over"], row["in/s"]) == ("0", "2", "-")
    (row,) = table(second.strip().split("\n\n")[2])
    assert row["in/s"] == "0"  # a rate, now that there is one before
    assert "\033" not in text


def test_top_json_is_a_line_a_round(control, awaitctl):
    control.start(BUSY, devices=ECHO)
    text = awaitctl("--json", "top", "-n", "2", "-i", "0.01").stdout
    rounds = [json.loads(line) for line in text.splitlines()]
    assert len(rounds) == 2
    assert rounds[0]["queues"][0]["pending"] == 4
    assert rounds[0]["monotonic_ns"] < rounds[1]["monotonic_ns"]


def on_terminal(binary, control, *arguments, rows=24, columns=80) -> str:
    """What awaitctl writes to a terminal of that size."""
    master, slave = pty.openpty()
    fcntl.ioctl(
        slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0)
    )
    command = [binary.with_name("awaitctl"), "--socket", control.path]
    with subprocess.Popen([*command, *arguments], stdout=slave) as process:
        os.close(slave)
        data = b""
        try:
            while chunk := os.read(master, 65536):
                data += chunk
        except OSError:
            pass  # its end
        assert process.wait(20) == 0
    os.close(master)
    return data.decode().replace("\r\n", "\n")


def test_top_on_a_terminal_redraws_within_80_columns(control, awaitd_binary):
    name = "a_very_long_name_of_a_device"
    control.start(
        f"""
        import asyncio, awaitd
        from awaitd.devices import {name} as bus
        q = bus.queue(name="a queue with a very long name")
        for n in range(120000):
            await bus.send(awaitd.CanFrame(0x100))
        while q.stats().received < 120000:
            await asyncio.sleep(0)
        print("ready", flush=True)
        await asyncio.Event().wait()
        """,
        devices=(f"{name}=virtual:can,receive_own=yes",),
    )
    text = on_terminal(awaitd_binary, control, "top", "-n", "1")
    assert text.startswith("\033[H\033[J")
    lines = text.removeprefix("\033[H\033[J").splitlines()
    assert max(map(len, lines)) <= 80
    (queue,) = (it for it in lines if it.startswith("a_very_~ a queue~ script"))
    assert queue.split()[-4:] == ["0", "104k", "0", "-"]


def test_top_scrolls_nothing_off_a_low_terminal(control, awaitd_binary):
    control.start(BUSY, devices=ECHO)
    text = on_terminal(awaitd_binary, control, "top", "-n", "1", rows=8)
    lines = text.removeprefix("\033[H\033[J").splitlines()
    # The cursor stands in the line behind.
    assert len(lines) == 7
    assert lines[-1].startswith("... 4 lines more")


def test_queues_fit_a_terminal_of_80_columns(control, awaitd_binary):
    control.start(BUSY, devices=ECHO)
    text = on_terminal(awaitd_binary, control, "queues")
    assert max(map(len, text.splitlines())) <= 80
    (queue,) = table(text)
    assert (queue["in"], queue["pend"], queue["over"]) == ("6", "4", "2")


def test_queues_are_told_in_full_where_there_is_room(control, awaitd_binary):
    control.start(BUSY, devices=ECHO)
    text = on_terminal(awaitd_binary, control, "queues", columns=200)
    (queue,) = table(text)
    assert (queue["received"], queue["exact"]) == ("6", "yes")


def test_scripts_tell_the_whole_of_an_error(control, awaitctl):
    words = "a reason of more than sixty-four characters, " * 4
    control.start(
        f"""
        print("ready", flush=True)
        raise ValueError({words + "its end"!r})
        """,
        words=("-s", control.host.write("stays.py", WAIT)),
    )
    wait_until(
        lambda: "its end" in awaitctl("scripts").stdout.splitlines()[-1]
    )
    text = awaitctl("scripts").stdout
    assert f"script.py:3: ValueError: {words}its end" in text
    rows = table(text.split("\n\n")[0])
    assert {row["script"]: row["exit"] for row in rows} == {
        "script": "1",
        "stays": "-",
    }


# Each turn of the first loop waits for a frame, and one of them is long.
WAITS = """
    import asyncio, time, awaitd
    from awaitd.devices import bus
    q = bus.queue(name="fast")
    for n in range(20):
        waiting = asyncio.create_task(q.get())
        await asyncio.sleep(0)
        await bus.send(awaitd.CanFrame(0x100))
        await waiting
    time.sleep(0.12)
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.Event().wait()
"""


def duration(ns: int) -> str:
    value, unit = ns / 1e3, "us"
    for bigger in ("ms", "s"):
        if value >= 999.5:
            value, unit = value / 1e3, bigger
    if unit == "us" and value < 0.95:
        return "<1us"
    return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"


def test_top_tells_the_latency_of_the_last_round(control, awaitctl):
    control.start(WAITS, devices=ECHO)
    (queue,) = control.connect().get("queues")["queues"]
    buckets = queue["latency"]["script"]["buckets"]
    ends = [end for end, count in buckets for _ in range(count)]
    text = awaitctl("top", "-n", "2", "-i", "0.01").stdout
    rounds = [
        table(it.strip().split("\n\n")[2])[0]
        for it in text.split("awaitd 0.1.0")[1:]
    ]
    # The first is of all twenty frames; then none came.
    assert rounds[0]["p50"] == duration(ends[9])
    assert rounds[0]["p99"] == duration(ends[19])
    assert (rounds[1]["p50"], rounds[1]["p99"]) == ("-", "-")
    longest = duration(queue["latency"]["script"]["max_ns"])
    assert [it["max"] for it in rounds] == [longest, longest]


def test_top_shows_latency_and_stalls(control, awaitctl):
    control.start(WAITS, devices=ECHO, config="stall_ms: 100\n")
    client = control.connect()

    def turns() -> dict:
        return client.get("scripts")["scripts"][0]["turns"]

    wait_until(lambda: not turns()["now_s"])  # its last turn is over
    stalls = turns()["stalls"]
    assert stalls >= 1  # a busy machine may make more of them
    text = awaitctl("top", "-n", "1").stdout
    _, _, queues, scripts = text.strip().split("\n\n")
    (queue,), (script,) = table(queues), table(scripts)
    assert queue["p50"].endswith("s") and queue["max"].endswith("s")
    assert (script["stalls"], script["state"]) == (str(stalls), "running")
    assert script["longest"].endswith("s")


# ---- completion ----


def complete(binary, control, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    program = f"""
        source {ROOT}/daemon/ctl/awaitctl.bash
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
        COMP_WORDS[0]={binary}
        COMP_CWORD={len(words) - 1}
        _awaitctl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(
        ["bash", "-c", program],
        env=os.environ | {"AWAITD_SOCKET": str(control.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert result.stderr == ""
    return sorted(result.stdout.split())


def test_completion_offers_commands_devices_and_scripts(control, awaitd_binary):
    control.start(devices=("bus=virtual:can", "big=virtual:can"))
    binary = awaitd_binary.with_name("awaitctl")
    assert complete(binary, control, "awaitctl", "") == sorted(COMMANDS)
    assert complete(binary, control, "awaitctl", "re") == ["reload", "restart"]
    assert complete(binary, control, "awaitctl", "dump", "b") == ["big", "bus"]
    assert complete(binary, control, "awaitctl", "reload", "") == ["script"]
    assert complete(binary, control, "awaitctl", "--js") == ["--json"]
