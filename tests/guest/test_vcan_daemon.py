"""A real CAN bus under the daemon, each script a file."""

from __future__ import annotations

import json
import signal
import sys
import textwrap

import pytest
from can_peers import cangen_command, cansend, ip, send_raw

CANGEN_FRAMES = 20_000

THREE_LINES = """
    from awaitd.devices import CANbus
    can_q = CANbus.queue()
    message = await can_q.get()
"""


@pytest.fixture
def run_script(run_daemon, tmp_path):
    """run_script(text, *arguments) -> Process, with CANbus on `interface`; its
    ledger is in ledger(tmp_path) at the end."""

    def run(text: str, *arguments: object, interface: str = "vcan0"):
        return run_daemon(
            *("run", "-d", f"CANbus=can:{interface}"),
            *("--stats-json", tmp_path / "stats.json"),
            *(write_script(tmp_path, text), *arguments),
        )

    return run


def write_script(folder, text: str):
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def ledger(folder) -> list[dict]:
    """The queues of the one device."""
    report = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    assert report["exact"] is True
    return report["devices"][0]["queues"]


# ---- the three lines ----


def test_three_lines_get_a_message(run_script):
    process = run_script(THREE_LINES + "    print(message)\n")
    # They do not say when the queue is there.
    line = process.line_after(lambda: cansend("vcan0", "123#0102"))
    assert line == "123#0102"
    assert process.finish() == 0, process.stderr


def test_three_lines_run_without_the_daemon(start_process, tmp_path):
    script = write_script(tmp_path, THREE_LINES + "    print(message)\n")
    process = start_process(
        *(sys.executable, "-m", "awaitd", "-d", "CANbus=can:vcan0", script)
    )
    line = process.line_after(lambda: cansend("vcan0", "123#0102"))
    assert line == "123#0102"
    assert process.finish() == 0, process.stderr


# ---- frames ----

PRINT_FRAMES = """
    import sys
    from awaitd.devices import CANbus
    queue = CANbus.queue()
    print("ready", flush=True)
    for _ in range(int(sys.argv[1])):
        frame = await queue.get()
        flags = {"x": frame.is_extended_id, "r": frame.is_remote_frame,
                 "e": frame.is_error_frame, "f": frame.is_fd,
                 "b": frame.bitrate_switch, "s": frame.error_state_indicator}
        print(frame.channel, f"{frame.arbitration_id:X}", frame.dlc,
              frame.data.hex() or "-",
              "".join(flag for flag in flags if flags[flag]) or "-",
              flush=True)
"""


def test_frames_of_every_kind_arrive_in_order(run_script, tmp_path):
    process = run_script(PRINT_FRAMES, 7)
    process.line("ready")
    cansend("vcan0", "123#0102", "12345678#AB", "123#R5", "00000123#")
    cansend("vcan0", "123##3" + "5A" * 12, "12345678##0")
    send_raw("vcan0", 0x20000040, bytes(8))
    assert process.finish() == 0, process.stderr
    assert process.stdout.splitlines()[1:] == [
        "vcan0 123 2 0102 -",
        "vcan0 12345678 1 ab x",
        "vcan0 123 5 - r",
        "vcan0 123 0 - x",
        "vcan0 123 12 " + "5a" * 12 + " fbs",
        "vcan0 12345678 0 - xf",
        "vcan0 40 8 0000000000000000 e",
    ]
    (queue,) = ledger(tmp_path)
    assert (queue["received"], queue["delivered"]) == (7, 7)


COUNT_FRAMES = """
    import sys
    from awaitd.devices import CANbus
    total = int(sys.argv[1])
    # Deep enough for all: this is about the bus, not about overflow.
    every = CANbus.queue(name="every", depth=32768)
    even = CANbus.queue(name="even", depth=32768,
                        filters=[{"can_id": 0, "can_mask": 1}])
    print("ready", flush=True)
    for queue, step in ((every, 1), (even, 2)):
        expected = 0
        while expected < total:
            for frame in await queue.get_many(256):
                counter = int.from_bytes(frame.data, "little")
                assert counter == expected, (queue.name, counter, expected)
                expected += step
    print("complete", flush=True)
"""


def test_cangen_at_full_speed_loses_nothing(
    run_script, start_process, tmp_path
):
    process = run_script(COUNT_FRAMES, CANGEN_FRAMES)
    process.line("ready")
    cangen = start_process(*cangen_command("vcan0", CANGEN_FRAMES))
    assert process.finish() == 0, process.stderr
    assert cangen.finish() == 0
    assert "complete" in process.stdout
    every, even = ledger(tmp_path)
    half = CANGEN_FRAMES // 2
    assert (every["received"], every["delivered"]) == (CANGEN_FRAMES,) * 2
    assert (even["received"], even["filtered"]) == (CANGEN_FRAMES, half)
    assert even["delivered"] == half
    for queue in (every, even):
        assert set(queue["dropped"].values()) == {0}
        assert queue["pending"] == 0


def test_two_scripts_get_the_same_frame(run_daemon, tmp_path):
    script = """
        from awaitd.devices import CANbus
        queue = CANbus.queue()
        print("ready", flush=True)
        print(await queue.get(), flush=True)
    """
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(textwrap.dedent(script), encoding="utf-8")
    process = run_daemon(
        *("run", "-d", "CANbus=can:vcan0"),
        *("-s", tmp_path / "one.py", "-s", tmp_path / "two.py"),
    )
    process.line("ready")
    process.line("ready")
    cansend("vcan0", "123#01")
    assert process.finish() == 0, process.stderr
    lines = [line for line in process.stdout.splitlines() if "123#" in line]
    assert sorted(lines) == ["one: 123#01", "two: 123#01"]


# ---- sending, and stopping ----


def test_sent_frames_reach_candump(run_script, candump):
    dump = candump("vcan0")
    frames = ["123#0102", "12345678#", "123#R5"]
    script = """
        import sys
        import awaitd
        from awaitd.devices import CANbus
        for text in sys.argv[1:]:
            await CANbus.send(awaitd.CanFrame.parse(text))
    """
    process = run_script(script, *frames)
    assert [dump.frame() for _ in frames] == frames
    assert process.finish() == 0, process.stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)]
)
def test_frame_sent_while_stopping_arrives(run_script, candump, number, status):
    dump = candump("vcan0")
    process = run_script(
        """
        import asyncio
        import awaitd
        from awaitd.devices import CANbus
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            await CANbus.send(awaitd.CanFrame.parse("200#00"))
        """
    )
    process.line("ready")
    process.signal(number)
    assert dump.frame() == "200#00"
    assert process.finish() == status, process.stderr


# ---- interfaces that come and go ----


def test_interface_that_was_down_is_reported_and_used_again(
    run_script, spare_interface
):
    process = run_script(PRINT_FRAMES, 1, interface=spare_interface)
    process.line("ready")
    ip("link", "set", spare_interface, "down")
    process.line(f"interface {spare_interface} is down", stream="stderr")
    ip("link", "set", spare_interface, "up")
    cansend(spare_interface, "123#")
    assert process.line() == f"{spare_interface} 123 0 - -"
    assert process.finish() == 0, process.stderr


def test_deleted_interface_is_the_scripts_device_lost(
    run_script, spare_interface
):
    process = run_script(PRINT_FRAMES, 1, interface=spare_interface)
    process.line("ready")
    ip("link", "delete", spare_interface)
    assert process.finish() == 1
    assert "DeviceLost" in process.stderr
    assert "CANbus" in process.stderr


def test_missing_interface_exits_69(run_script):
    process = run_script(PRINT_FRAMES, 1, interface="nosuch0")
    assert process.finish() == 69
    assert "nosuch0" in process.stderr
