"""The sensor of tests/qemu/sensor: its protocol, and what it can be told."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

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
    PLAY = _device / "play"
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
        """The bus and its devices are gone; the line stays, and falls."""
        (self._driver / "unbind").write_text(self._device.name)

    def plug(self) -> None:
        """New, it begins with its first sample."""
        (self._driver / "bind").write_text(self._device.name)

    def reset(self) -> None:
        if (self._driver / self._device.name).exists():
            self.unplug()
        self.plug()
