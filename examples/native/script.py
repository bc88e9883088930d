"""Functions of native_example, awaited, and as tasks.

With native_example on PYTHONPATH, hosted and in plain Python:

    awaitd run -d bus=virtual:can,receive_own=yes script.py
    python3 -m awaitd -d bus=virtual:can,receive_own=yes script.py
"""

import asyncio

import native_example

import awaitd
from awaitd.devices import bus


async def fetch():
    await asyncio.sleep(0)
    return 20


async def too_slow():
    async with asyncio.timeout(0.01):
        await asyncio.sleep(60)


async def missing():
    raise KeyError("missing")


async def main():
    print("answer:", await native_example.answer())
    print("doubled:", await native_example.doubled(fetch()))
    print("reachable:", await native_example.is_reachable(too_slow))
    print("value or:", await native_example.value_or(missing(), "default"))
    print("total:", await native_example.total(fetch, 3))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(native_example.my_sleep(0.01))
        group.create_task(native_example.nap(0.01))
    print("slept:", task.result())

    queue = bus.queue()
    await bus.send(awaitd.CanFrame(0x0B4, [0, 0, 0, 0, 0x13, 0x8F]))
    print("speed:", await native_example.speed(queue))
    print("checksum:", await native_example.checksum(b"awaitd"))


asyncio.run(main())
