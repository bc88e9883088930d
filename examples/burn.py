"""Computes for a second while 8,000 datagrams arrive. Who has them afterwards?

    awaitd run -d net=udp:127.0.0.1:5005 examples/burn.py 5005

Two receivers in this one script get the same datagrams: a queue of awaitd, and
a socket read with asyncio's own loop.sock_recv. While the script computes
neither can run any Python; awaitd's reader needs none.
"""

from __future__ import annotations

import asyncio
import pathlib
import socket
import sys
import time

import awaitd
from awaitd.devices import net

RATE = 8_000  # datagrams a second
SEND_S = 1.5
BURN_S = 1.0
QUIET_S = 0.2  # after the last datagram
SENDER = pathlib.Path(__file__).with_name("send_udp.py")


def burn(seconds: float) -> int:
    """Pure Python that never lets go."""
    end = time.monotonic() + seconds
    turns = 0
    while time.monotonic() < end:
        turns += 1
    return turns


async def count_queue(
    queue: awaitd.Queue[awaitd.Datagram], sent: asyncio.Task[int]
) -> int:
    """Counts until all is sent and nothing comes any more."""
    count = 0
    while True:
        frames = await queue.get_many(1024, timeout=QUIET_S)
        count += len(frames)
        if not frames and sent.done():
            return count


async def count_sock_recv(
    receiver: socket.socket, sent: asyncio.Task[int]
) -> int:
    """The same, for a socket."""
    loop = asyncio.get_running_loop()
    count = 0
    while True:
        try:
            async with asyncio.timeout(QUIET_S):
                await loop.sock_recv(receiver, 2048)
            count += 1
        except TimeoutError:
            if sent.done():
                return count


async def send(ports: list[int]) -> int:
    """Runs the sender, to its end; gives how many it has sent to a port."""
    sender = await asyncio.create_subprocess_exec(
        sys.executable, str(SENDER), str(RATE), str(SEND_S),
        *map(str, ports), stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await sender.communicate()
    return int(output)


async def main(port: int) -> None:
    queue = net.queue(depth=16_384)  # two seconds of what comes
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.bind(("127.0.0.1", 0))
    plain.setblocking(False)
    sent = asyncio.create_task(send([port, plain.getsockname()[1]]))

    await queue.get()
    burn(BURN_S)

    by_asyncio = asyncio.create_task(count_sock_recv(plain, sent))
    by_awaitd = 1 + await count_queue(queue, sent)
    report("awaitd", by_awaitd, await sent)
    report("loop.sock_recv", await by_asyncio, await sent)
    print(queue.stats())
    plain.close()


def report(name: str, received: int, sent: int) -> None:
    print(f"{name}: {received} of {sent} datagrams, {sent - received} lost")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5005))
