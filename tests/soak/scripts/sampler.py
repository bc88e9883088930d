"""Well, and hasty: the newest of each id, with deadlines that mostly expire."""

import asyncio

import awaitd
from awaitd.devices import bus, wire

state = awaitd.script.state
newest = bus.queue(name="newest", overflow="latest", depth=16)
odd = wire.queue(name="hasty", overflow="drop-oldest", depth=128)


def count(name, number=1):
    state[name] = state.get(name, 0) + number


async def hasty():
    while True:
        try:
            async with asyncio.timeout(0.0005):
                await odd.get()
                count("wire")
        except TimeoutError:
            pass
        task = asyncio.create_task(odd.get())
        try:
            await asyncio.sleep(0)
        finally:
            # A frame that a finished task has returned is its owner's.
            if not task.cancel():
                task.result()
                count("wire")
        count("wire", len(await odd.get_many(64, timeout=0.01)))


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(hasty())
        while True:
            await newest.get()
            count("bus")


asyncio.run(main())
