"""Writes what arrives as a log that candump's own tools read.

    awaitd run -q -d CANbus=can:can0 examples/logger.py CANbus > drive.log

Several devices may be named. A log that is replayed keeps its interfaces'
names; otherwise the device's interface is named.
"""

from __future__ import annotations

import asyncio
import sys

import awaitd


def line(frame: awaitd.CanFrame) -> str:
    """One line of `candump -L`: (seconds.microseconds) interface frame."""
    seconds, nanoseconds = divmod(frame.timestamp_ns, 1_000_000_000)
    name = frame.channel or frame.device
    return f"({seconds:010}.{nanoseconds // 1000:06}) {name} {frame}\n"


async def log(queue: awaitd.Queue[awaitd.CanFrame]) -> None:
    try:
        while True:
            sys.stdout.writelines(map(line, await queue.get_many(1024)))
            sys.stdout.flush()
    except awaitd.QueueClosed as closed:
        if closed.reason != "end":
            raise


async def main(names: list[str]) -> None:
    queues = [awaitd.device(name).queue() for name in names]
    async with asyncio.TaskGroup() as group:
        for queue in queues:
            group.create_task(log(queue))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["CANbus"]))
