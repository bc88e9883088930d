"""A flood that ends by the clock, beside a script of the daemon's that computes
and never awaits, and then takes what there is. AWAITD_FLOOD_S is how long.

The script starts the senders itself, so that nothing comes before it listens.
Each sender prints how much it has sent."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from process import Process

FLOOD_S = float(os.environ.get("AWAITD_FLOOD_S", "10"))

# Frames of one identifier, their number in the last 8 - len(prefix) bytes.
CAN_SENDER = """
import socket, struct, sys, time
interface, can_id, prefix, seconds = sys.argv[1:]
raw = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
raw.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_FILTER, b"")
raw.bind((interface,))
head = struct.pack("=IB3x", int(can_id, 16), 8) + bytes.fromhex(prefix)
size = 16 - len(head)
sent = 0
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    for _ in range(100):
        try:
            raw.send(head + sent.to_bytes(size, "big"))
            sent += 1
        except OSError:  # the interface's queue was full: it was not sent
            pass
print(sent)
"""

SCRIPT = """
import asyncio, json, subprocess, sys, time
import awaitd

plan = json.loads(sys.argv[1])
devices = {name: awaitd.device(name) for name in plan}
queues = {name: devices[name].queue(depth=64, overflow=wanted["overflow"])
          for name, wanted in plan.items()}
senders = {}
for wanted in plan.values():
    command = tuple(wanted["sender"])
    if command not in senders:
        senders[command] = subprocess.Popen(command, stdout=subprocess.PIPE)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:  # and never awaits
    sum(range(1000))
totals = {command: int(process.communicate(timeout=60)[0])
          for command, process in senders.items()}

async def take(name, sent):
    device, queue, digits = devices[name], queues[name], plan[name]["digits"]
    found = {"sent": sent, "taken": 0, "misplaced": 0, "misnumbered": 0}
    following = 0
    while True:
        frames = await queue.get_many(256, timeout=0.05)
        for frame in frames:
            found["taken"] += 1
            found["misplaced"] += frame.seq != following + frame.lost_before
            following = frame.seq + 1
            number = int.from_bytes(frame.data[-digits:], "big")
            found["misnumbered"] += digits > 0 and number != frame.seq
        device.stats()  # asks the kernel for what it has lost
        stats = queue.stats()
        if not frames and stats.received >= sent and not stats.pending:
            return found

async with asyncio.timeout(60):
    found = {name: await take(name, totals[tuple(wanted["sender"])])
             for name, wanted in plan.items()}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Flood:
    """What a device of the daemon gets, and its queue of 64 frames."""

    device: str  # as of -d, without the name
    sender: tuple[str, ...]
    overflow: str = "drop-newest"
    digits: int = 0  # bytes at a frame's end that are its number; 0: none


def can_sender(interface: str, can_id: int, prefix: str = "") -> tuple[str, ...]:
    command = (sys.executable, "-c", CAN_SENDER, interface)
    return *command, f"{can_id:X}", prefix, str(FLOOD_S)


@dataclass(frozen=True)
class Outcome:
    """Of one device: what its script found, and the daemon's ledger of it."""

    sent: int
    taken: int
    misplaced: int  # frames whose `seq` is not what `lost_before` says
    misnumbered: int  # frames whose `seq` is not the sender's number
    queue: dict[str, Any]
    status: dict[str, Any]

    def check(self) -> None:
        """Each frame that was sent was taken, or is among the dropped."""
        dropped = self.queue["dropped"]
        assert self.sent > 1000
        assert self.queue["exact"]
        assert self.queue["received"] == self.sent
        assert self.queue["delivered"] == self.taken > 0
        assert dropped["kernel"] + dropped["overflow"] == self.sent - self.taken
        assert sum(dropped.values()) == self.sent - self.taken > 0
        assert (self.misplaced, self.misnumbered) == (0, 0)


def run(run_daemon: Any, folder: Path, **floods: Flood) -> dict[str, Outcome]:
    """All of them side by side, under one daemon with one script."""
    script, report = folder / "stalled.py", folder / "stats.json"
    script.write_text(SCRIPT, encoding="utf-8")
    devices = [f"{name}={flood.device}" for name, flood in floods.items()]
    plan = {name: asdict(flood) for name, flood in floods.items()}
    process: Process = run_daemon(
        *("run", "--stats-json", report),
        *(word for device in devices for word in ("-d", device)),
        *(script, json.dumps(plan), FLOOD_S),
        deadline_s=FLOOD_S + 150,
    )
    assert process.finish() == 0, process.stdout + process.stderr
    print(process.stderr)  # its ledger
    found = json.loads(process.stdout)
    return {
        device["name"]: Outcome(
            **found[device["name"]],
            queue=device["queues"][0],
            status=device["status"],
        )
        for device in json.loads(report.read_text(encoding="utf-8"))["devices"]
    }
