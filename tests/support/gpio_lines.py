"""GPIO uAPI v2 by plain ioctls (linux/gpio.h): lines found by name, their
edges as events."""

from __future__ import annotations

import fcntl
import os
import select
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

RISING, FALLING = 1, 2

_GET_CHIPINFO = 0x8044B401
_GET_LINEINFO = 0xC100B405
_GET_LINE = 0xC250B407
_GET_VALUES = 0xC010B40E

_INPUT = 1 << 2
_EDGES = 4  # RISING and FALLING, as flags, from this bit on


class Edge(NamedTuple):
    """`seqno` counts the edges of the whole request, `line_seqno` those of the
    line: a gap is edges that were missed."""

    timestamp_ns: int
    edge: int
    offset: int
    seqno: int
    line_seqno: int


_EVENT = struct.Struct("=QIIII24x")


@dataclass(frozen=True)
class Line:
    chip: Path
    offset: int


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode()


def chips() -> list[tuple[Path, str, list[str]]]:
    """Each chip's node, label and the names of its lines."""
    found = []
    for node in sorted(Path("/dev").glob("gpiochip*")):
        fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
        try:
            info = fcntl.ioctl(fd, _GET_CHIPINFO, bytes(68))
            (lines,) = struct.unpack("=64xI", info)
            names = []
            for offset in range(lines):
                asked = struct.pack("=64xI188x", offset)
                names.append(_text(fcntl.ioctl(fd, _GET_LINEINFO, asked)[:32]))
        finally:
            os.close(fd)
        found.append((node, _text(info[32:64]), names))
    return found


def find(name: str) -> Line:
    for node, _, names in chips():
        if name in names:
            return Line(node, names.index(name))
    raise LookupError(f"there is no line {name!r}")


class Request:
    """Lines of one chip, whose edges are events from the making on."""

    def __init__(
        self, *lines: Line, edges: int = RISING, buffer: int = 0
    ) -> None:
        offsets = [line.offset for line in lines]
        request = struct.pack(
            "=64I32sQI20x240xII20xi",
            *(offsets + [0] * (64 - len(offsets))),
            b"awaitd-test",
            _INPUT | edges << _EDGES,
            0,
            len(offsets),
            buffer,
            -1,
        )
        chip = os.open(lines[0].chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(chip, _GET_LINE, request)
        finally:
            os.close(chip)
        (self.fd,) = struct.unpack("=i", answer[-4:])

    def __enter__(self) -> Request:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def values(self, mask: int = 1) -> int:
        """The levels, a bit for each line in the order of the request."""
        answer = fcntl.ioctl(self.fd, _GET_VALUES, struct.pack("=QQ", 0, mask))
        return int(struct.unpack("=QQ", answer)[0])

    def ready(self, timeout_s: float = 0.0) -> bool:
        return bool(select.select([self.fd], [], [], timeout_s)[0])

    def read(self, timeout_s: float = 10.0) -> Edge:
        """The next edge, which must come in time."""
        assert self.ready(timeout_s), "no edge came"
        return Edge(*_EVENT.unpack(os.read(self.fd, _EVENT.size)))

    def pending(self) -> list[Edge]:
        """The edges that are there."""
        found = []
        while self.ready():
            found.append(self.read())
        return found
