"""Frames seen and sent from outside, without disturbing a script."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest
from control import WAIT, control, wait_until  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon


def test_dump_shows_what_is_sent_as_candump_does(control):
    control.start()
    viewer, sender = control.connect(), control.connect()
    viewer.get("dump", device="bus", id="d")
    frames = ["123#0102", "18DAF110#", "7FF#R4", "123##1AABB"]
    for frame in frames:
        sender.get("send", device="bus", frame=frame)
    events = [viewer.receive() for _ in frames]
    assert [event["line"].split()[1:] for event in events] == [
        ["bus", frame] for frame in frames
    ]
    assert {(event["event"], event["id"]) for event in events} == {
        ("frame", "d")
    }
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(frames)))


def test_dump_filters(control):
    control.start()
    viewer, sender = control.connect(), control.connect()
    filters = [
        {"can_id": 0x100, "can_mask": 0x700},
        {"can_id": 0x5, "can_mask": 0x1FFFFFFF, "extended": True},
    ]
    viewer.get("dump", device="bus", filters=filters)
    for frame in ("200#", "1FF#", "005#", "00000005#", "100#"):
        sender.get("send", device="bus", frame=frame)
    lines = [viewer.receive()["line"].split()[2] for _ in range(3)]
    assert lines == ["1FF#", "00000005#", "100#"]


def test_dump_ends_with_the_daemon(control):
    process = control.start()
    viewer = control.connect()
    viewer.get("dump", device="bus")
    process.signal(signal.SIGTERM)
    assert viewer.receive()["reason"] == "stopped"
    assert process.finish() == 0


def test_dump_is_in_no_ledger_and_no_loss(control):
    stats = control.folder / "stats.json"
    process = control.start(
        """
        import awaitd
        from awaitd.devices import bus
        q = bus.queue(name="own", depth=65536)
        print("ready", flush=True)
        await q.get()                   # the dump is attached
        for number in range(40000):     # more than it has room for
            await bus.send(awaitd.CanFrame(0x100))
        q.clear()
        """,
        devices=("bus=virtual:can,receive_own=yes",),
        words=("--fail-on-drop", "--stats-json", str(stats)),
    )
    viewer, sender = control.connect(), control.connect()
    viewer.get("dump", device="bus")
    sender.get("send", device="bus", frame="123#")
    assert process.finish() == 0, process.stderr
    (device,) = json.loads(stats.read_text())["devices"]
    assert [queue["name"] for queue in device["queues"]] == ["own"]
    assert "awaitctl" not in process.stderr


def test_dump_and_a_blocking_queue_do_not_mind_each_other(control):
    control.start(
        """
        import asyncio
        from awaitd.devices import bus
        first = bus.queue(overflow="block")
        print("ready", flush=True)
        await first.get()
        first.close()
        second = bus.queue(overflow="block")
        print("again", flush=True)
        await asyncio.Event().wait()
        """
    )
    viewer, sender = control.connect(), control.connect()
    viewer.get("dump", device="bus")
    sender.get("send", device="bus", frame="123#")
    assert viewer.receive()["line"].endswith("bus 123#")
    wait_until(lambda: sender.get("queues")["queues"][-1]["name"] == "2")


def write_log(control, count: int) -> str:
    path = control.folder / "drive.log"
    path.write_text(
        "".join(
            f"(1700000000.{number:06}) can0 123#{number:08X}\n"
            for number in range(count)
        )
    )
    return f"drive=replay:{path},speed=max"


def test_dump_does_not_begin_a_replay(control):
    control.start(devices=(write_log(control, 10),))
    assert control.connect().refused("dump", device="drive") == "not-begun"


def test_dump_that_is_not_read_does_not_hold_up_a_replay(control):
    count = 40_000
    os.mkfifo(control.folder / "go")
    process = control.start(
        f"""
        from awaitd.devices import drive
        q = drive.queue(depth=64)
        print("ready", flush=True)
        taken = 0
        async for frame in q:
            taken += 1
            if taken == 1:
                open({str(control.folder / "go")!r}).read()
        print("taken", taken, flush=True)
        """,
        devices=(write_log(control, count),),
        ready=None,
    )
    process.line("ready")
    control.connect().get("dump", device="drive")
    (_, queue) = control.connect().get("queues")["queues"]
    assert (queue["observer"], queue["overflow"]) == (True, "drop-oldest")
    with open(control.folder / "go", "w"):
        pass
    process.line(f"taken {count}")
    assert process.finish() == 0, process.stderr


# ---- sending ----


@pytest.mark.parametrize(
    "frame",
    ["", "123", "123#0", "123#01 R", "123#01\n", "123#GG", "1234#", "000#0" * 9],
    ids=repr,
)
def test_send_of_what_is_no_frame_is_refused(control, frame):
    control.start()
    client = control.connect()
    assert client.refused("send", device="bus", frame=frame) == "bad-frame"
    (device,) = client.get("devices")["devices"]
    assert device["send"]["submitted"] == 0


def test_send_reaches_a_script(control):
    process = control.start(
        """
        from awaitd.devices import bus
        q = bus.queue()
        print("ready", flush=True)
        print("got", await q.get())
        """
    )
    assert control.connect().get("send", device="bus", frame="123#0102")
    process.line("got 123#0102")


def test_send_of_bytes_is_hexadecimal(control):
    process = control.start(
        """
        from awaitd.devices import bus
        q = bus.queue()
        print("ready", flush=True)
        print("got", (await q.get()).data)
        """,
        devices=("bus=virtual:bytes",),
    )
    client = control.connect()
    assert client.refused("send", device="bus", frame="0g") == "bad-frame"
    assert client.refused("send", device="bus", frame="010") == "bad-frame"
    viewer = control.connect()
    viewer.get("dump", device="bus")
    client.get("send", device="bus", frame="616263")
    process.line("got b'abc'")
    assert viewer.receive()["line"].split()[1:] == ["bus", "616263"]


def test_send_of_a_datagram_has_a_destination(control):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        to = f"127.0.0.1:{receiver.getsockname()[1]}"
        control.start(devices=("net=udp:127.0.0.1:0",))
        client = control.connect()
        assert client.refused("send", device="net", frame="01") == "bad-frame"
        viewer = control.connect()
        viewer.get("dump", device="net")
        client.get("send", device="net", frame="68656c6c6f", to=to)
        data, sender = receiver.recvfrom(100)
        assert data == b"hello"
        receiver.sendto(b"back", sender)
    assert viewer.receive()["line"].split()[1:] == ["net", to, "6261636B"]


def test_send_to_a_replay_is_refused(control):
    control.start(devices=(write_log(control, 10),))
    code = control.connect().refused("send", device="drive", frame="123#")
    assert code == "cannot-send"


# ---- the log ----


def test_log_gives_the_last_lines(control):
    control.start(config="control: {read_group: 4242}\n")
    client = control.connect()
    assert client.get("log")["lines"] == []  # -q
    client.close()


def test_log_that_is_followed_goes_on(control):
    control.start(
        """
        import awaitd
        from awaitd.devices import bus
        q = bus.queue(depth=1, name="tiny")
        print("ready", flush=True)
        import asyncio
        await asyncio.Event().wait()
        """,
        config="stall_ms: 0\n",
    )
    follower, sender = control.connect(), control.connect()
    follower.get("log", follow=True, id=5)
    for _ in range(2):
        sender.get("send", device="bus", frame="123#")
    event = follower.receive()
    assert (event["event"], event["level"], event["id"]) == (
        "line",
        "warning",
        5,
    )
    assert "queue tiny of device bus loses frames" in event["text"]
    (line,) = sender.get("log")["lines"]
    assert line["text"] == event["text"]
    assert sender.get("log", lines=0)["lines"] == []
