"""Waits to be reloaded by SIGHUP, and stopped; for a while, where main.py could
not even begin."""

import asyncio

asyncio.run(asyncio.sleep(12))
