"""Misbehaves: blocks its loop for 0.2 to 2 s, asleep or computing."""

import os
import random
import time

import awaitd
from awaitd.devices import bus, net

state = awaitd.script.state
dice = random.Random(f"{os.environ['SOAK_SEED']} {awaitd.script.generation}")
queues = {
    "bus": bus.queue(name="blocked", depth=256),
    "net": net.queue(name="blocked", depth=256, overflow="drop-oldest"),
}

while True:
    for name, queue in queues.items():
        frames = await queue.get_many(64, timeout=0.1)
        state[name] = state.get(name, 0) + len(frames)
    if dice.random() < 0.02:
        until = time.monotonic() + dice.uniform(0.2, 2)
        if dice.random() < 0.7:
            time.sleep(until - time.monotonic())
        while time.monotonic() < until:
            sum(range(1000))
