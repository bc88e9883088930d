"""Asks on a bus, and awaits the answers. Its partner is answer.py:

    awaitd run -d bus=virtual:can -s examples/answer.py examples/talk.py

The ids are those of a car's diagnosis: requests to 0x7DF, answers from 0x7E8.
"""

from __future__ import annotations

import asyncio

from awaitd import CanFrame
from awaitd.devices import bus

QUESTIONS = {0x0D: "speed", 0x05: "coolant temperature", 0x2F: "fuel level"}


async def ask(number: int) -> CanFrame:
    """The answer to one question, asked again until somebody is listening."""
    request = CanFrame(0x7DF, [0x02, 0x01, number, 0, 0, 0, 0, 0])
    filters = [{"can_id": 0x7E8, "can_mask": 0x7F8}]
    with bus.queue(filters=filters) as answers:
        while True:
            await bus.send(request)
            try:
                reply: CanFrame = await answers.get(timeout=0.2)
            except TimeoutError:
                continue
            if reply.data[2] == number:  # no late one, to another question
                return reply


async def main() -> None:
    for number, name in QUESTIONS.items():
        reply = await ask(number)
        print(f"{name}: {reply.data[3]}, in {reply}")
    await bus.send(CanFrame(0x7DF, b""))  # no more questions


if __name__ == "__main__":
    asyncio.run(main())
