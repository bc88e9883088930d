"""Judges a soak by its numbers: the daemon's ledger, what the scripts have
counted, what the senders have sent, and what the kernel has seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# VmRSS from after the warm-up to the end. Two versions of the leaker at once cost
# some 3 MiB, which malloc keeps once it has had them; code that Python keeps of
# versions is some 4 KiB each: up to 5.5 MiB have been seen, mostly it is 2. A leak
# of malloc's smallest piece, 32 bytes, for every third of the million frames that
# come in 200 s would be above it.
GROWTH_KIB = 10 * 1024
SEND_ENDS = ("sent", "expired", "timed_out", "failed", "pending")
# Whose `delivered` the script itself has counted, by device and queue.
COUNTED = {
    ("bus", "newest"): "sampler",
    ("wire", "hasty"): "sampler",
    ("net", "asked"): "echo",
    ("bus", "blocked"): "blocker",
    ("net", "blocked"): "blocker",
    ("bus", "crashing"): "crasher",
    ("drive", "crashing"): "crasher",
}
# The daemon's own lines that belong to what is done to it.
EXPECTED = [
    r"\d[\d.]* runs .*",
    r"device net: listening on .*",
    r"warning: \w+: queue \w+ of device \w+ loses frames: .*",
    r"warning: script crasher ended with status [0123], and is started again.*",
    r"warning: script crasher ended with status [13]",  # just before the end
    r"script \w+ is reloaded: generation \d+",
    r"warning: script \w+: reload failed: .*nothing_of_that_name.*",
    r"warning: script crasher: reload failed: .*",
    r"warning: script \w+: reload failed: overtaken by a restart or a stop",
    r"warning: device wire went away: .*; it is opened again when it is back",
    r"device wire is there, after .*",
    r"warning: device wire: interface near0 is down; .*",  # made, not yet up
    r"warning: script blocker: .*",  # stalls, with its stack
    r"warning: control: client dropped .*: \d+ bytes wait, and it does not read",
    r"warning: \d+ lines of output (dropped|lost): .*",
    r"ledger",
]
# What a script says of a version that was made to fail.
BROKEN = re.compile(
    r"Traceback .*\n(  .*\n)+ModuleNotFoundError: .*nothing_of_that_name.*\n"
)
# The same in pieces, where the leaker's lines left no room for all of them.
DROPPED = re.compile(r"^awaitd: warning: \d+ lines? of output dropped", re.M)
PIECE = re.compile(
    r"Traceback \(most recent call last\):|  File \".*"
    r"|(    |ModuleNotFoundError: ).*nothing_of_that_name.*"
)
CRASHED = re.compile(r"^awaitd: warning: script crasher ended with status (\d+)$",
                     re.M)
WELL = ("keeper", "echo", "sampler")


@dataclass
class Gauge:
    """Of the daemon's process, at a quiet moment."""

    memory_kib: int
    descriptors: dict[str, int]  # how many of each kind
    threads: int


@dataclass
class Outcome:
    """All that a soak has come to."""

    status: int
    report: dict[str, Any]  # --stats-json
    states: dict[str, dict[str, Any]]  # of the scripts, by name
    sent: dict[str, int]  # by the senders to bus, net and wire
    seen: dict[str, int]  # by the kernel: udp (both ways), wire
    echoes: int  # that came back to the sender
    warm: Gauge
    end: Gauge
    stderr: str
    refused: list[str] = field(default_factory=list)  # answers that went wrong
    failed_reloads: int = 0  # that had to fail
    actions: dict[str, int] = field(default_factory=dict)

    def queues(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for device in self.report["devices"]:
            for queue in device["queues"]:
                yield device["name"], queue

    def groups(self) -> Iterator[tuple[tuple[str, str], list[dict[str, Any]]]]:
        """The queues of one name, which follow each other."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for device, queue in self.queues():
            found.setdefault((device, queue["name"]), []).append(queue)
        yield from found.items()

    def send(self, device: str) -> dict[str, int]:
        for found in self.report["devices"]:
            if found["name"] == device:
                send = found["send"]
                assert isinstance(send, dict)
                return send
        raise KeyError(device)


def judge(outcome: Outcome) -> list[str]:
    """What is wrong with it, each in a line; nothing if all is well."""
    wrongs = []
    for check in (_end, _ledgers, _arrivals, _kept, _counted, _sends, _process,
                  _log, _happened):
        wrongs += check(outcome)
    return wrongs


def _end(outcome: Outcome) -> Iterator[str]:
    # The crasher may end by itself just when all are told to.
    crashed = CRASHED.search(outcome.stderr)
    if outcome.status != (int(crashed[1]) if crashed else 0):
        yield f"exit status {outcome.status}"
    yield from outcome.refused


def _ledgers(outcome: Outcome) -> Iterator[str]:
    if not outcome.report["exact"]:
        yield "the daemon says itself that its ledger is not exact"
    for device, queue in outcome.queues():
        gone = (
            queue["filtered"]
            + queue["delivered"]
            + sum(queue["dropped"].values())
            + queue["pending"]
        )
        if not queue["exact"] or queue["received"] != gone:
            yield f"{_name(device, queue)}: {queue['received']} came, {gone} went"


def _arrivals(outcome: Outcome) -> Iterator[str]:
    """Every queue of a device had all that was sent to it."""
    wanted = {
        "bus": {outcome.sent["bus"], outcome.send("bus")["sent"]},
        "net": {outcome.sent["net"], outcome.seen["udp"] - outcome.echoes},
        "wire": {outcome.seen["wire"]},
    }
    for device, counts in wanted.items():
        if len(counts) > 1:
            yield f"{device}: sent and seen are not one number: {sorted(counts)}"
    if outcome.seen["wire"] > outcome.sent["wire"]:
        yield "wire: more frames seen than were sent"
    for (device, _), queues in outcome.groups():
        for queue in queues:
            came = wanted.get(device, {queue["received"]})
            if queue["received"] > min(came) or (
                len(queues) == 1 and queue["received"] != min(came)
            ):
                yield (f"{_name(device, queue)}: {queue['received']} of"
                       f" {min(came)}")
        if len(queues) > 1:
            yield f"{_name(device, queues[0])}: {len(queues)} queues of that name"


def _kept(outcome: Outcome) -> Iterator[str]:
    """The keeper's queues, and the numbers that the frames bore."""
    for device, queue in outcome.queues():
        if queue["name"] != "kept":
            continue
        taken, following, gaps = outcome.states["keeper"].get(device, [0, 0, 0])
        left = queue["pending"] + queue["dropped"]["closed"]
        if queue["delivered"] != taken:
            yield f"{_name(device, queue)}: {taken} taken of those delivered"
        if gaps:
            yield f"{_name(device, queue)}: {gaps} gaps that no frame tells of"
        behind = queue["received"] - following - left
        # A loss behind the last frame that was taken no frame can tell.
        lost = queue["dropped"]["kernel"] + queue["dropped"]["overflow"]
        if not 0 <= behind <= lost:
            yield f"{_name(device, queue)}: frame {following} is the next of {behind}"


def _counted(outcome: Outcome) -> Iterator[str]:
    for (device, name), queues in outcome.groups():
        delivered = sum(queue["delivered"] for queue in queues)
        taken = delivered
        if name == "unread":
            taken = 0
        elif script := COUNTED.get((device, name)):
            taken = outcome.states[script].get(device, 0)
        if delivered != taken:
            yield (f"{_name(device, queues[0])}: {taken} taken of"
                   f" {delivered} delivered")


def _sends(outcome: Outcome) -> Iterator[str]:
    for device in outcome.report["devices"]:
        send = device["send"]
        if send["submitted"] != sum(send[end] for end in SEND_ENDS):
            yield f"{device['name']}: {send['submitted']} submitted, others ended"
    sent = outcome.send("net")["sent"]
    if sent != outcome.echoes:
        yield f"net: {outcome.echoes} answers came of {sent} sent"


def _process(outcome: Outcome) -> Iterator[str]:
    grown = outcome.end.memory_kib - outcome.warm.memory_kib
    if grown > GROWTH_KIB:
        yield f"memory has grown by {grown} KiB, more than {GROWTH_KIB}"
    if outcome.warm.threads != outcome.end.threads:
        yield (f"{outcome.warm.threads} threads after the warm-up,"
               f" {outcome.end.threads} at the end")
    before, after = outcome.warm.descriptors, outcome.end.descriptors
    # The two queues of a crasher that has crashed go when Python looks for what
    # nobody refers to.
    for kind in sorted(after):
        ended = 2 if kind.startswith("/memfd:crashing") else 0
        if after[kind] > before.get(kind, 0) + ended:
            yield (f"descriptors: {before.get(kind, 0)} {kind} after the warm-up,"
                   f" {after.get(kind, 0)} at the end")


def _log(outcome: Outcome) -> Iterator[str]:
    dropped = DROPPED.search(outcome.stderr)
    for name in WELL:
        said = "".join(
            line.removeprefix(f"{name}: ")
            for line in outcome.stderr.splitlines(keepends=True)
            if line.startswith(f"{name}: ")
        )
        for line in BROKEN.sub("", said).splitlines():
            if not (dropped and PIECE.fullmatch(line)):
                yield f"{name}, which is well, said: {line}"
    failed = 0
    for line in outcome.stderr.partition("\nawaitd: ledger")[0].splitlines():
        name, _, text = line.partition(": ")
        if name != "awaitd":
            continue
        if not any(re.fullmatch(expected, text) for expected in EXPECTED):
            yield f"unexpected: {line}"
        # What the crasher does in its first moment may undo its reload.
        failed += "reload failed" in text and "script crasher" not in text
    # A version that a SIGHUP found meanwhile may have failed once more.
    if failed < outcome.failed_reloads:
        yield f"{failed} reloads failed, {outcome.failed_reloads} had to"


def _happened(outcome: Outcome) -> Iterator[str]:
    """Nothing is proved by what did not take place."""
    for kind, count in outcome.actions.items():
        if count == 0:
            yield f"{kind} never happened"
    for device, queue in outcome.queues():
        if queue["received"] == 0:
            yield f"{_name(device, queue)}: nothing came"
        if queue["name"] in ("unread", "blocked") and not (
            queue["dropped"]["overflow"]
        ):
            yield f"{_name(device, queue)}: it never was full"
    if "is started again" not in outcome.stderr:
        yield "crasher: it never crashed"


def _name(device: str, queue: dict[str, Any]) -> str:
    return f"{queue['script']}: {device}.{queue['name']}"
