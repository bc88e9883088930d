"""A node of spidev, by plain ioctls (linux/spi/spidev.h)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from typing import NamedTuple

_MODE32_READ, _MODE32_WRITE = 0x80046B05, 0x40046B05
_BITS_WRITE = 0x40016B03
_SPEED_WRITE = 0x40046B04


class Segment(NamedTuple):
    """One transfer of a message. `release` deselects the chip after it."""

    tx: bytes
    release: bool = False
    speed_hz: int = 0
    bits: int = 0


class Spidev:
    """A node, open."""

    def __init__(self, node: str | os.PathLike[str]) -> None:
        self.fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> Spidev:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def message(self, *segments: Segment) -> list[bytes]:
        """What came back, in one ioctl, of each."""
        sent = [
            ctypes.create_string_buffer(part.tx, len(part.tx))
            for part in segments
        ]
        received = [ctypes.create_string_buffer(len(part.tx)) for part in segments]
        transfers = b"".join(
            struct.pack(
                "=QQIIHBBBBBx",
                ctypes.addressof(tx),
                ctypes.addressof(rx),
                len(part.tx),
                part.speed_hz,
                0,
                part.bits,
                part.release,
                *(0, 0, 0),
            )
            for part, tx, rx in zip(segments, sent, received, strict=True)
        )
        fcntl.ioctl(self.fd, 0x40006B00 | len(transfers) << 16, transfers)
        return [buffer.raw for buffer in received]

    def transfer(self, tx: bytes) -> bytes:
        return self.message(Segment(tx))[0]

    @property
    def mode(self) -> int:
        answer = fcntl.ioctl(self.fd, _MODE32_READ, bytes(4))
        return int(struct.unpack("=I", answer)[0])

    @mode.setter
    def mode(self, mode: int) -> None:
        fcntl.ioctl(self.fd, _MODE32_WRITE, struct.pack("=I", mode))

    def set_bits(self, bits: int) -> None:
        fcntl.ioctl(self.fd, _BITS_WRITE, struct.pack("=B", bits))

    def set_speed(self, speed_hz: int) -> None:
        fcntl.ioctl(self.fd, _SPEED_WRITE, struct.pack("=I", speed_hz))
