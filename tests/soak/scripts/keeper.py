"""Well: takes every frame of every device, and holds each against the last one,
across versions. What nobody refers to any more, such as the loop of a version that
was thrown away, goes at once: Python would look for it by and by."""

import asyncio
import gc

import awaitd
from awaitd.devices import bus, drive, net, wire

state = awaitd.script.state
queues = {
    device.name: device.queue(name="kept", depth=4096)
    for device in (bus, net, wire, drive)
}


async def keep(name, queue):
    taken, following, gaps = state.get(name, [0, 0, 0])
    while True:
        for frame in await queue.get_many(256):
            taken += 1
            gaps += frame.seq != following + frame.lost_before
            following = frame.seq + 1
        state[name] = [taken, following, gaps]


async def collect():
    while True:
        await asyncio.sleep(1)
        gc.collect()


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(collect())
        for name, queue in queues.items():
            group.create_task(keep(name, queue))


asyncio.run(main())
