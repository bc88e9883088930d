"""Ten seconds of frames as fast as one sender can, beside a script that does not
listen, where the queue blocks and the kernel loses; one second for each other way of
losing. AWAITD_FLOOD_S says otherwise."""

from __future__ import annotations

import os
import sys
import time

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension

FLOOD_S = float(os.environ.get("AWAITD_FLOOD_S", "10"))

SENDER = """
import socket, sys, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("far0", 0))
raw.setblocking(True)
frame = bytes.fromhex("020000000001 020000000002 88b5") + bytes(100)
end = time.monotonic() + float(sys.argv[1])
sent = 0
while time.monotonic() < end:
    for _ in range(100):
        try:
            sent += raw.send(frame) == len(frame)
        except OSError:  # the cable's own queue was full: it was not sent
            pass
print(sent)
"""


def burn(until: float) -> int:
    """Python that never awaits and hardly lets go of the GIL."""
    count = 0
    while time.monotonic() < until:
        count += sum(range(1000))
    return count


@pytest.mark.parametrize(
    ("receive_buffer", "overflow", "seconds"),
    [("16M", "drop-newest", FLOOD_S / 10), ("16M", "drop-oldest", FLOOD_S / 10),
     ("256k", "block", FLOOD_S)])
def test_flood_beside_a_stalled_script_is_accounted_for_to_the_last(
    veth, start_process, receive_buffer, overflow, seconds
):
    with veth.near:
        wire = awaitd.open(
            {"name": "wire", "driver": "packet", "interface": "near0",
             "receive_buffer": receive_buffer, "max_payload": 128})
    with wire:
        queue = wire.queue(depth=1024, overflow=overflow)
        with veth.far:
            sender = start_process(
                sys.executable, "-c", SENDER, seconds,
                deadline_s=FLOOD_S + 30)
        burn(time.monotonic() + seconds)
        assert sender.finish() == 0, sender.stderr
        sent = int(sender.stdout)
        carried = int(veth.near.link("near0")["stats64"]["rx"]["packets"])
        assert sent == carried > 1000
        frames = rig.drain(queue, sent)
        stats = queue.stats()
        assert rig.exact(stats)
        assert stats.received == sent
        assert stats.delivered == len(frames)
        assert stats.dropped == sent - len(frames) > 0
        # What is lost behind the last frame no frame can tell.
        lost = sum(frame.lost_before for frame in frames)
        assert lost <= stats.dropped
        if overflow == "block":
            assert stats.dropped_kernel > 0
