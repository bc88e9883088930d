"""Well: answers some datagrams, and gives back what it could not answer."""

import os

import awaitd
from awaitd.devices import net

state = awaitd.script.state
queue = net.queue(name="asked")
sink = ("127.0.0.1", int(os.environ["SOAK_SINK"]))

while True:
    async with queue.lease(16) as frames:
        try:
            await net.send(awaitd.Datagram(frames[0].data, sink))
        except awaitd.Error:  # its own address is gone, or the link
            state["refused"] = state.get("refused", 0) + 1
    # Only now they are its own: what is cancelled before goes back.
    state["net"] = state.get("net", 0) + len(frames)
