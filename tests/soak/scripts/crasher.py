"""Misbehaves: raises, exits or just ends after a moment, and is started again."""

import os
import random
import sys
import time

import awaitd
from awaitd.devices import bus, drive

state = awaitd.script.state
dice = random.Random(f"{os.environ['SOAK_SEED']} {awaitd.script.generation}")
queues = {
    "bus": bus.queue(name="crashing", depth=1024),
    "drive": drive.queue(name="crashing", depth=512, overflow="drop-oldest"),
}
until = time.monotonic() + dice.uniform(0.3, 3)

while time.monotonic() < until:
    for name, queue in queues.items():
        frames = await queue.get_many(256, timeout=0.05)
        state[name] = state.get(name, 0) + len(frames)

end = dice.randrange(4)
if end == 0:
    raise RuntimeError("it was time")
if end == 1:
    sys.exit(3)
if end == 2:
    [][0]
