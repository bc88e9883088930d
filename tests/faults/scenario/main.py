"""The scenario's script: frames from four devices, the control socket, the
metrics, and a reload by it; then the second generation takes what is left."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import socket

import awaitd
from awaitd.devices import bus, log, net, wire

DEADLINE_S = 8
PATIENCE_S = 2
FRAMES = 20
FURTHER = 5
LAST = 0x7FE
RELOAD = {"command": "reload", "script": "main"}
ASKED = [
    {"command": name}
    for name in ("status", "devices", "queues", "scripts", "metrics", "log")
] + [
    {"command": "dump", "device": "bus"},
    {"command": "send", "device": "bus", "frame": "7FF#01"},
]
account = {
    "generation": awaitd.script.generation,
    "got": {"b": 0, "n": 0, "l": 0, "w": 0},
    "sent": {"b": 0, "n": 0},
    "failed": [],
    "late": [],
    "complete": False,
}


async def attempt(name, awaitable):
    """What comes of it, or None: then it is noted why."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await awaitable
    except TimeoutError:
        account["late"].append(name)
    except Exception as error:
        account["failed"].append(f"{name}: {error!r}")


async def take(queue, name, wanted):
    while account["got"][name] < wanted:
        account["got"][name] += len(await queue.get_many(64))


async def take_log(queue):
    async for frame in queue:
        account["got"]["l"] += 1


async def take_to_the_last(queue):
    """Nothing that was sent before it is still under way."""
    await bus.send(awaitd.CanFrame(LAST))
    account["sent"]["b"] += 1
    while True:
        frames = await queue.get_many(64)
        account["got"]["b"] += len(frames)
        if any(frame.arbitration_id == LAST for frame in frames):
            account["complete"] = True
            return


async def use_bus(queue, count):
    waiting = asyncio.create_task(take(queue, "b", 1))
    await asyncio.sleep(0)
    for number in range(count):
        await bus.send(awaitd.CanFrame(number, b"frame"))
        account["sent"]["b"] += 1
    await waiting


async def use_net(queue, count):
    address = (os.environ["SCENARIO_HOST"], 5005)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for number in range(count):
            other.sendto(b"datagram", address)
            account["sent"]["n"] += 1
    for number in range(count):
        await net.send(awaitd.Datagram(b"awaited", address))
        account["sent"]["n"] += 1
    await net.send_many([awaitd.Datagram(b"together", address)] * count)
    account["sent"]["n"] += count
    await take(queue, "n", account["sent"]["n"])


async def take_batches(queue, name, wanted):
    while account["got"][name] < wanted:
        account["got"][name] += len(await queue.get_batch(64))


async def read_metrics():
    address = os.environ["SCENARIO_HOST"]
    reader, writer = await asyncio.open_connection(address, 9464)
    try:
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        if b"awaitd_" not in await reader.read():
            raise ConnectionError("no metrics")
    finally:
        writer.close()


async def ask(requests):
    """What is answered, with the lines and frames before an answer."""
    reader, writer = await asyncio.open_unix_connection(
        os.environ["AWAITD_SOCKET"]
    )
    answers = []
    try:
        for request in requests:
            writer.write(json.dumps(request).encode() + b"\n")
        while sum("ok" in answer for answer in answers) < len(requests):
            line = await reader.readline()
            if not line:
                raise ConnectionError("hung up")
            answers.append(json.loads(line))
        return answers
    finally:
        writer.close()


def reload_other():
    """By SIGHUP, which finds that nothing of this script has changed."""
    with pathlib.Path("other.py").open("a") as file:
        file.write("# changed\n")
    os.kill(os.getpid(), signal.SIGHUP)


async def see_other_reloaded():
    """Or, where a fault prevents it, the line in the log that says so."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while not pathlib.Path("reloaded").exists():
                await asyncio.sleep(0.05)
                if "reload failed" in str(await ask([{"command": "log"}])):
                    return


async def first():
    b, n = bus.queue(name="b"), net.queue(name="n")
    w = wire.queue(name="w")
    newest = net.queue(name="newest", overflow="latest", depth=8)
    with log.queue(name="l") as frames:
        await attempt("log", take_log(frames))
    await attempt("bus", use_bus(b, FRAMES))
    await attempt("net", use_net(n, FRAMES))
    await attempt("wire", take_batches(w, "w", FRAMES))
    newest.snapshot()
    reload_other()
    await attempt("metrics", read_metrics())
    await attempt("control", ask(ASKED))
    # Ends with the cancellation of the reload, or with its refusal.
    await attempt("reload", ask([RELOAD]))


async def second():
    b, n = bus.queue(name="b"), net.queue(name="n")
    await attempt("bus", use_bus(b, FURTHER))
    await attempt("net", use_net(n, FURTHER))
    await attempt("last", take_to_the_last(b))
    await see_other_reloaded()


def main():
    try:
        asyncio.run(first() if awaitd.script.generation == 1 else second())
    finally:
        print(json.dumps(account), flush=True)
        if awaitd.script.stopping != "reload":
            os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
