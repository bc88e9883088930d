"""Answers what talk.py asks, on the same bus, until an empty request comes."""

from __future__ import annotations

import asyncio

from awaitd import CanFrame
from awaitd.devices import bus

VALUES = {0x0D: 47, 0x05: 128, 0x2F: 201}


async def main() -> None:
    filters = [{"can_id": 0x7DF, "can_mask": 0x7FF}]
    with bus.queue(filters=filters) as requests:
        async for request in requests:
            if not request.data:
                break
            number = request.data[2]
            answer = [0x03, 0x41, number, VALUES[number], 0, 0, 0, 0]
            await bus.send(CanFrame(0x7E8, answer))


if __name__ == "__main__":
    asyncio.run(main())
