"""Awaits every device there is and shows what comes: some frames, then a row
for each queue that is kept up to date.

    awaitd run -c examples/demo.yaml examples/dashboard.py [SECONDS]

On a terminal the rows are drawn again in place; elsewhere they are printed once
a second. Ends after SECONDS (10), or when the last device has no more frames.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable

import awaitd
import awaitd.devices

SHOWN_FRAMES = 3  # of each device, as they come
SPEED, ENGINE, GEARBOX = 0x0B4, 0x110, 0x1D0  # in examples/drive.log
HEAD = (f"{'device':>10} {'frames/s':>9} {'total':>9} {'pending':>8} "
        f"{'lost':>5}   latest")
REDRAW = "\x1b[{}A"  # this many lines up
CLEAR = "\x1b[K"  # the rest of the line


def printable(data: bytes) -> str:
    """Text on one line, whatever a sender has sent."""
    text = data.decode(errors="replace").strip()
    return "".join(c if c.isprintable() else "." for c in text)


class Car:
    """What the frames of the example drive say."""

    def __init__(self) -> None:
        self.speed = self.rpm = 0.0
        self.gear = 0
        self.seen = False
        self.decoders: dict[int, Callable[[bytes], None]] = {
            SPEED: self.on_speed, ENGINE: self.on_engine,
            GEARBOX: self.on_gearbox,
        }

    def on_speed(self, data: bytes) -> None:
        self.speed = int.from_bytes(data[4:6], "big") / 100

    def on_engine(self, data: bytes) -> None:
        self.rpm = int.from_bytes(data[:2], "big") / 4

    def on_gearbox(self, data: bytes) -> None:
        self.gear = data[0]

    def decode(self, frame: awaitd.CanFrame) -> None:
        decoder = self.decoders.get(frame.arbitration_id)
        if decoder:
            decoder(frame.data)
            self.seen = True

    def row(self) -> str:
        return (f"{'the car':>10} {self.speed:6.1f} km/h {self.rpm:6.0f} rpm"
                f"   gear {self.gear}")


class Panel:
    """One device: its queue, and its row."""

    def __init__(self, device: awaitd.Device[awaitd.Frame], car: Car) -> None:
        self.queue = device.queue()
        self.car = car
        self.latest = ""
        self.shown = 0
        self.before = 0
        self.before_s = time.monotonic()

    async def follow(self) -> None:
        """Takes frames until the queue has no more."""
        async for frame in self.queue:
            if isinstance(frame, awaitd.CanFrame):
                self.car.decode(frame)
                self.latest = str(frame)
            else:
                self.latest = printable(frame.data)
            if self.shown < SHOWN_FRAMES:
                self.shown += 1
                print(f"{frame.timestamp:.6f}  {frame.device:>6}  "
                      f"{self.latest}", flush=True)

    def row(self) -> str:
        stats, now_s = self.queue.stats(), time.monotonic()
        rate = (stats.delivered - self.before) / (now_s - self.before_s)
        self.before, self.before_s = stats.delivered, now_s
        return (f"{self.queue.device.name:>10} {rate:9,.0f} "
                f"{stats.delivered:9,} {stats.pending:8,} {stats.dropped:5,}"
                f"   {self.latest[:32]}")


def clipped(row: str) -> str:
    """What of a row fits the terminal: one that wraps cannot be drawn again."""
    return row[:shutil.get_terminal_size().columns - 1] + CLEAR


async def show(panels: list[Panel], car: Car, seconds: float) -> None:
    """Prints the rows, until the time is up or all queues have ended."""
    live = sys.stdout.isatty()
    period_s = 0.5 if live else 1.0
    end_s = time.monotonic() + seconds
    height = 0
    while True:
        left_s = end_s - time.monotonic()
        await asyncio.sleep(max(0.0, min(left_s, period_s)))
        over = left_s <= period_s or all(panel.queue.closed for panel in panels)
        rows = [panel.row() for panel in panels] + [car.row()] * car.seen
        if height == 0:
            print(f"\n{clipped(HEAD) if live else HEAD}")
        elif live:
            print(REDRAW.format(height), end="")
        else:
            print()
        for row in rows:
            print(clipped(row) if live else row)
        sys.stdout.flush()
        height = len(rows)
        if over:
            return


async def main(seconds: float) -> None:
    car = Car()
    panels = [Panel(awaitd.device(name), car) for name in dir(awaitd.devices)]
    async with asyncio.TaskGroup() as group:
        for panel in panels:
            group.create_task(panel.follow())
        await show(panels, car, seconds)
        # Nothing comes in any more; what is there is still taken.
        for panel in panels:
            panel.queue.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
