"""Misbehaves: leaks tasks up to a point, never reads its queue, and prints more
than anybody wants."""

import asyncio

from awaitd.devices import bus

unread = bus.queue(name="unread", depth=64, overflow="drop-oldest")
leaked = []

while True:
    if len(leaked) < 2000:
        leaked += [asyncio.create_task(asyncio.Event().wait()) for _ in range(50)]
    for number in range(50):
        print("nobody wants to know that", number, "of", len(leaked))
    await asyncio.sleep(0.01)
