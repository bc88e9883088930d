"""Waits to be reloaded by SIGHUP, and stopped; for a while, where main.py could
not even begin."""

import asyncio
import pathlib

import awaitd

REST_S = 12


async def main():
    if awaitd.script.generation > 1:
        pathlib.Path("reloaded").touch()
    await asyncio.sleep(REST_S)


asyncio.run(main())
