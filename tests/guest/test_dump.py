"""`awaitctl dump` beside the real candump, on one bus."""

from __future__ import annotations

import os
import random
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from can_peers import ERROR, EXTENDED, cansend, send_raw
from control import Controlled, control  # noqa: F401
from hosted import host  # noqa: F401
from process import Process

SEED = int(os.environ.get("AWAITD_SEED", random.randrange(2**32)))

# As in linux/can.h.
REMOTE = 0x40000000
FD_FRAMES = 5
CLASSIC_MASK, EXTENDED_MASK = 0x7FF, 0x1FFFFFFF

NAME = "vcan0"
# What comes before those that are compared, and behind them.
FIRST, LAST = "7FE#01", "7FE#02"


@pytest.fixture
def dumps(
    control: Controlled,  # noqa: F811
    start_process: Callable[..., Process],
    awaitd_binary: Path,
) -> list[Process]:
    """awaitctl's and candump's, both of which have begun."""
    control.start(devices=(f"CANbus=can:{NAME}",))
    awaitctl = awaitd_binary.with_name("awaitctl")
    started = [
        start_process(awaitctl, "--socket", control.path, "dump", "CANbus"),
        # Error frames too, and as much in the kernel, as the device has.
        start_process("candump", "-L", "-r", f"{16 << 20}",
                      f"{NAME},0:0,#FFFFFFFF"),
    ]
    for process in started:
        process.line_after(lambda: cansend(NAME, "7FE#"), " 7FE#")
    return started


def compared(dumps: list[Process], send: Callable[[], object]) -> list[str]:
    """The lines of what is sent, which both print alike: time, name, frame."""
    cansend(NAME, FIRST)
    send()
    cansend(NAME, LAST)
    for process in dumps:
        process.line(f" {LAST}")
    ours, theirs = (lines_between(process.stdout) for process in dumps)
    assert ours == [without_fdf(line) for line in theirs]
    return ours


def lines_between(text: str) -> list[str]:
    lines = text.splitlines()
    ends = [line.split()[2] for line in lines]
    return lines[ends.index(FIRST) + 1 : ends.index(LAST)]


def without_fdf(line: str) -> str:
    """The kernel marks each CAN FD frame with a 4 in its flags, which says no
    more than "##"; candump prints it, or not, as its version is."""
    return re.sub("(?<=##)[0-7]", lambda it: f"{int(it[0]) & 3}", line)


FORMS = [
    "000#",
    "123#0102",
    "7FD#1122334455667788",
    "00000123#AB",
    "1FFFFFFF#DEADBEEF",
    "123#R",
    "123#R5",
    "12345678#R8",
    "123##0",
    "123##1AABB",
    "123##2" + "5A" * 12,
    "12345678##3" + "A5" * 64,
]


def test_every_form_is_candumps_line(dumps: list[Process]) -> None:
    lines = compared(dumps, lambda: cansend(NAME, *FORMS))
    assert [line.split()[2] for line in lines] == FORMS
    assert {line.split()[1] for line in lines} == {NAME}


def test_error_frame_is_candumps_line(dumps: list[Process]) -> None:
    (line,) = compared(
        dumps, lambda: send_raw(NAME, ERROR | 0x44, bytes(range(8)))
    )
    assert line.endswith(f" {NAME} 20000044#0001020304050607")


def any_frame(chance: random.Random) -> bytes:
    """As it is written to a raw socket: classic or FD, of any length."""
    extended = chance.random() < 0.5
    can_id = chance.getrandbits(32) & (
        EXTENDED_MASK if extended else CLASSIC_MASK
    )
    # Not that of the marks.
    can_id ^= can_id == 0x7FE
    can_id |= EXTENDED if extended else 0
    if chance.random() < 0.5:
        size = chance.choice([*range(9), 12, 16, 20, 24, 32, 48, 64])
        flags = chance.randrange(4)
        data = chance.randbytes(size)
        return struct.pack("=IBB2x64s", can_id, size, flags, data)
    size = chance.randrange(9)
    if chance.random() < 0.1:
        return struct.pack("=IB3x8s", can_id | REMOTE, size, b"")
    return struct.pack("=IB3x8s", can_id, size, chance.randbytes(size))


def test_two_thousand_frames_are_candumps_lines(dumps: list[Process]) -> None:
    print(f"AWAITD_SEED={SEED}")
    chance = random.Random(SEED)

    def send() -> None:
        with socket.socket(
            socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW
        ) as sender:
            sender.setsockopt(socket.SOL_CAN_RAW, FD_FRAMES, 1)
            sender.bind((NAME,))
            for _ in range(2000):
                sender.send(any_frame(chance))

    assert len(compared(dumps, send)) == 2000
