"""Sends every datagram back to where it came from.

    awaitd run -d net=udp:127.0.0.1:5005 examples/echo_udp.py [COUNT]

Ends after COUNT datagrams, or with Ctrl-C.
"""

from __future__ import annotations

import asyncio
import sys

from awaitd import Datagram
from awaitd.devices import net


async def main(count: int | None) -> None:
    with net.queue() as queue:
        print("ready", flush=True)
        done = 0
        while done != count:
            datagram = await queue.get()
            await net.send(Datagram(datagram.data, datagram.address))
            done += 1


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else None))
