"""What the functions of native_example do, in Python: docs/coroutines-in-c.md has
them side by side, and a test compares what they give."""

import asyncio
import zlib


async def answer():
    return 42


async def trampoline(coro):
    return await coro


async def doubled(coro):
    value = await coro
    return value + value


async def is_reachable(make_request):
    try:
        await make_request()
        return True
    except TimeoutError:
        return False


async def value_or(coro, default):
    try:
        return await coro
    except LookupError:
        return default


async def something(a, b, foo, bar):
    return bar(await foo() + a + b)


async def locked(context, coro):
    async with context:
        return await coro


async def total(function, count):
    sum = 0
    for _ in range(count):
        sum += await function()
    return sum


async def my_sleep(seconds):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    await future


async def nap(seconds):
    await asyncio.sleep(seconds)


async def speed(queue):
    try:
        frame = await queue.get(timeout=0.5)
        return int.from_bytes(frame.data[4:6], "big") / 100
    except TimeoutError:
        return None


async def checksum(data):
    return await asyncio.to_thread(zlib.adler32, data)
