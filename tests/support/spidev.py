"""spidev by plain ioctls (linux/spi/spidev.h), and the sensor of
tests/qemu/sensor behind it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path
from typing import NamedTuple

# ---- any device ----

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


# ---- the sensor ----

READ_SAMPLE = b"\x80" + bytes(11)
MARKER = 0x5A
FRESH, MISSED = 1, 2
NO_SAMPLE = 0xFFFFFFFF


class Reading(NamedTuple):
    """An answer to READ_SAMPLE."""

    status: int
    number: int
    sample: bytes

    @classmethod
    def parse(cls, reply: bytes) -> Reading:
        assert reply[0] == MARKER, reply.hex()
        return cls(reply[1], int.from_bytes(reply[2:6], "big"), reply[6:])


class Sensor:
    """The other end: what the tests make it do. See awaitd_sensor.c."""

    NODE = "/dev/spidev0.0"
    LOOP_BACK = "/dev/spidev0.1"
    DATA_READY = "awaitd-data-ready"
    IDLE = "awaitd-idle"

    _device = Path("/sys/bus/platform/devices/awaitd-sensor")
    _driver = Path("/sys/bus/platform/drivers/awaitd-sensor")

    def _write(self, attribute: str, value: object) -> None:
        (self._device / attribute).write_text(str(value), encoding="ascii")

    def play(self, count: int, period_us: int = 0) -> None:
        """`count` samples, one a period; without a period they have all come,
        and whoever listens to the line was told of each, at the return."""
        self._write("play", f"{count} {period_us}")

    @property
    def produced(self) -> int:
        return int((self._device / "produced").read_text(encoding="ascii"))

    def fail(self, transfers: int) -> None:
        """So many from now on end with EIO."""
        self._write("fail", transfers)

    def delay(self, delay_us: int) -> None:
        """Each transfer lasts so long."""
        self._write("delay_us", delay_us)

    def unplug(self) -> None:
        """The bus, its devices and the lines are gone."""
        (self._driver / "unbind").write_text(self._device.name)

    def plug(self) -> None:
        """New, it begins with its first sample."""
        (self._driver / "bind").write_text(self._device.name)

    def reset(self) -> None:
        if (self._driver / self._device.name).exists():
            self.unplug()
        self.plug()
